"""Cells: a histogram of positive numbers with exact sums.

Positive floats sort as their bit patterns do, so the leading bits of a pattern number the cell a value lies
in. A cell is 1/8192 of a binade (13 bits of the mantissa). Two integers are kept of each: how many values it
holds, and the sum of their distances from its lower edge, in units of 2^-30 of its width. That is exact for
float32 and a rounding to 2^-44 for float64. Integers add up to the same in any order, so no statistic depends
on how the values were split over chunks, threads or processes. Distinct values of float16, bfloat16 and of
integers up to 14 bits are distinct lower edges: of them the cells know everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS = 13
"""Bits of the mantissa that number a cell."""

UNIT = 30
"""Distances count in units of 2^-UNIT of the width; their sum overflows past 2^33 values in one cell."""

LOWEST = -1074
"""Exponent of the smallest float64: the cells of that binade come first."""

NORMAL, INFINITY = 0x0080_0000, 0x7F80_0000
"""Patterns of the smallest normal float32 and of infinity."""

_REST = 23 - STEPS  # bits of a float32 behind those of the cell's number
_BELOW = (-127 - LOWEST) << STEPS  # cells of float64 below those of float32
_PACK = 37  # each value adds 2^_PACK and its pattern to its cell
_FULL = ((1 << 63) - 1) // ((1 << _PACK) + (1 << 31))  # values in a cell before their sum overflows

_ONE = np.int64(1 << _PACK)

_REST_64 = 52 - STEPS  # the same two of a float64
_BELOW_64 = (-1023 - LOWEST) << STEPS
_SMALLEST_NORMAL = np.finfo(np.float64).tiny
_LIFT = 52  # powers of two that give every float64 a leading one


@dataclass(slots=True)
class Cells:
    """Consecutive cells from number ``low`` on; the rows of ``table`` are counts and sums of distances."""

    low: int
    table: NDArray[np.int64]

    @classmethod
    def empty(cls) -> Cells:
        """No cell at all."""
        return cls(0, np.zeros((2, 0), np.int64))

    def add(self, other: Cells) -> None:
        """Add the sums of other cells."""
        if not other.table.size:
            return
        if not self.table.size:
            self.low, self.table = other.low, other.table.copy()
            return
        self._cover(other.low, other.low + other.table.shape[1])
        start = other.low - self.low
        self.table[:, start : start + other.table.shape[1]] += other.table

    def _cover(self, low: int, high: int) -> None:
        size = self.table.shape[1]
        before, after = max(self.low - low, 0), max(high - self.low - size, 0)
        if before or after:
            self.low, self.table = self.low - before, np.pad(self.table, ((0, 0), (before, after)))


def count_doubles(values: NDArray[np.float64]) -> Cells:
    """Cells of positive finite values, at least one."""
    small = values < _SMALLEST_NORMAL
    if not small.any():
        return _count_normal(values)
    cells = _count_normal(values[small] * 2.0**_LIFT)
    cells.low -= _LIFT << STEPS
    if not small.all():
        cells.add(_count_normal(values[~small]))
    return cells


def _count_normal(values: NDArray[np.float64]) -> Cells:
    """Cells of values with a leading one, whose patterns therefore sort by relative size."""
    # Rounding up carries into the next cell, and from a binade's last cell into the next binade, rightly.
    rounded = values.view(np.int64) + (1 << (_REST_64 - UNIT - 1))
    number = rounded >> _REST_64
    low = int(number.min())
    number -= low
    rounded &= (1 << _REST_64) - 1
    rounded >>= _REST_64 - UNIT
    distance = np.zeros(int(number.max()) + 1, np.int64)
    np.add.at(distance, number, rounded)
    return Cells(low + _BELOW_64, np.stack([np.bincount(number), distance]))


class Counter:
    """Counts float32 patterns into one table, for one thread.

    Its buffers are reused, as fresh memory would cost more than the arithmetic in it. One addition a value
    does all: that of 2^37 + pattern. As all patterns of a cell but for their distances are the same, and the
    distances add up to less than 2^37, division tells how many values make the sum. That addition is more
    than half of all the work; a second sum a cell (of squares), or ``bincount``, measured slower.
    """

    def __init__(self, block: int) -> None:
        self.pattern = np.empty(block, np.int32)
        self._flag = np.empty(block, np.bool_)
        self._number = np.empty(block, np.intp)
        self._packed = np.empty(block, np.int64)
        self._table = np.zeros(1 << (31 - _REST), np.int64)
        self._low, self._high, self._pending = self._table.size, 0, 0
        self._drained = Cells.empty()

    def add(self, patterns: NDArray[np.int32], low: int, top: int) -> None:
        """Count a block of finite patterns without sign; the positive ones lie from ``low`` to ``top``.

        Those below ``NORMAL`` are left out: they have no leading one, so their cells are relatively wider.
        """
        if self._pending + patterns.size > _FULL:
            self._unpack()
        number, packed = self._number[: patterns.size], self._packed[: patterns.size]
        np.right_shift(patterns, _REST, out=number)
        np.bitwise_or(patterns, _ONE, out=packed)
        np.add.at(self._table, number, packed)
        self._low = min(self._low, max(low, NORMAL) >> _REST)
        self._high = max(self._high, (top >> _REST) + 1)
        self._pending += patterns.size

    def below(self, patterns: NDArray[np.int32], limit: int, top: int) -> int:
        """Tells how many patterns, none over ``top``, are below a limit."""
        if top < limit:
            return patterns.size
        return int(np.count_nonzero(np.less(patterns, limit, out=self._flag[: patterns.size])))

    def drain(self) -> Cells:
        """Counts of what was counted since the last call."""
        self._unpack()
        cells, self._drained = self._drained, Cells.empty()
        return cells

    def _unpack(self) -> None:
        self._table[: NORMAL >> _REST] = 0
        if self._low < self._high:
            packed = self._table[self._low : self._high]
            edges = np.arange(_ONE + (self._low << _REST), _ONE + (self._high << _REST), 1 << _REST)
            table = np.empty((2, packed.size), np.int64)
            count = np.floor_divide(packed, edges, out=table[0])
            np.subtract(packed, np.multiply(edges, count, out=edges), out=table[1])
            table[1] <<= UNIT - _REST
            self._drained.add(Cells(self._low + _BELOW, table))
            packed[:] = 0
        self._low, self._high, self._pending = self._table.size, 0, 0
