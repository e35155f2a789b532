"""Statistics of each layer's weights and of all of them together: entropy, Gini, sparsity, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnea_graph.engine import Pass
from nnea_graph.graph import Key, ModelGraph
from nnea_graph.inference.constant_values import loaded
from nnea_graph.ops.roles import Role
from nnea_graph.passes.constants import WEIGHTS, Weight
from nnea_graph.stats.accumulator import Accumulator, measure
from nnea_graph.stats.metrics import Metrics, metrics

STATISTICS_ROLES = frozenset({Role.WEIGHT, Role.SCALE})
"""What the statistics are of. Biases are few and of another kind than the weights beside them."""


@dataclass(frozen=True, slots=True)
class WeightStatistics:
    """``metrics`` of an operator's weights, None where it has none of its own; ``reason`` says why."""

    metrics: Metrics | None
    reason: str = ""


WEIGHT_STATISTICS = Key[WeightStatistics]("weight_statistics")
MODEL_STATISTICS = Key[WeightStatistics]("model_statistics")


@dataclass(frozen=True)
class WeightStatisticsPass(Pass):
    """Streams every weight once, in pieces; a tied tensor is measured where it is met first."""

    name = "weight_statistics"
    requires = (WEIGHTS,)
    provides = (WEIGHT_STATISTICS, MODEL_STATISTICS)

    threads: int = 2

    def run(self, graph: ModelGraph) -> None:
        """Measure layer by layer; the model's accumulator is the sum of theirs."""
        whole = Accumulator()
        for node in graph:
            weights = [weight for weight in graph[node, WEIGHTS] if weight.role in STATISTICS_ROLES]
            graph[node, WEIGHT_STATISTICS] = self._layer(weights, whole)
        graph[MODEL_STATISTICS] = WeightStatistics(metrics(whole))

    def _layer(self, weights: Sequence[Weight], whole: Accumulator) -> WeightStatistics:
        if not weights:
            return WeightStatistics(None, "no weights")
        layer = Accumulator()
        for weight in weights:
            if weight.constant.dtype.kind in {"complex", "string"}:
                return WeightStatistics(None, f"weights of type {weight.constant.dtype}")
            part = measure(loaded(weight.constant), self.threads)
            layer.merge(part)
            if not weight.tied_to:
                whole.merge(part)
        return WeightStatistics(metrics(layer))
