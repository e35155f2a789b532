"""Reading facts that may not be there, as the passes that give them may not have run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from nnea_graph.graph import Key, ModelGraph, OpNode
from nnea_graph.passes.cost import COST, Cost
from nnea_graph.passes.observed_cost import OBSERVED_COST

if TYPE_CHECKING:
    from nnea_graph.stats.measurement import Measured

T = TypeVar("T")


def fact(graph: ModelGraph, key: Key[T]) -> T | None:
    """A fact of the model."""
    return graph[key] if key in graph else None  # noqa: SIM401 - a graph is no dict


def node_fact(graph: ModelGraph, node: OpNode, key: Key[T]) -> T | None:
    """A fact of an operator."""
    return graph[node, key] if (node, key) in graph else None  # noqa: SIM401


def cost_of(graph: ModelGraph, node: OpNode) -> Cost | None:
    """An operator's cost: as counted, or as observed where only a run tells."""
    observed = fact(graph, OBSERVED_COST)
    return observed.costs[node.id] if observed and node.id in observed.costs else node_fact(graph, node, COST)


def count(cost: Cost | None, field: str) -> int | None:
    """One of an operator's counts over all its runs."""
    return cost.work.count(field) if cost else None


def measurement(found: Measured) -> dict[str, Any]:
    """The fields of ``Measurement`` in the report."""
    return {
        "samples": found.samples,
        "offered": found.offered,
        "synthetic": found.synthetic,
        "accuracy": found.unaltered.accuracy,
        "repeat_change": found.unaltered.relative_l2,
        "loss_of": found.loss_of,
        "loss_limit": found.limit,
        "planned": found.planned,
        "measured": found.measured,
    }
