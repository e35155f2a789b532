"""The draft of a coupling: which slots go together, which must stay and why, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nnea_graph.graph import ModelGraph
from nnea_graph.rewrite.coupling.index_space import Axis, Indices, Slots
from nnea_graph.static.result import StaticFacts

Edges = tuple[Indices, Indices]
Pinning = tuple[Indices, str]

NOT_FOLLOWED = "its length is not known or too large to follow"
LENGTHS_DIFFER = "couples axes of different lengths"


@dataclass(slots=True)
class Option:
    """One way in which an operator may couple its axes; ``needs`` are axes that it leaves free to be pruned.

    ``alike`` are arrays ``[rows, slots]`` of which every row loses as many.
    """

    needs: list[Indices] = field(default_factory=list)
    edges: list[Edges] = field(default_factory=list)
    pins: list[Pinning] = field(default_factory=list)
    alike: list[Indices] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CouplingChoice:
    """An operator that couples in one of several ways, ``options`` in the order of preference.

    A reshape couples by one of its factors, a grouped convolution by whole groups or within them.
    """

    node: str
    kind: str
    options: tuple[Option, ...]

    def touched(self) -> list[Indices]:
        """All slots that any way concerns."""
        return [
            slots for option in self.options for slots in (*option.needs, *(pin for pin, _ in option.pins))
        ]


@dataclass(slots=True)
class CouplingConstraints:
    """Filled in by the rules, operator after operator."""

    graph: ModelGraph
    found: StaticFacts
    slots: Slots
    edges: list[Edges] = field(default_factory=list)
    pins: list[Pinning] = field(default_factory=list)
    choices: list[CouplingChoice] = field(default_factory=list)

    def dims(self, tensor: str) -> tuple[int | None, ...] | None:
        """Dims of a tensor, None where one, or the rank, is not known."""
        info = self.found.types.get(tensor)
        if info is None or info.shape is None:
            return None
        return tuple(dim if isinstance(dim, int) else None for dim in info.shape)

    def join(self, one: Indices, other: Indices) -> None:
        """These slots go together, one by one."""
        self.edges.append((one, other))

    def same(self, one: Axis, other: Axis) -> None:
        """Two axes go together, index by index; one of length 1 is repeated along the other."""
        mine, others = self.slots.of(one), self.slots.of(other)
        if mine is not None and others is not None and len(mine) == len(others):
            self.join(mine, others)
        elif mine is not None and others is not None:
            self.pin(one, LENGTHS_DIFFER)
            self.pin(other, LENGTHS_DIFFER)
        elif not (self.single(one) or self.single(other)):
            self.pin(one, NOT_FOLLOWED)
            self.pin(other, NOT_FOLLOWED)

    def moved(self, source: Axis, target: Axis, places: Sequence[int] | Indices) -> None:
        """Index j of the target is index ``places[j]`` of the source; -1 is one that comes from elsewhere."""
        mine, others = self.slots.of(source), self.slots.of(target)
        where = np.asarray(places, np.int64)
        if others is None and len(where) == 1 and where[0] >= 0:
            # What is left of it is one index, which cannot go.
            others = mine[where] if mine is not None else None
            if others is not None:
                self.pins.append((others, "one index of it is picked out"))
        elif mine is None or others is None:
            self.pin(source, NOT_FOLLOWED)
            self.pin(target, NOT_FOLLOWED)
        else:
            self.join(mine[where[where >= 0]], others[where >= 0])

    def pin(self, axis: Axis, reason: str) -> None:
        """An axis stays whole."""
        slots = self.slots.of(axis)
        if slots is not None:
            self.pins.append((slots, reason))

    def pin_tensor(self, tensor: str, reason: str) -> None:
        """All axes of a tensor stay whole."""
        for axis in range(len(self.dims(tensor) or ())):
            self.pin((tensor, axis), reason)

    def single(self, axis: Axis) -> bool:
        """Tells whether an axis has the length 1."""
        dims = self.dims(axis[0])
        return dims is not None and dims[axis[1]] == 1
