"""Rows of a weight, one an output channel: which are zero, which are the same, read once in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import Constant
from nnea_graph.graph.constants import CHUNK

Array = NDArray[Any]
Bools = NDArray[np.bool_]
Marks = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Grid:
    """A weight as rows (``out_axis``) by inputs (``in_axis``) by taps (all other axes); one of the two axes is 0."""

    constant: Constant
    out_axis: int
    in_axis: int

    @property
    def rows(self) -> int:
        """Output channels; of several groups all."""
        return self.constant.shape[self.out_axis]

    @property
    def inputs(self) -> int:
        """Inputs of a row."""
        return self.constant.shape[self.in_axis]

    def blocks(self) -> Iterator[tuple[slice, slice, Array]]:
        """Rows, inputs, and the weights of both with all taps, about 1 MiB at a time."""
        shape = self.constant.shape
        line = max(1, prod(shape[1:]))
        step = max(1, CHUNK // line)
        for first in range(0, shape[0], step):
            last = min(first + step, shape[0])
            block = self.constant.payload.elements(first * line, last * line).reshape(
                last - first, *shape[1:]
            )
            moved = np.moveaxis(block, (self.out_axis, self.in_axis), (0, 1))
            part, whole = slice(first, last), slice(None)
            rows, inputs = (part, whole) if self.out_axis == 0 else (whole, part)
            yield rows, inputs, moved.reshape(*moved.shape[:2], -1)


@dataclass(frozen=True, slots=True)
class RowFacts:
    """``mark`` is the same for rows that are the same, and for few others; NaN is a weight other than 0.

    ``used`` are inputs with any weight other than 0, of all groups side by side.
    """

    mark: Marks
    positive: Bools
    negative: Bools
    nonzero: Bools
    used: Bools


def row_facts(grid: Grid, groups: int = 1) -> RowFacts:
    """One pass over the weight."""
    rows, inputs = grid.rows, grid.inputs
    mark = np.zeros(rows, np.uint32)
    positive, negative = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    used = np.zeros((groups, inputs), np.bool_)
    for at, between, block in grid.blocks():
        mark[at] += _marks(block, between.start or 0)
        lines = block.reshape(len(block), -1)
        positive[at] |= ~(lines.max(1) <= 0)
        negative[at] |= ~(lines.min(1) >= 0)
        if groups == 1:
            used[0, between] |= (~((block.max(0) <= 0) & (block.min(0) >= 0))).any(1)
        else:  # rows of a part belong to several groups, one after the other
            np.logical_or.at(used, np.arange(rows)[at] // (rows // groups), (block != 0).any(2))
    return RowFacts(mark, positive, negative, positive | negative, used.reshape(-1))


def _marks(block: Array, first: int) -> Marks:
    """A sum of products of bit patterns with pseudo-random numbers, one for each place in the row."""
    lines = np.ascontiguousarray((block + block.dtype.type(0)).reshape(len(block), -1))  # -0 becomes 0
    bits = lines.view(np.uint32)
    places = bits.shape[1] // block.shape[1]
    factors = _factors(first * places, bits.shape[1])
    bits ^= bits >> np.uint32(15)  # floats of few digits end in zeros
    marks: Marks = bits @ factors
    return marks


def _factors(first: int, count: int) -> Marks:
    """Odd numbers that depend on the place alone (Steele, Lea & Flood's SplitMix64)."""
    mixed = (np.arange(first, first + count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed >> np.uint64(32), np.uint32) | np.uint32(1)


def same_rows(grid: Grid, one: NDArray[np.int64], other: NDArray[np.int64]) -> Bools:
    """Which pairs of rows are the same, number for number; the weight is read again."""
    alike = np.ones(len(one), np.bool_)
    if grid.out_axis == 0:
        line = prod(grid.constant.shape[1:])
        read = grid.constant.payload.elements
        for place, (mine, theirs) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
            a, b = (read(row * line, (row + 1) * line) for row in (mine, theirs))
            alike[place] = np.array_equal(a, b)
        return alike
    for _, _, block in grid.blocks():
        alike &= (block[one] == block[other]).all((1, 2))
    return alike
