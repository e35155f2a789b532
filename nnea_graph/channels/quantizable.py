"""Weights of an operator that a quantizer would store in few bits, and which axis is that of their channels."""

from __future__ import annotations

from collections.abc import Sequence

from nnea_graph.channels.weight_inputs import WeightConstant
from nnea_graph.graph import Constant, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.ops.weight_layout import Layout, layouts
from nnea_graph.static.constant_folding import UnpackedPayload
from nnea_graph.static.result import StaticFacts, call_of
from nnea_graph.stats.quantizable import Matrix, QuantizableWeights


def roundable(
    found: StaticFacts, node: OpNode, weights: Sequence[WeightConstant], macs: int | None
) -> QuantizableWeights | str:
    """The weights of matrix work and of tables, or why there is nothing to round."""
    mine = [weight for weight in weights if weight.role is Role.WEIGHT]
    if not mine:
        return "it has no weights but scales and biases" if weights else "no weights"
    known = {layout.weight: layout for layout in layouts(call_of(node, found))}
    parts: list[Matrix] = []
    for weight in mine:
        reason = _refusal(weight.constant)
        if reason:
            return f"{node.op_type} {reason}"
        place = next(
            at for at, name in enumerate(node.inputs) if name == weight.tensor and at not in _taken(parts)
        )
        layout = known.get(place)
        if layout is None or not (macs or layout.rows):
            return f"the weights of {node.op_type} are no matrix or table that quantizers take"
        parts.append(Matrix((node.id, place), weight.constant, _channel_axis(layout, weight.constant)))
    return QuantizableWeights(node.id, tuple(parts))


def _taken(parts: Sequence[Matrix]) -> set[int]:
    return {part.slot[1] for part in parts}


def _refusal(constant: Constant) -> str:
    if not constant.size:
        return "has a weight without elements"
    if isinstance(constant.payload, UnpackedPayload):
        return "unpacks its weights by itself: they are stored in few bits already"
    if constant.dtype.kind != "float" or constant.dtype.bits < 16:
        return f"has weights of type {constant.dtype.name} already"
    return ""


def _channel_axis(layout: Layout, constant: Constant) -> int | None:
    axis = layout.in_axis if layout.rows else layout.out_axis
    return None if axis is None else axis % len(constant.shape)
