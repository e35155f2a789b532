"""Accumulator: all that the statistics of a set of magnitudes are made from, gathered in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import PassError
from nnea_graph.graph import Constant
from nnea_graph.graph.constants import CHUNK
from nnea_graph.stats.histogram import INFINITY, NORMAL, Cells, Counter, count_doubles

SMALL = 1 << 12
"""Arrays below are not worth the table of a ``Counter``."""

THRESHOLDS = (1e-3, 1e-2, 1e-1)


def _pattern(threshold: float) -> int:
    """Pattern of the smallest float32 that is not below a float64."""
    near = np.float32(threshold)
    return int(near.view(np.int32)) + (float(near) < threshold)


_PATTERNS = tuple(_pattern(threshold) for threshold in THRESHOLDS)


@dataclass(slots=True)
class Accumulator:
    """Counts and sums of the magnitudes |x| of numbers: the same in any order and however they were split.

    ``finite`` counts the numbers that are neither NaN nor infinite, and only they enter the rest; ``min`` is
    the smallest above zero; ``below`` counts those strictly under each of ``THRESHOLDS``, zeros included.
    The cells of float32 take 130 KB a binade that occurs.
    """

    finite: int = 0
    zeros: int = 0
    nan: int = 0
    inf: int = 0
    min: float = math.inf
    max: float = 0.0
    below: tuple[int, ...] = (0,) * len(THRESHOLDS)
    _cells: Cells = field(default_factory=Cells.empty, repr=False)
    _counter: Counter | None = field(default=None, repr=False, compare=False)

    @property
    def cells(self) -> Cells:
        """The cells of all that was counted."""
        self.settle()
        return self._cells

    def settle(self) -> None:
        """Give back the 22 MB that ``update`` works in."""
        if self._counter:
            self._cells.add(self._counter.drain())
            self._counter = None

    def update(self, chunk: NDArray[Any]) -> None:
        """Count the elements of an array of real numbers, of any shape.

        Raises:
            PassError: the elements are not real numbers.
        """
        flat = _real(chunk)
        for start in range(0, flat.size, CHUNK):
            self._add(flat[start : start + CHUNK])

    def merge(self, other: Accumulator) -> None:
        """Count what the other has counted."""
        self.finite += other.finite
        self.zeros += other.zeros
        self.nan += other.nan
        self.inf += other.inf
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        self._count_below(other.below)
        self._cells.add(other.cells)

    def _count_below(self, counts: Iterable[int]) -> None:
        self.below = tuple(mine + more for mine, more in zip(self.below, counts, strict=True))

    def _add(self, values: NDArray[Any]) -> None:
        """Count a block of float32 or float64."""
        singles = None if values.size < SMALL else _singles(values)
        if singles is None:
            self._add_doubles(values.astype(np.float64))
            return
        self._counter = self._counter or Counter(CHUNK)
        self._add_singles(singles, self._counter)

    def _add_singles(self, values: NDArray[np.float32], counter: Counter) -> None:
        """Count a block of float32."""
        patterns = np.bitwise_and(values.view(np.int32), 0x7FFF_FFFF, out=counter.pattern[: values.size])
        low, top = int(patterns.min(initial=INFINITY)), int(patterns.max(initial=0))
        # Only float64 sorts numbers without a leading one by size; zeros alone can go either way.
        if top >= INFINITY or top < NORMAL:
            self._add_doubles(values.astype(np.float64))
            return
        if not low:
            self.zeros += patterns.size - int(np.count_nonzero(patterns))
            low = int((patterns.view(np.uint32) - np.uint32(1)).min()) + 1
        if low < NORMAL:
            tiny = patterns[(patterns > 0) & (patterns < NORMAL)].view(np.float32)
            self._cells.add(count_doubles(tiny.astype(np.float64)))
        self._count_below(counter.below(patterns, limit, top) for limit in _PATTERNS)
        self.finite += patterns.size
        self._extend(*np.array([low, top], np.int32).view(np.float32))
        counter.add(patterns, low, top)

    def _add_doubles(self, values: NDArray[np.float64]) -> None:
        """Count float64."""
        finite = np.abs(values[np.isfinite(values)])
        self.nan += int(np.count_nonzero(np.isnan(values)))
        self.inf += int(np.count_nonzero(np.isinf(values)))
        positive = finite[finite > 0]
        self.finite += finite.size
        self.zeros += finite.size - positive.size
        self._count_below(int(np.count_nonzero(finite < limit)) for limit in THRESHOLDS)
        if positive.size:
            self._extend(positive.min(), positive.max())
            self._cells.add(count_doubles(positive))

    def _extend(self, low: float, top: float) -> None:
        self.min, self.max = min(self.min, float(low)), max(self.max, float(top))


def accumulate(chunks: Iterable[NDArray[Any]], counter: Counter | None = None) -> Accumulator:
    """Count the elements of arrays of real numbers as they come; a ``counter`` lends its buffers.

    Raises:
        PassError: the elements are not real numbers.
    """
    result = Accumulator(_counter=counter)
    for chunk in chunks:
        result.update(chunk)
    result.settle()
    return result


def measure(constant: Constant, counter: Counter | None = None) -> Accumulator:
    """Count the elements of a constant, a chunk at a time.

    Raises:
        PassError: the elements are not real numbers.
    """
    return accumulate(constant.chunks(), counter)


def _real(values: NDArray[Any]) -> NDArray[Any]:
    """Flat float32 where that holds every value of the type, else float64."""
    if values.dtype.kind not in "biuf":
        raise PassError(f"statistics are of real numbers, not {values.dtype}: leave such tensors out")
    narrow = values.dtype.itemsize <= 2 or values.dtype == np.float32
    return np.ascontiguousarray(values, np.float32 if narrow else np.float64).reshape(-1)


def _singles(values: NDArray[Any]) -> NDArray[np.float32] | None:
    """The same numbers as float32, which are counted ten times as fast; None where they are not the same."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        singles = values.astype(np.float32)
    return singles if np.array_equal(singles, values) else None
