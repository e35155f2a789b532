"""FLOPs of one training step, by convention or by what a gradient really reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.input_roles import PARAMETER_ROLES, Role
from nnea_graph.static.cost_counting import NodeCost
from nnea_graph.static.result import StaticFacts, call_of

CONVENTION = 4
"""Forward, gradient of the input, gradient of the weights, update: four times the inference FLOPs."""


class TrainedWeight(Protocol):
    """Facts: what is needed to know of a weight here."""

    @property
    def tensor(self) -> str:
        """Its name in the graph."""
        ...

    @property
    def source(self) -> str:
        """The stored tensor that it comes from."""
        ...

    @property
    def role(self) -> Role:
        """Role that it is to the operator."""
        ...


def training_flops(
    graph: ModelGraph,
    works: Mapping[str, NodeCost],
    found: StaticFacts,
    weights: Mapping[str, Sequence[TrainedWeight]],
    frozen: Sequence[str],
) -> dict[str, int | None]:
    """Matrix FLOPs of a training step, by operator; None where the forward count is not known.

    The forward count, and 2 x the MACs of every gradient that has to be computed. The update of the
    weights and the sums that give a bias its gradient are not matrix work and are left out.

    Raises:
        UsageError: a frozen pattern that matches nothing with weights.
    """
    _check_matched(graph, weights, frozen)
    fixed = graph.source.frozen() if graph.source else frozenset()
    trained = {node.id: set(_trained(node, weights[node.id], frozen, fixed)) for node in graph}
    reached = _reached(graph, found, trained)
    return {node.id: _spent(node, works[node.id], found, reached | trained[node.id]) for node in graph}


def conventional_flops(works: Mapping[str, NodeCost]) -> dict[str, int | None]:
    """Counts by convention four times the forward count."""
    forward = {name: work.count("flops") for name, work in works.items()}
    return {name: None if flops is None else CONVENTION * flops for name, flops in forward.items()}


def _check_matched(
    graph: ModelGraph, weights: Mapping[str, Sequence[TrainedWeight]], frozen: Sequence[str]
) -> None:
    names = {name for node in graph for weight in weights[node.id] for name in _names(node, weight)}
    for pattern in frozen:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"--frozen: no weight, operator with weights or module is called '{pattern}'")


def _names(node: OpNode, weight: TrainedWeight) -> tuple[str, ...]:
    """Names that a pattern may call a weight."""
    return weight.tensor, weight.source, node.id, node.scope


def _trained(
    node: OpNode, weights: Sequence[TrainedWeight], frozen: Sequence[str], fixed: frozenset[str]
) -> Iterator[str]:
    """The weights that neither a pattern nor the live model itself has frozen."""
    for weight in weights:
        stopped = weight.source in fixed or any(
            fnmatchcase(name, pattern) for pattern in frozen for name in _names(node, weight)
        )
        if weight.role in PARAMETER_ROLES and not stopped:
            yield weight.tensor


def _reached(graph: ModelGraph, found: StaticFacts, trained: Mapping[str, set[str]]) -> set[str]:
    """The tensors that depend on something that trains; repeated while loops hand on what they have reached."""
    reached: set[str] = set()
    before = -1
    while len(reached) != before:
        before = len(reached)
        for body in graph.bodies.values():
            if not reached.isdisjoint((*body.bound, *body.outputs)):
                reached.update(name for name in body.inputs if _has_gradient(found, name))
        for node in graph:
            if trained[node.id] or not reached.isdisjoint(graph.reads(node)):
                reached.update(name for name in node.outputs if name and _has_gradient(found, name))
    return reached


def _has_gradient(found: StaticFacts, tensor: str) -> bool:
    info = found.types.get(tensor)
    return info is None or info.dtype is None or info.dtype.kind in {"float", "complex"}


def _spent(node: OpNode, work: NodeCost, found: StaticFacts, reached: set[str]) -> int | None:
    forward, macs = work.count("flops"), work.count("macs")
    if forward is None or macs is None or work.once is None or work.runs is None:
        return forward
    inputs = {index for index, name in enumerate(node.inputs) if name in reached}
    if not macs or not inputs:
        return forward
    from nnea_graph.ops.gradient_rules import gradient_macs  # noqa: PLC0415 - start-up: the convention needs none

    return forward + 2 * work.runs * gradient_macs(call_of(node, found), work.once.macs, inputs)
