"""Random samples that look like what models are given: images are smooth, sound is quiet."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_GRAIN = 8
"""Pixels between two independent values of an image."""


def smooth_image(rng: np.random.Generator, shape: tuple[int, ...], channels_at: int) -> Array:
    """Images in [0, 1]: low-resolution noise drawn large, with a tenth of fine noise.

    ``shape`` has three axes at the end, ``channels_at`` (-3 or -1) says which of them the channels are.
    """
    *outer, height, width = shape if channels_at == -3 else (*shape[:-3], shape[-1], *shape[-3:-1])
    coarse = rng.random((*outer, height // _GRAIN + 2, width // _GRAIN + 2), np.float32)
    smooth = _stretch(height) @ coarse @ _stretch(width).T
    image = 0.9 * smooth + 0.1 * rng.random(smooth.shape, np.float32)
    return image if channels_at == -3 else np.moveaxis(image, -3, -1)


def _stretch(size: int) -> Array:
    """Linear interpolation from a coarse line to ``size`` pixels, as a matrix of rows that add to 1."""
    at = np.arange(size) / _GRAIN
    left = at.astype(int)
    matrix = np.zeros((size, size // _GRAIN + 2), np.float32)
    matrix[np.arange(size), left] = 1 - (at - left)
    matrix[np.arange(size), left + 1] = at - left
    return matrix
