"""Statistics of all layers together, of weights or of importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from nnea_graph.report.schema.analysis import Layer, Metrics
from nnea_graph.report.schema.modules import StatisticTotals

if TYPE_CHECKING:
    from nnea_graph.stats.metrics import DistributionMetrics as Measured

NO_STATISTICS = StatisticTotals(None, None, None, None, None, None, None)


class HasMetrics(Protocol):
    """A model's statistics as a pass leaves them."""

    @property
    def metrics(self) -> Measured | None:
        """None where there are none."""
        ...


def statistic_totals(layers: Sequence[Layer], whole: HasMetrics | None, field: str) -> StatisticTotals | None:
    """Sums over layers with a tensor of their own; ``field`` is ``metrics`` or ``weight_metrics``."""
    if whole is None or whole.metrics is None or not whole.metrics.count:
        return None
    return _totals(_own(layers, field), whole.metrics.count, whole.metrics.sparsity)


def part_totals(layers: Sequence[Layer], field: str) -> StatisticTotals | None:
    """The same over some of the layers; None where nothing of them is known."""
    own = _own(layers, field)
    count = sum(metrics.count for metrics in own)
    return _totals(own, count, _sparsity(own, count)) if count else None


def _own(layers: Sequence[Layer], field: str) -> list[Metrics]:
    found: list[Metrics | None] = [getattr(layer, field) for layer in layers if layer.tied_to is None]
    return [metrics for metrics in found if metrics is not None]


def _totals(own: Sequence[Metrics], count: int, sparsity: Mapping[str, float] | None) -> StatisticTotals:
    effective = sum(metrics.effective_weights or 0.0 for metrics in own)
    utilization = effective / count
    return StatisticTotals(
        effective_parameters=effective,
        analyzed_weights=count,
        global_utilization=utilization,
        compression_potential=1 - utilization,
        avg_layer_redundancy=_mean_redundancy(own, weighted=False),
        redundancy_score=_mean_redundancy(own, weighted=True),
        global_sparsity=sparsity,
    )


def _sparsity(own: Sequence[Metrics], count: int) -> dict[str, float] | None:
    known = [(metrics.sparsity, metrics.count) for metrics in own if metrics.sparsity]
    if sum(size for _, size in known) != count:
        return None
    return {level: sum(share[level] * size for share, size in known) / count for level in known[0][0]}


def _mean_redundancy(layers: Sequence[Metrics], *, weighted: bool) -> float | None:
    pairs = [
        (metrics.redundancy, metrics.count if weighted else 1)
        for metrics in layers
        if metrics.redundancy is not None
    ]
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else None
