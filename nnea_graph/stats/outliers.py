"""Spread: what makes weights easy or hard to store in few bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph.constants import CHUNK

Array = NDArray[Any]

OUTLIER = 6
"""Standard deviations beyond which a weight is an outlier."""
RARE = 1000
"""One weight of so many may lie beyond the range that counts as used."""
HALF_MAX, HALF_NORMAL = 65504.0, 2.0**-14
"""The largest number of float16, and the smallest with all its digits."""


@dataclass(frozen=True, slots=True)
class CrestFactor:
    """``crest`` is max|w| over the root of mean w², ``outliers`` how many are beyond 6 standard deviations.

    ``dead_range`` is the part of 0 … max|w| that only the largest thousandth of the weights reach: levels of an
    integer format that are there for next to nothing. ``overflowing`` are beyond float16, ``subnormal`` below its
    normal numbers and not 0, which lose digits there. None where there is no number other than 0.
    """

    count: int
    crest: float | None
    outliers: int
    dead_range: float | None
    overflowing: int
    subnormal: int


def spread(values: Array) -> CrestFactor:
    """Spread of finite numbers, in two passes and a partition."""
    flat = values.reshape(-1)
    mean = sum(float(chunk.sum()) for chunk in _chunks(flat)) / max(flat.size, 1)
    squares = around = 0.0
    for chunk in _chunks(flat):
        squares += float(chunk @ chunk)
        around += float(np.square(chunk - mean).sum())
    limit = OUTLIER * (around / max(flat.size, 1)) ** 0.5
    outliers = sum(int(np.count_nonzero(np.abs(chunk - mean) > limit)) for chunk in _chunks(flat))
    sizes = np.abs(flat)
    largest = float(sizes.max(initial=0))
    return CrestFactor(
        count=flat.size,
        crest=largest / (squares / flat.size) ** 0.5 if squares else None,
        outliers=outliers,
        dead_range=1 - _used(sizes) / largest if largest else None,
        overflowing=int(np.count_nonzero(sizes > HALF_MAX)),
        subnormal=int(np.count_nonzero((sizes > 0) & (sizes < HALF_NORMAL))),
    )


def _chunks(flat: Array) -> Iterator[NDArray[np.float64]]:
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK].astype(np.float64)


def _used(sizes: Array) -> float:
    """The largest |w| but for a thousandth of them."""
    place = sizes.size - 1 - sizes.size // RARE
    return float(np.partition(sizes, place)[place])
