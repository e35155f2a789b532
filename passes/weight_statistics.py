"""Statistics of each layer's weights and of all of them together: entropy, Gini, sparsity, coverage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnea_graph.engine import Pass, RunContext
from nnea_graph.graph import Key, ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.passes.constants import WEIGHTS, Weight
from nnea_graph.static.constant_folding import loaded

if TYPE_CHECKING:
    from nnea_graph.stats.accumulator import Accumulator
    from nnea_graph.stats.metrics import DistributionMetrics
    from nnea_graph.stats.null_models import WeightNull

STATISTICS_ROLES = frozenset({Role.WEIGHT, Role.SCALE})
"""What the statistics are of. Biases are few and of another kind than the weights beside them."""


@dataclass(frozen=True, slots=True)
class WeightStatistics:
    """``metrics`` of an operator's weights, None where it has none of its own; ``reason`` says why.

    ``null`` is the utilization that random weights of this number would have; None of scales, which start at 1.
    """

    metrics: DistributionMetrics | None
    reason: str = ""
    null: WeightNull | None = None


WEIGHT_STATISTICS = Key[WeightStatistics]("weight_statistics")
MODEL_STATISTICS = Key[WeightStatistics]("model_statistics")


@dataclass(frozen=True)
class WeightStatisticsPass(Pass):
    """Streams the weights in pieces, on up to so many processes; a tied tensor counts once in the whole."""

    name = "weight_statistics"
    requires = (WEIGHTS,)
    provides = (WEIGHT_STATISTICS, MODEL_STATISTICS)

    processes: int = 3

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Measure weight by weight; what is known of a layer is kept until it is complete."""
        from nnea_graph.stats.accumulator import Accumulator  # noqa: PLC0415 - start-up
        from nnea_graph.stats.metrics import metrics  # noqa: PLC0415 - start-up
        from nnea_graph.stats.null_models import null_of  # noqa: PLC0415 - start-up
        from nnea_graph.stats.parallel_count import measure_each  # noqa: PLC0415 - start-up

        jobs: list[tuple[OpNode, Weight]] = []
        for node in graph:
            weights = [weight for weight in graph[node, WEIGHTS] if weight.role in STATISTICS_ROLES]
            reason = _reason(weights)
            if reason:
                graph[node, WEIGHT_STATISTICS] = WeightStatistics(None, reason)
            else:
                jobs += [(node, weight) for weight in weights]
        missing = Counter(node.id for node, _ in jobs)
        layers: dict[str, Accumulator] = {}
        whole = Accumulator()

        def finish(index: int, part: Accumulator) -> None:
            node, weight = jobs[index]
            if not weight.tied_to:
                whole.merge(part)
            layer = layers.pop(node.id, None)
            if layer:
                part.merge(layer)
            missing[node.id] -= 1
            if missing[node.id]:
                layers[node.id] = part
            else:
                found = metrics(part)
                weights = graph[node, WEIGHTS]
                null = null_of(found) if _drawn(weights) else None
                graph[node, WEIGHT_STATISTICS] = WeightStatistics(found, "", null)

        measure_each([weight.constant for _, weight in jobs], finish, self.processes, loaded)
        graph[MODEL_STATISTICS] = WeightStatistics(metrics(whole))


def _drawn(weights: Sequence[Weight]) -> bool:
    """Tells whether initializers draw them at random: scales of normalizations start at 1."""
    return not any(weight.role is Role.SCALE for weight in weights)


def _reason(weights: Sequence[Weight]) -> str:
    """Reason why there are no statistics of these weights, if so."""
    if not weights:
        return "no weights"
    dtypes = [weight.constant.dtype for weight in weights]
    unreal = next((dtype for dtype in dtypes if dtype.kind in {"complex", "string"}), None)
    return f"weights of type {unreal}" if unreal else ""
