"""Sensitivity in the report: what was measured, what may go, and whether static statistics agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nnea_graph.graph import ModelGraph
from nnea_graph.passes.sensitivity import MODEL_SENSITIVITY, SENSITIVITY, AblationPoint
from nnea_graph.report.facts import fact, measurement, node_fact
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.schema.sensitivity import (
    LayerSensitivity,
    ModelSensitivity,
    SensitivityPoint,
    StaticAgreement,
)
from nnea_graph.stats.ranking import rank_correlation

FEWEST_LAYERS = 4
HOLDS = 0.5
"""Spearman correlation from which a statistic is said to hold; as far below 0 it contradicts."""

_HALF = 0.5


def with_sensitivity(graph: ModelGraph, layers: Sequence[Layer]) -> list[Layer]:
    """The layers with what was measured of them, ranked by what half of their weights changes."""
    model = fact(graph, MODEL_SENSITIVITY)
    if model is None:
        return list(layers)
    found = [_layer(graph, layer, model.limit) for layer in layers]
    changes = sorted((each.half_change for each in found if each.half_change is not None), reverse=True)
    ranked = [
        each if each.half_change is None else replace(each, rank=changes.index(each.half_change) + 1)
        for each in found
    ]
    return [replace(layer, sensitivity=each) for layer, each in zip(layers, ranked, strict=True)]


def _layer(graph: ModelGraph, layer: Layer, limit: float) -> LayerSensitivity:
    found = node_fact(graph, graph.node(layer.id), SENSITIVITY)
    points = found.points if found else ()
    half = next((point for point in points if _key(point) == ("weights", "importance", _HALF)), None)
    return LayerSensitivity(
        rank=None,
        half_change=half.change.relative_l2 if half else None,
        removable_weights=harmless(points, "weights", limit),
        removable_channels=harmless(points, "channels", limit),
        points=_described(points),
        reason=found.reason if found else "",
        no_channels=found.no_channels if found else "",
    )


def model_sensitivity(graph: ModelGraph, layers: Sequence[Layer]) -> ModelSensitivity | None:
    """Sensitivity of all layers at once; None where the pass did not run. ``layers`` have theirs."""
    found = fact(graph, MODEL_SENSITIVITY)
    if found is None:
        return None
    return ModelSensitivity(
        **measurement(found),
        removable_weights=harmless(found.points, "weights", found.limit),
        removable_channels=harmless(found.points, "channels", found.limit),
        points=_described(found.points),
        static=[
            _agreement(layers, statistic, of)
            for of in ("importance", "weights")
            for statistic in ("redundancy", "utilization")
        ],
        not_run=found.not_run,
    )


def harmless(points: Sequence[AblationPoint], unit: str, limit: float) -> float | None:
    """The largest share by importance up to which every measured loss is below the limit.

    0 where even the smallest share costs more, None where that was not measured.
    """
    mine = [point for point in points if _key(point)[:2] == (unit, "importance")]
    if not mine:
        return None
    largest = 0.0
    for point in sorted(mine, key=lambda point: point.cut.fraction):
        if point.loss is None or point.loss >= limit:
            smallest = min(each.cut.fraction for each in mine)
            return largest if largest or smallest == _SMALLEST else None
        largest = point.cut.fraction
    return largest


_SMALLEST = 0.1


def _key(point: AblationPoint) -> tuple[str, str, float]:
    return point.cut.unit, point.cut.criterion, point.cut.fraction


def _described(points: Sequence[AblationPoint]) -> list[SensitivityPoint]:
    return [
        SensitivityPoint(
            unit=point.cut.unit,
            criterion=point.cut.criterion,
            fraction=point.cut.fraction,
            removed=point.removed,
            relative_l2=point.change.relative_l2,
            sqnr_db=point.change.sqnr_db,
            agreement=point.change.agreement,
            accuracy=point.change.accuracy,
            loss=point.loss,
            reason=point.change.reason,
        )
        for point in points
    ]


def _agreement(layers: Sequence[Layer], statistic: str, of: str) -> StaticAgreement:
    """Redundancy should go with little change, utilization with much."""
    pairs = []
    for layer in layers:
        metrics = layer.metrics if of == "importance" else layer.weight_metrics
        value = getattr(metrics, statistic, None)
        change = layer.sensitivity.half_change if layer.sensitivity else None
        if value is not None and change is not None:
            pairs.append((value if statistic == "redundancy" else -value, -change))
    if len(pairs) < FEWEST_LAYERS:
        return StaticAgreement(statistic, of, len(pairs), None, "too few layers")
    correlation = rank_correlation([value for value, _ in pairs], [change for _, change in pairs])
    return StaticAgreement(statistic, of, len(pairs), correlation, _verdict(correlation))


def _verdict(correlation: float | None) -> str:
    if correlation is None:
        return "all layers are alike"
    if correlation >= HOLDS:
        return "holds"
    return "says nothing" if correlation > -HOLDS else "contradicts"
