"""One number for every index along every axis of every tensor: a slot, the smallest thing that can go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import TensorInfo

Axis = tuple[str, int]
"""A tensor and one of its axes, counted from the front."""

Indices = NDArray[np.int64]

AXIS_LIMIT = 1 << 20
"""Longer axes are not followed: no layer has so many channels."""


@dataclass(frozen=True)
class Slots:
    """The slots of ``axes[i]`` are ``starts[i]`` to ``starts[i + 1]``, one for each index.

    Axes of length 1, of unknown length and beyond ``AXIS_LIMIT`` have none. Axes in ``repeats`` have every index so
    many times, once for each group of a kernel, as it is another channel in each (rewrite/kernels.py).
    """

    axes: tuple[Axis, ...]
    starts: Indices
    repeats: Mapping[Axis, int] = field(default_factory=dict)

    @cached_property
    def places(self) -> Mapping[Axis, int]:
        """Finds where an axis stands in ``axes``."""
        return {axis: place for place, axis in enumerate(self.axes)}

    @property
    def count(self) -> int:
        """Tells how many there are."""
        return int(self.starts[-1])

    def of(self, axis: Axis) -> Indices | None:
        """The slots of an axis, None where it has none."""
        place = self.places.get(axis)
        return None if place is None else np.arange(self.starts[place], self.starts[place + 1])

    def axis_of(self, slots: Indices) -> Indices:
        """The place in ``axes`` of each slot."""
        return np.searchsorted(self.starts, slots, "right") - 1


def slots_of(types: Mapping[str, TensorInfo], repeats: Mapping[Axis, int] | None = None) -> Slots:
    """Slots of every axis whose length is known, in the order of the tensors."""
    repeats = repeats or {}
    lengths = {axis: dim * repeats.get(axis, 1) for axis, dim in _lengths(types)}
    return Slots(tuple(lengths), np.cumsum([0, *lengths.values()], dtype=np.int64), repeats)


def _lengths(types: Mapping[str, TensorInfo]) -> Iterable[tuple[Axis, int]]:
    for name, info in types.items():
        for axis, dim in enumerate(info.shape or ()):
            if isinstance(dim, int) and 1 < dim <= AXIS_LIMIT:
                yield (name, axis), dim
