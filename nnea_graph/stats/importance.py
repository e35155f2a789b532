"""Importance x = |w| a of a weight, streamed: its distribution, and its sums per channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import Constant
from nnea_graph.graph.constants import CHUNK
from nnea_graph.ops.weight_layout import Layout
from nnea_graph.stats.accumulator import Accumulator
from nnea_graph.stats.channel_sums import ChannelSums

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeightImportance:
    """Results that one pass over a weight gives.

    ``distribution`` is of all x; ``inputs`` and ``outputs`` are its sums by input and output channel
    (``outputs`` None where there are none); ``sums`` answer for the entropy at any other activations.
    """

    distribution: Accumulator
    inputs: Floats
    outputs: Floats | None
    sums: ChannelSums


def weigh(constant: Constant, layout: Layout, activations: Floats) -> WeightImportance:
    """Read a weight once, in blocks of rows, and weigh each number by the activation that it meets.

    ``activations`` has one a for each input channel of the weight (``layout.channels``).
    """
    shape = constant.shape
    spread = layout.spread(shape, activations)
    channels = layout.channels(shape)
    distribution, sums = Accumulator(), ChannelSums.zeros(channels)
    inputs = np.zeros(channels)
    outputs = np.zeros(_out_channels(layout, shape)) if layout.out_axis is not None else None
    for first, block in _blocks(constant):
        rows = spread if spread.shape[0] == 1 else spread[first : first + len(block)]
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number, or too large, is counted
            x = np.abs(block.astype(np.float64)) * rows
            distribution.update(x.astype(np.float32))
        if not np.isfinite(x.sum()):  # counted in the distribution, and in no sum
            x = np.where(np.isfinite(x), x, 0)
        places = _RowPlaces(layout, shape, first, len(block))
        np.add.at(inputs, *places.by_input(x))
        if outputs is not None:
            np.add.at(outputs, *places.by_output(x))
        for start, chunk in places.columns(block):
            sums.update(chunk, start)
    return WeightImportance(distribution, inputs, outputs, sums)


def _blocks(constant: Constant) -> Iterator[tuple[int, NDArray[Any]]]:
    """First row and rows of each block; a scalar is one row."""
    shape = constant.shape or (1,)
    row = max(1, prod(shape[1:]))
    step = max(1, CHUNK // row)
    for first in range(0, shape[0], step):
        last = min(first + step, shape[0])
        values = constant.payload.elements(first * row, last * row)
        yield first, values.reshape(last - first, *shape[1:])


def _out_channels(layout: Layout, shape: tuple[int, ...]) -> int:
    axis = (layout.out_axis or 0) % len(shape)
    return shape[axis] * (layout.groups if axis == 1 and layout.groups > 1 else 1)


@dataclass(frozen=True, slots=True)
class _RowPlaces:
    """Places where the numbers of a block of rows belong."""

    layout: Layout
    shape: tuple[int, ...]
    first: int
    rows: int

    def by_input(self, x: NDArray[Any]) -> tuple[NDArray[np.int64], Floats]:
        """Channel numbers and the sums that belong to them."""
        return self._by(self.layout.in_axis, x)

    def by_output(self, x: NDArray[Any]) -> tuple[NDArray[np.int64], Floats]:
        """The same for output channels."""
        return self._by(self.layout.out_axis, x)

    def _by(self, axis: int | None, x: NDArray[Any]) -> tuple[NDArray[np.int64], Floats]:
        if axis is None:
            return np.zeros(1, np.int64), np.array([x.sum(dtype=np.float64)])
        place = axis % len(self.shape)
        if place == 0:
            numbers = np.arange(self.first, self.first + self.rows)
            return numbers, x.reshape(self.rows, -1).sum(1, dtype=np.float64)
        if place == 1 and self.layout.groups > 1:
            numbers = self._groups()[:, None] * self.shape[1] + np.arange(self.shape[1])
            sums = x.reshape(self.rows, self.shape[1], -1).sum(2, dtype=np.float64)
            return numbers.reshape(-1), sums.reshape(-1)
        others = tuple(other for other in range(x.ndim) if other != place)
        return np.arange(self.shape[place]), x.sum(others, dtype=np.float64)

    def _groups(self) -> NDArray[np.int64]:
        """The group of each row."""
        return np.arange(self.first, self.first + self.rows) // (self.shape[0] // self.layout.groups)

    def columns(self, block: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
        """The block as matrices whose columns are input channels, with the number of the first."""
        if self.layout.in_axis is None:
            yield 0, block.reshape(-1, 1)
            return
        place = self.layout.in_axis % len(self.shape)
        if place == 1 and self.layout.groups > 1:
            groups = self._groups()
            for group in np.unique(groups):
                mine = block[groups == group]
                yield int(group) * self.shape[1], np.moveaxis(mine, 1, -1).reshape(-1, self.shape[1])
            return
        moved = np.moveaxis(block, place, -1)
        yield (self.first if place == 0 else 0), moved.reshape(-1, moved.shape[-1])
