"""Parameters and MACs of a model as a function of how many groups each family keeps, without rewriting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.inference.found import call_of
from nnea_graph.ops.channels import layouts
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.cost import COST
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.coupling import Coupling, Family

Kept = Mapping[str, int]
"""Groups that a family keeps, by its name; families that are not named keep all."""


@dataclass(frozen=True, slots=True)
class Length:
    """An axis: ``fixed`` of its indices stay, and ``each`` for every group that a family keeps."""

    fixed: float
    each: Mapping[str, float]

    def at(self, kept: Kept, whole: Kept) -> float:
        """How long it is then."""
        return self.fixed + sum(size * kept.get(name, whole[name]) for name, size in self.each.items())


@dataclass(frozen=True, slots=True)
class Term:
    """An amount that is proportional to the lengths of some axes."""

    amount: float
    lengths: tuple[Length, ...]

    def at(self, kept: Kept, whole: Kept) -> float:
        """The amount then."""
        share = (length.at(kept, whole) / max(length.at({}, whole), 1e-9) for length in self.lengths)
        return self.amount * prod(share)


@dataclass(frozen=True)
class Resources:
    """``terms`` by resource (``params``, ``macs``); ``whole`` is how many groups each family has."""

    terms: Mapping[str, tuple[Term, ...]]
    whole: Kept

    def at(self, resource: str, kept: Kept) -> float:
        """What the model takes then."""
        return sum(term.at(kept, self.whole) for term in self.terms[resource])

    def share(self, resource: str, kept: Kept) -> float:
        """By what it takes whole."""
        return self.at(resource, kept) / max(self.at(resource, {}), 1e-9)


def resources_of(graph: ModelGraph, coupling: Coupling) -> Resources:
    """By the facts of cost (``graph[COST]`` must be there)."""
    lengths = _Lengths(coupling)
    params = [
        Term(weight.parameters, tuple(lengths.of(weight.source, len(weight.constant.shape))))
        for node in graph
        for weight in graph[node, WEIGHTS]
        if weight.parameters
    ]
    macs = [
        Term(count, tuple(lengths.of(*_operand(graph, node))))
        for node in graph
        if (count := graph[node, COST].work.count("macs"))
    ]
    whole = {family.name: len(family.groups) for family in coupling.families}
    return Resources({"params": tuple(params), "macs": tuple(macs)}, whole)


def stored_terms(graph: ModelGraph, coupling: Coupling) -> tuple[Term, ...]:
    """Bytes of all constants as they are stored."""
    lengths = _Lengths(coupling)
    return tuple(
        Term(constant.stored_bytes, tuple(lengths.of(name, len(constant.shape))))
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
            owners = self._owners[self._coupling.groups[slots]]
            numbers, counts = np.unique(owners[owners >= 0], return_counts=True)
            if len(numbers):
                each = {
                    self._families[number].name: count / len(self._families[number].groups)
                    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
                }
                yield Length(float((owners < 0).sum()), each)
