"""Parameters and MACs of a model as a function of how many groups each family keeps, without rewriting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.weight_layout import layouts
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.cost import COST
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.coupling.groups import Coupling, Family
from nnea_graph.static.result import call_of

Floats = NDArray[np.float64]
Kept = Mapping[str, int]
"""Groups that a family keeps, by its name; families that are not named keep all."""


@dataclass(frozen=True, slots=True)
class Length:
    """An axis: ``fixed`` of its indices stay, and ``each`` for every group that a family keeps."""

    fixed: float
    each: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ResourceTerm:
    """An amount that is proportional to the lengths of some axes."""

    amount: float
    lengths: tuple[Length, ...]


class _Sum:
    """Terms as arrays, so that many models are counted at once: how long each axis is, by how long it was."""

    def __init__(self, terms: Sequence[ResourceTerm], whole: Kept) -> None:
        self._places = {name: place for place, name in enumerate(whole)}
        self._whole = np.array(list(whole.values()), np.float64)
        lengths = [length for term in terms for length in term.lengths]
        self._fixed = np.array([length.fixed for length in lengths])
        self._each = np.zeros((len(lengths), len(whole)))
        for row, length in enumerate(lengths):
            for name, size in length.each.items():
                self._each[row, self._places[name]] = size
        self._before = np.maximum(self._fixed + self._each @ self._whole, 1e-9)
        counts = [len(term.lengths) for term in terms]
        self._starts = np.cumsum([0, *counts])[:-1][np.array(counts, np.int64) > 0]
        self._varying = np.array([term.amount for term in terms if term.lengths])
        self._rest = float(sum(term.amount for term in terms if not term.lengths))

    def at(self, kept: Sequence[Kept]) -> Floats:
        """Amounts that each of the models takes."""
        counts = np.repeat(self._whole[:, None], len(kept), 1)
        for column, each in enumerate(kept):
            for name, count in each.items():
                counts[self._places[name], column] = count
        return self._of(counts)

    def apart(self, kept: Kept, changed: Kept) -> Floats:
        """Amount that the model takes that ``kept`` leaves, with one family after the other ``changed`` alone."""
        start = self._whole.copy()
        for name, count in kept.items():
            start[self._places[name]] = count
        counts = np.repeat(start[:, None], len(changed), 1)
        counts[[self._places[name] for name in changed], np.arange(len(changed))] = list(changed.values())
        return self._of(counts)

    def _of(self, counts: Floats) -> Floats:
        if not len(self._varying):
            return np.full(counts.shape[1], self._rest)
        shares = (self._fixed[:, None] + self._each @ counts) / self._before[:, None]
        found: Floats = self._varying @ np.multiply.reduceat(shares, self._starts, 0) + self._rest
        return found


@dataclass(frozen=True)
class Resources:
    """``terms`` by resource (``params``, ``macs``); ``whole`` is how many groups each family has."""

    terms: Mapping[str, tuple[ResourceTerm, ...]]
    whole: Kept

    @cached_property
    def _sums(self) -> Mapping[str, _Sum]:
        return {name: _Sum(terms, self.whole) for name, terms in self.terms.items()}

    def at(self, resource: str, kept: Kept) -> float:
        """Amount that the model takes then."""
        return float(self._sums[resource].at([kept])[0])

    def share(self, resource: str, kept: Kept) -> float:
        """Share by what it takes whole."""
        return self.at(resource, kept) / self._most(resource)

    def shares(self, resource: str, kept: Kept, changed: Kept) -> Floats:
        """The same, with one family after the other of those ``changed`` keeping that many and the others as before."""
        found: Floats = self._sums[resource].apart(kept, changed) / self._most(resource)
        return found

    def _most(self, resource: str) -> float:
        return max(self.at(resource, {}), 1e-9)


def resources_of(graph: ModelGraph, coupling: Coupling) -> Resources:
    """Resources by the facts of cost (``graph[COST]`` must be there)."""
    lengths = _Lengths(coupling)
    params = [
        ResourceTerm(weight.parameters, tuple(lengths.of(weight.source, len(weight.constant.shape))))
        for node in graph
        for weight in graph[node, WEIGHTS]
        if weight.parameters
    ]
    macs = [
        ResourceTerm(count, tuple(lengths.of(*_operand(graph, node))))
        for node in graph
        if (count := graph[node, COST].work.count("macs"))
    ]
    whole = {family.name: len(family.groups) for family in coupling.families}
    return Resources({"params": tuple(params), "macs": tuple(macs)}, whole)


def stored_terms(graph: ModelGraph, coupling: Coupling) -> tuple[ResourceTerm, ...]:
    """Bytes of all constants as they are stored."""
    lengths = _Lengths(coupling)
    return tuple(
        ResourceTerm(constant.stored_bytes, tuple(lengths.of(name, len(constant.shape))))
        for name, constant in graph.constants.items()
    )


def _operand(graph: ModelGraph, node: OpNode) -> tuple[str, int]:
    """The tensor whose lengths the MACs are proportional to: weights, or what stands in their place."""
    for layout in layouts(call_of(node, graph[SHAPES])):
        info = graph[SHAPES].types.get(node.inputs[layout.weight])
        if info is not None and info.shape is not None:
            return node.inputs[layout.weight], len(info.shape)
    return "", 0


class _Lengths:
    """Axes by the families that they belong to."""

    def __init__(self, coupling: Coupling) -> None:
        self._coupling = coupling
        self._families: list[Family] = list(coupling.families)
        count = int(coupling.groups.max(initial=-1)) + 2
        self._owners = np.full(count, -1)
        for number, family in enumerate(self._families):
            self._owners[list(family.groups)] = number

    def of(self, tensor: str, rank: int) -> Iterator[Length]:
        """Those axes of a tensor that can become shorter."""
        for axis in range(rank):
            slots = self._coupling.slots.of((tensor, axis))
            if slots is None:
                continue
            groups = self._coupling.groups[slots]
            rows = groups.reshape(self._coupling.slots.repeats.get((tensor, axis), 1), -1)
            if len(rows) > 1 and (rows == rows[:, :1]).all():
                continue  # groups of a kernel that go altogether leave the others as long as they are
            owners = self._owners[groups]
            numbers, counts = np.unique(owners[owners >= 0], return_counts=True)
            if len(numbers):
                each = {
                    self._families[number].name: count / len(self._families[number].groups)
                    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
                }
                yield Length(float((owners < 0).sum()), each)
