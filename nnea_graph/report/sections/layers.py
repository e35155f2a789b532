"""Layers: operators with weights, each with the bias that an exporter may have written as an Add of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.input_roles import PARAMETER_ROLES, Role
from nnea_graph.passes.constants import WEIGHTS, Weight
from nnea_graph.passes.importance import IMPORTANCE, ChannelFacts, Importance
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.passes.weight_statistics import WEIGHT_STATISTICS
from nnea_graph.report.facts import cost_of, count, fact, node_fact
from nnea_graph.report.schema import analysis as schema
from nnea_graph.report.sections.nulls import layer_importance_null, layer_weight_null
from nnea_graph.static.fused_bias import biased_operator

if TYPE_CHECKING:
    from nnea_graph.stats.metrics import DistributionMetrics

_FEWEST_RANKED = 3
"""Channels below which an order says nothing."""


def layers_of(graph: ModelGraph) -> list[schema.Layer]:
    """The layers in execution order."""
    members = _members(graph)
    return [_layer(graph, members[node.id]) for node in graph if node.id in members]


def _members(graph: ModelGraph) -> dict[str, list[OpNode]]:
    """The operators of each layer: the one that it is named after, and its bias."""
    members: dict[str, list[OpNode]] = {}
    found = fact(graph, SHAPES)
    for node in graph:
        if not _parameters(graph, node):
            continue
        owner = biased_operator(graph, found, node) if found else None
        if owner is not None and owner.id in members:
            members[owner.id].append(node)
        else:
            members[node.id] = [node]
    return members


def _parameters(graph: ModelGraph, node: OpNode) -> list[Weight]:
    weights = node_fact(graph, node, WEIGHTS) or ()
    return [weight for weight in weights if weight.role in PARAMETER_ROLES]


def _layer(graph: ModelGraph, members: Sequence[OpNode]) -> schema.Layer:
    node = members[0]
    weights = [weight for member in members for weight in _parameters(graph, member)]
    main = max(weights, key=lambda weight: (weight.role is Role.WEIGHT, weight.constant.size))
    costs = [cost_of(graph, member) for member in members]
    statistics = node_fact(graph, node, WEIGHT_STATISTICS)
    cost = costs[0]
    return schema.Layer(
        id=node.id,
        scope=node.scope,
        op_type=node.op_type,
        parameters=sum(weight.parameters for weight in weights),
        tied_to=main.tied_to or None,
        weight_shape=list(main.constant.shape),
        weight_dtype=_stored_dtype(graph, main),
        macs=_sum([count(each, "macs") for each in costs]),
        flops=_sum([count(each, "flops") for each in costs]),
        other_flops=_sum([count(each, "other_flops") for each in costs]),
        training_flops=_sum([each.training_flops if each else None for each in costs]),
        status=cost.work.status if cost else None,
        reason=cost.work.reason if cost and cost.work.status != "exact" else "",
        weight_metrics=_metrics(statistics.metrics) if statistics else None,
        weight_null=layer_weight_null(statistics.null) if statistics else None,
        **_importance(graph, node, main),
    )


def _importance(graph: ModelGraph, node: OpNode, main: Weight) -> dict[str, Any]:
    """The fields of a layer that need activations."""
    found = node_fact(graph, node, IMPORTANCE)
    cost = cost_of(graph, node)
    if found is None or found.metrics is None or found.channels is None:
        empty = dict.fromkeys(
            ("metrics", "importance", "importance_per_mmac", "importance_per_kib", "channels")
        )
        return {**empty, "metrics_reason": found.reason if found else "not computed (pass importance)"}
    total = found.total or 0.0
    macs = count(cost, "macs")
    stored = _stored_bytes(graph, main)
    return {
        "metrics": _metrics(found.metrics),
        "metrics_reason": "",
        "importance": total,
        "importance_per_mmac": total / (macs / 1e6) if macs else None,
        "importance_per_kib": total / (stored / 1024) if stored else None,
        "channels": _channels(found, found.channels, stored),
        "importance_null": layer_importance_null(found.null),
    }


def _channels(importance: Importance, found: ChannelFacts, stored: int) -> schema.Channels:
    return schema.Channels(
        dead_inputs=found.dead_inputs,
        stranded_weight=found.stranded,
        outputs=found.output_channels,
        dead_outputs=found.dead_outputs,
        constant_outputs=found.constant_outputs,
        dead_output_bytes=_part(found.dead_outputs, found.output_channels, stored),
        constant_output_bytes=_part(found.constant_outputs, found.output_channels, stored),
        rank_agreement=_agreement(importance, found),
        input_importance=None if found.inputs is None else found.inputs.tolist(),
        output_importance=None if found.outputs is None else found.outputs.tolist(),
    )


def _agreement(importance: Importance, found: ChannelFacts) -> float | None:
    """Tells whether input channels rank alike by sum |w| and by importance."""
    if found.inputs is None or not importance.sums:
        return None
    weights = importance.sums[0].s
    if len(weights) != len(found.inputs) or len(weights) < _FEWEST_RANKED:
        return None
    from nnea_graph.stats.ranking import rank_correlation  # noqa: PLC0415 - start-up

    return rank_correlation(weights.tolist(), found.inputs.tolist())


def _part(channels: int | None, of: int | None, stored: int) -> int | None:
    """Bytes of a weight that belong to so many of its output channels."""
    if channels is None or not of:
        return None
    return round(channels / of * stored)


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [each for each in counts if each is not None]
    return sum(known) if len(known) == len(counts) else None


def _stored_dtype(graph: ModelGraph, weight: Weight) -> str:
    stored = graph.constants.get(weight.source)
    return (stored or weight.constant).dtype.name


def _stored_bytes(graph: ModelGraph, weight: Weight) -> int:
    """Bytes that a weight takes in the file, however the operator sees it."""
    stored = graph.constants.get(weight.source)
    return stored.stored_bytes if stored else weight.constant.dtype.nbytes(weight.constant.size)


def _metrics(found: DistributionMetrics | None) -> schema.Metrics | None:
    if found is None:
        return None
    return schema.Metrics(**{field.name: getattr(found, field.name) for field in fields(schema.Metrics)})
