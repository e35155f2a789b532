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
Floats = NDArray[np.float64]
Places = NDArray[np.int64]


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
    """``peak`` is the largest weight of each row, with its sign; NaN is a weight other than 0.

    ``sketch`` is the product of each row with the same pseudo-random numbers: over the peak it is the same for rows
    that are multiples of each other, and for few others. ``used`` are inputs with any weight other than 0, of all
    groups side by side.
    """

    peak: Floats
    sketch: Floats
    positive: Bools
    negative: Bools
    nonzero: Bools
    used: Bools


def row_facts(grid: Grid, groups: int = 1) -> RowFacts:
    """One pass over the weight."""
    rows, inputs = grid.rows, grid.inputs
    peak, sketch = np.zeros(rows), np.zeros(rows)
    positive, negative = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    used = np.zeros((groups, inputs), np.bool_)
    for at, between, block in grid.blocks():
        lines = block.reshape(len(block), -1)
        sketch[at] += _sketches(lines, (between.start or 0) * block.shape[2])
        most, least = lines.max(1), lines.min(1)
        peak[at] = _farther(peak[at], _farther(most, least))
        positive[at] |= ~(most <= 0)
        negative[at] |= ~(least >= 0)
        if groups == 1:
            used[0, between] |= (~((block.max(0) <= 0) & (block.min(0) >= 0))).any(1)
        else:  # rows of a part belong to several groups, one after the other
            np.logical_or.at(used, np.arange(rows)[at] // (rows // groups), (block != 0).any(2))
    return RowFacts(peak, sketch, positive, negative, positive | negative, used.reshape(-1))


def _farther(one: Array, other: Array) -> Array:
    """The numbers that are farther from 0; of two equally far ones the first."""
    return np.where(np.abs(other) > np.abs(one), other, one)


def _sketches(lines: Array, first: int) -> Floats:
    """Products with numbers between -1 and 1 that depend on the place alone (Steele, Lea & Flood's SplitMix64)."""
    count = lines.shape[1]
    mixed = (np.arange(first, first + count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    factors = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(lines.astype(np.float64) @ factors)


def multiple_rows(grid: Grid, one: Places, other: Places, factor: Floats, slack: float) -> Bools:
    """Tells which rows ``one`` are ``factor`` times ``other``, number for number but for ``slack`` times each number.

    The weight is read again.
    """
    alike = np.ones(len(one), np.bool_)
    if grid.out_axis == 0:
        line = prod(grid.constant.shape[1:])
        read = grid.constant.payload.elements
        for place, (mine, theirs) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
            a, b = (read(row * line, (row + 1) * line) for row in (mine, theirs))
            alike[place] = _near(a, b, factor[place], slack).all()
        return alike
    for _, _, block in grid.blocks():
        alike &= _near(block[one], block[other], factor[:, None, None], slack).all((1, 2))
    return alike


def _near(a: Array, b: Array, factor: float | Floats, slack: float) -> Bools:
    mine = a.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.abs(mine - factor * b.astype(np.float64)) <= slack * np.abs(mine))
