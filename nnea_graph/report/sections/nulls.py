"""Nulls of layers, and of all of them together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.schema.nulls import LayerImportanceNull, LayerWeightNull, ModelNull

if TYPE_CHECKING:
    from nnea_graph.stats.null_models import ImportanceNull, WeightNull


def layer_weight_null(found: WeightNull | None) -> LayerWeightNull | None:
    """Null of a layer's weights as the report has it."""
    if found is None:
        return None
    return LayerWeightNull(
        half_normal=found.half_normal,
        uniform=found.uniform,
        laplace=found.laplace,
        nearest=found.nearest,
        gini=found.gini,
        standard_error=found.standard_error,
        deviation=found.deviation,
    )


def layer_importance_null(found: ImportanceNull | None) -> LayerImportanceNull | None:
    """Null of a layer's importance as the report has it."""
    if found is None:
        return None
    return LayerImportanceNull(
        shuffled_activations=found.shuffled_activations,
        shuffled_weights=found.shuffled_weights,
        standard_error=found.standard_error,
        deviation=found.deviation,
        draws=found.draws,
    )


def model_weight_null(layers: Sequence[Layer]) -> ModelNull | None:
    """The null of |w| over layers with a tensor of their own."""
    return _together(list(_weights(layers)))


def model_importance_null(layers: Sequence[Layer]) -> ModelNull | None:
    """The null of importance, activations shuffled, over layers with a tensor of their own."""
    return _together(list(_importance(layers)))


def null_utilization(layer: Layer, *, of_importance: bool) -> float | None:
    """Utilization without training: the lowest of the families for |w|, the lower permutation for importance."""
    if of_importance:
        found = layer.importance_null
        return min(found.shuffled_activations, found.shuffled_weights) if found else None
    null = layer.weight_null
    return min(null.half_normal, null.uniform, null.laplace) if null else None


Part = tuple[int, float, float, float]
"""Weights, measured utilization, its null, the null's standard error."""


def _weights(layers: Sequence[Layer]) -> Iterator[Part]:
    for layer in layers:
        metrics, null = layer.weight_metrics, layer.weight_null
        if null and metrics and metrics.utilization is not None and layer.tied_to is None:
            yield metrics.count, metrics.utilization, float(getattr(null, null.nearest)), null.standard_error


def _importance(layers: Sequence[Layer]) -> Iterator[Part]:
    for layer in layers:
        metrics, null = layer.metrics, layer.importance_null
        if null and metrics and metrics.utilization is not None and layer.tied_to is None:
            yield metrics.count, metrics.utilization, null.shuffled_activations, null.standard_error


def _together(parts: Sequence[Part]) -> ModelNull | None:
    count = sum(part[0] for part in parts)
    if not count:
        return None
    measured = sum(number * value for number, value, _, _ in parts) / count
    null = sum(number * value for number, _, value, _ in parts) / count
    error = math.sqrt(sum((number * value) ** 2 for number, _, _, value in parts)) / count
    return ModelNull(null, measured, error, (measured - null) / error if error else None, len(parts))
