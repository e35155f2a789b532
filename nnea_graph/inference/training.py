"""FLOPs of one training step, by convention or by what a gradient really reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.inference.counting import NodeWork
from nnea_graph.ops.roles import PARAMETER_ROLES, Role

CONVENTION = 4
"""Forward, gradient of the input, gradient of the weights, update: four times the inference FLOPs."""


class WeightLike(Protocol):
    """What is needed to know of a weight here."""

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
        """What it is to the operator."""
        ...


def training_flops(
    graph: ModelGraph,
    works: Mapping[str, NodeWork],
    weights: Mapping[str, Sequence[WeightLike]],
    frozen: Sequence[str],
    *,
    exact: bool,
) -> dict[str, int | None]:
    """Matrix FLOPs of a training step, by operator; None where the forward count is not known.

    By convention four times the forward count. Exact: the forward count, and for each operand that a
    gradient must reach 2 x the MACs, as its gradient is a product of the same size. The update of the
    weights and the sums that give a bias its gradient are not matrix work and are left out.
    """
    if not exact:
        return {name: _times(work, CONVENTION) for name, work in works.items()}
    reached: set[str] = set()
    result: dict[str, int | None] = {}
    for node in graph:
        trained = {
            weight.tensor
            for weight in weights[node.id]
            if weight.role in PARAMETER_ROLES and not _is_frozen(node, weight, frozen)
        }
        operands = {name for name in _reads(graph, node) if name in reached} | trained
        if operands:
            reached.update(name for name in node.outputs if name)
        result[node.id] = _exact(works[node.id], weights[node.id], operands)
    return result


def _reads(graph: ModelGraph, node: OpNode) -> Iterator[str]:
    yield from graph.reads(node)
    if node.body:
        yield from graph.bodies[node.body].bound


def _times(work: NodeWork, factor: int) -> int | None:
    flops = work.count("flops")
    return None if flops is None else factor * flops


def _is_frozen(node: OpNode, weight: WeightLike, patterns: Sequence[str]) -> bool:
    names = (weight.tensor, weight.source, node.id, node.scope)
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _exact(work: NodeWork, weights: Sequence[WeightLike], operands: set[str]) -> int | None:
    forward, macs = work.count("flops"), work.count("macs")
    if forward is None or macs is None:
        return None
    if not macs:
        return forward * (2 if operands else 1)
    biases = {weight.tensor for weight in weights if weight.role is Role.BIAS}
    return forward + 2 * macs * len(operands - biases)
