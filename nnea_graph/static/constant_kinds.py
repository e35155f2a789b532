"""Tells whether a stored tensor is a parameter or a constant (mask, table, grid), and by what one can tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import Constant

Values = NDArray[np.float64]

_MOST_READ = 1 << 22
"""Elements above which values are not looked at."""

_FEWEST = 5
"""Points along an axis that tell a curve from chance."""

_FEWEST_MASKED = 4
_TOLERANCE = 1e-4


def named_kind(constant: Constant) -> str | None:
    """Reason why the file's own words make it a constant; "" for a parameter, None if silent."""
    if constant.declared == "parameter":
        return ""
    return f"the file calls it a {constant.declared}" if constant.declared else None


def typed_kind(constant: Constant) -> str:
    """Reason why its element type makes it a constant; "" where a parameter may be of that type."""
    dtype = constant.dtype
    if dtype.kind in {"float", "complex"} or (dtype.kind in {"int", "uint"} and dtype.bits <= 8):
        return ""
    return f"of type {dtype}, which no parameter has"


def valued_kind(constant: Constant) -> str:
    """Reason why its values make it a constant; "" where they may have been learned."""
    if not _FEWEST_MASKED <= constant.size <= _MOST_READ or constant.dtype.kind != "float":
        return ""
    values = constant.array().astype(np.float64)
    if _is_mask(values):
        return "a mask: only 0 and one other value"
    if _along_any_axis(values, _is_line):
        return "a grid: evenly spaced along an axis"
    if _along_any_axis(values, _is_wave):
        return "a table of sines and cosines"
    return ""


def _is_mask(values: Values) -> bool:
    low, high = values.min(), values.max()
    if np.isnan(low) or low == high or (low and high):
        return False
    return bool(((values == low) | (values == high)).all())


def _along_any_axis(values: Values, test: Callable[[Values], bool]) -> bool:
    if not np.isfinite(values).all() or np.abs(values).max() <= _TOLERANCE:
        return False
    axes = [axis for axis, dim in enumerate(values.shape) if dim >= _FEWEST]
    return any(test(np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)) for axis in axes)


def _is_line(rows: Values) -> bool:
    """Tells whether every column is evenly spaced, and not all of them are flat."""
    steps = np.diff(rows, axis=0)
    scale = np.abs(rows).max()
    if np.abs(steps).max() <= _TOLERANCE * scale:
        return False
    return bool(np.abs(np.diff(steps, axis=0)).max() <= _TOLERANCE * scale)


def _is_wave(rows: Values) -> bool:
    """Tells whether every column is a sine of its row: x[p-1] + x[p+1] is the same multiple of x[p] everywhere."""
    if np.abs(rows).max() > 1 + _TOLERANCE or np.abs(np.diff(rows, axis=0)).max() <= _TOLERANCE:
        return False
    middle, around = rows[1:-1], rows[:-2] + rows[2:]
    power = (middle * middle).sum(axis=0)
    factor = np.where(power > 0, (middle * around).sum(axis=0) / np.where(power > 0, power, 1), 2.0)
    smooth = np.abs(around - factor * middle).max() <= _TOLERANCE
    return bool(smooth and (np.abs(factor) <= 2 + _TOLERANCE).all())
