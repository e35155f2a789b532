"""One layer as Python code reads it: its numbers by name, its weights and their importance as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.weight_inputs import meetings
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.input_roles import PARAMETER_ROLES, Role
from nnea_graph.passes.activations import ACTIVATIONS
from nnea_graph.passes.constants import WEIGHTS, Weight
from nnea_graph.passes.importance import mean_activations
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.report.schema.analysis import Layer, Metrics, Report

LayerMetrics = dict[str, float | int | None]
"""Numbers by name; None is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerAnalysis:
    """A layer, by its module of the source model or the name of its operator.

    ``layer_type`` is the class of the module where the source is known, else the operator.

    ``statistics_of`` is what ``metrics`` and ``importance_matrix`` are of: ``importance``, or ``weights`` where
    importance is not known, and then ``reason`` says why.
    """

    name: str
    layer_type: str
    metrics: Mapping[str, float | int | None]
    statistics_of: str
    reason: str
    report: Layer = field(repr=False)
    _place: tuple[ModelGraph, OpNode] = field(repr=False)
    _side: str = field(repr=False, default="input")

    @property
    def weights(self) -> NDArray[Any]:
        """The largest weight as the operator multiplies with it, read from the model each time."""
        return _main(*self._place).constant.array()

    @property
    def importance_matrix(self) -> NDArray[np.float64]:
        """|w| mean|a| of each number in ``weights``, in its shape; |w| where ``statistics_of`` is ``weights``.

        NaN where a channel has shown nothing but NaN and infinities.
        """
        magnitude: NDArray[np.float64] = np.abs(self.weights.astype(np.float64))
        if self.statistics_of == "weights":
            return magnitude
        weighed: NDArray[np.float64] = magnitude * _spread(*self._place, self._side)
        return weighed


def layer_analysis(graph: ModelGraph, report: Report, layer: Layer, name: str, side: str) -> LayerAnalysis:
    """A layer of the report with what it was read from."""
    of_importance = report.totals.statistics_of == "importance" and layer.metrics is not None
    return LayerAnalysis(
        name=name,
        layer_type=_class(graph, layer) or layer.op_type,
        metrics=_metrics(layer, layer.metrics if of_importance else layer.weight_metrics),
        statistics_of="importance" if of_importance else "weights",
        reason="" if of_importance else layer.metrics_reason or "no real data were run",
        report=layer,
        _place=(graph, graph.node(layer.id)),
        _side=side,
    )


def _class(graph: ModelGraph, layer: Layer) -> str:
    modules = graph.source.modules if graph.source else ()
    return next((module.class_name for module in modules if module.name == layer.scope), "")


def _metrics(layer: Layer, found: Metrics | None) -> LayerMetrics:
    reach, sparsity = _each(found.reach if found else None), _each(found.sparsity if found else None)
    return {
        "total_params": layer.parameters,
        "entropy": found.entropy if found else None,
        "normalized_entropy": found.normalized_entropy if found else None,
        "effective_params": found.effective_weights if found else None,
        "utilization_ratio": found.utilization if found else None,
        "redundancy_score": found.redundancy if found else None,
        "gini_coefficient": found.gini if found else None,
        "sparsity_1e-2": sparsity.get("1e-2"),
        "sparsity_1e-3": sparsity.get("1e-3"),
        "top10_coverage": reach.get("50"),
        "top20_coverage": reach.get("80"),
        "top50_coverage": reach.get("90"),
        "mean_importance": found.mean if found else None,
        "std_importance": found.std if found else None,
        "max_importance": found.max if found else None,
        "inference_flops": layer.flops,
        "training_flops": layer.training_flops,
    }


def _each(shares: Mapping[str, float] | None) -> Mapping[str, float]:
    return shares or {}


def _main(graph: ModelGraph, node: OpNode) -> Weight:
    weights = [weight for weight in graph[node, WEIGHTS] if weight.role in PARAMETER_ROLES]
    return max(weights, key=lambda weight: (weight.role is Role.WEIGHT, weight.constant.size))


def _spread(graph: ModelGraph, node: OpNode, side: str) -> NDArray[Any]:
    """The mean |a| that each number of the main weight meets; NaN where it meets none that was seen."""
    main, weights = _main(graph, node), graph[node, WEIGHTS]
    for meeting in meetings(graph, graph[SHAPES], node, weights, side):
        if isinstance(meeting, str) or meeting.constant is not main.constant:
            continue
        means = mean_activations(meeting, graph[ACTIVATIONS])
        if not isinstance(means, str):
            return meeting.layout.spread(main.constant.shape, means)
    return np.full((1,) * len(main.constant.shape), np.nan)
