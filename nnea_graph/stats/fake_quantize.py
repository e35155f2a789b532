"""Weights rounded to few bits and back: the numbers that onnxruntime's own quantization tools make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph.constants import CHUNK
from nnea_graph.stats.output_change import OutputComparison

Array = NDArray[Any]

_LEVELS = 127
"""Largest integer of a symmetric int8."""
_TOP = 15
"""Largest integer of an unsigned int4."""
_SCALE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Format:
    """How weights are stored: with one scale for all, for each output channel, or for ``block`` inputs of one.

    int8 is symmetric (``quantize_static``, ``quantize_dynamic``), int4 has a zero point for each block
    (``MatMulNBitsQuantizer``, both as they are by default).
    """

    name: str
    bits: int
    by_channel: bool = False
    block: int = 0

    def bytes(self, channels: int, inputs: int) -> int:
        """Bytes that a matrix takes, its scales and zero points included."""
        if self.block:
            blocks = channels * -(-inputs // self.block)
            return blocks * (self.block // 2 + _SCALE_BYTES) + (blocks + 1) // 2
        scales = channels if self.by_channel else 1
        return channels * inputs * self.bits // 8 + (_SCALE_BYTES * scales if self.bits == 8 else 0)


INT8 = Format("int8", 8)
INT8_CHANNEL = Format("int8_channel", 8, by_channel=True)
INT4_32 = Format("int4_block32", 4, block=32)
INT4_128 = Format("int4_block128", 4, block=128)
FLOAT16 = Format("float16", 16)

FORMATS = (INT8_CHANNEL, INT4_32, INT8, INT4_128, FLOAT16)
"""The ones that are used most first."""


def rounded(values: Array, out_axis: int | None, form: Format) -> Array:
    """The weights as they come back from a format; ``out_axis`` is that of output channels, None where there are none.

    All other axes together, in their order, are the inputs of a channel, which blocks are cut from.

    >>> rounded(np.array([[1.0, -127.0]], np.float32), 0, INT8).tolist()
    [[1.0, -127.0]]
    """
    result = np.empty(values.shape, values.dtype)
    rounding = _rounding(form, values)
    for rows, into in zip(_blocks(values, out_axis), _blocks(result, out_axis), strict=True):
        into[:] = rounding(rows.reshape(len(rows), -1)).reshape(rows.shape)
    return result


def distance(before: Array, after: Array) -> OutputComparison:
    """Tells how far weights have moved."""
    comparison = OutputComparison(())
    one, other = before.reshape(-1), after.reshape(-1)
    for start in range(0, one.size, CHUNK):
        comparison.add([one[start : start + CHUNK]], [other[start : start + CHUNK]], None)
    return comparison


def matrix_shape(shape: tuple[int, ...], out_axis: int | None) -> tuple[int, int]:
    """Output channels, and inputs of each."""
    size = int(np.prod(shape))
    channels = 1 if out_axis is None else shape[out_axis]
    return channels, size // channels if channels else 0


def _blocks(values: Array, out_axis: int | None) -> Iterator[Array]:
    """Views of some output channels at a time, which come first."""
    moved = values.reshape(1, -1) if out_axis is None else np.moveaxis(values, out_axis, 0)
    step = max(1, CHUNK // max(1, moved.size // max(1, len(moved))))
    for first in range(0, len(moved), step):
        yield moved[first : first + step]


def _rounding(form: Format, values: Array) -> Callable[[Array], Array]:
    """Rounding that is done to rows, each of one output channel."""
    if form.block:
        return lambda rows: _int4(rows, form.block)
    if form.bits == 16:
        return _float16
    if form.by_channel:
        return lambda rows: _int8(rows, np.abs(rows).max(1, initial=0, keepdims=True))
    largest = np.abs(values).max(initial=0)
    return lambda rows: _int8(rows, largest)


def _float16(rows: Array) -> Array:
    with np.errstate(over="ignore"):  # too large becomes infinite, as it would on the way
        return np.asarray(rows.astype(np.float16), rows.dtype)


def _int8(rows: Array, largest: Array) -> Array:
    """Symmetric: the largest |w| becomes 127; the scale is kept in the type of the weights."""
    scale = 2 * np.asarray(largest, np.float64) / (2 * _LEVELS)
    usable = scale.astype(rows.dtype) >= _smallest(rows.dtype)
    kept = np.where(usable, scale, 1).astype(rows.dtype)
    levels = np.clip(np.rint(rows.astype(np.float32) / kept), -_LEVELS - 1, _LEVELS)
    return np.asarray(levels * kept, rows.dtype)


def _smallest(dtype: np.dtype[Any]) -> Any:
    """Scales below are taken for 0: of float16 alone the subnormal ones are used."""
    limits = np.finfo(dtype)
    return limits.smallest_subnormal if dtype == np.float16 else limits.tiny


def _int4(rows: Array, block: int) -> Array:
    """Rounds from the smallest to the largest of each block, 0 among them, in 15 steps; halves round away from 0."""
    channels, inputs = rows.shape
    padded = np.zeros((channels, -(-inputs // block) * block), np.float32)
    padded[:, :inputs] = rows
    blocks = padded.reshape(channels, -1, block)
    low = np.minimum(blocks.min(2), 0)
    exact = (np.maximum(blocks.max(2), 0) - low) / np.float32(_TOP)
    scale = exact.astype(rows.dtype).astype(np.float32)
    zero = _half_up(np.divide(-low, exact, out=np.zeros_like(low), where=exact != 0))[..., None]
    with np.errstate(over="ignore", invalid="ignore"):  # scales below the normal numbers
        inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)
        levels = _half_up(blocks * inverse[..., None] + zero)
    back = (levels - zero) * scale[..., None]
    return np.asarray(back.reshape(channels, -1)[:, :inputs], rows.dtype)


def _half_up(numbers: Array) -> Array:
    """Integers from 0 to 15, 0 for NaN; the sum with a half is exact in float64 only."""
    near = np.floor(numbers.astype(np.float64) + 0.5)
    return np.fmin(np.fmax(near, 0), _TOP).astype(np.float32)
