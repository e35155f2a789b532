"""The part of the report on modules of the source model; see ``schema``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc


@dataclass(frozen=True)
class StatisticTotals:
    """Statistics of several layers together."""

    effective_parameters: float | None = field(metadata=doc("sum of the layers' effective weights"))
    analyzed_weights: int | None = field(
        metadata=doc("weights that the statistics are of: parameters without biases")
    )
    global_utilization: float | None = field(metadata=doc("effective_parameters / analyzed_weights"))
    compression_potential: float | None = field(metadata=doc("1 - global_utilization"))
    avg_layer_redundancy: float | None = field(metadata=doc("mean of the layers' redundancy"))
    redundancy_score: float | None = field(
        metadata=doc("mean of the layers' redundancy, weighted by their weights")
    )
    global_sparsity: Mapping[str, float] | None = field(
        metadata=doc("share of all weights below 1e-3, 1e-2, 1e-1, and zeros")
    )


@dataclass(frozen=True, slots=True)
class Module:
    """A module or layer of the source model, with all modules in it."""

    path: str = field(metadata=doc("as the source calls it; empty is the model itself"))
    class_name: str = field(metadata=doc("its class, empty where the file does not say"))
    depth: int = field(metadata=doc("how many modules it lies in"))
    parameters: int | None = field(
        metadata=doc("of it and the modules in it, as the source counts them: shared ones in each, but once")
    )
    trainable_parameters: int | None = field(
        metadata=doc("those that train, null where the source is not known")
    )
    buffers: int | None = field(
        metadata=doc("running means and the like, null where the source is not known")
    )
    operators: int = field(metadata=doc("operators of the graph that come from it"))
    macs: int | None = field(metadata=doc("of those in the totals, over all runs"))
    flops: int | None = field(metadata=doc("of those in the totals"))
    other_flops: int | None = field(metadata=doc("of those in the totals"))
    training_flops: int | None = field(metadata=doc("of one training step"))
    unknown: int = field(metadata=doc("operators whose cost is unknown, not in these numbers"))
    importance: float | None = field(metadata=doc("sum of |w| mean|a| over its layers; null where not known"))
    weight_totals: StatisticTotals | None = field(metadata=doc("statistics of |w| of its layers"))
    importance_totals: StatisticTotals | None = field(metadata=doc("the same of importance"))
    note: str = field(metadata=doc("why it has no operators of its own, empty where it has"))
