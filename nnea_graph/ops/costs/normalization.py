"""Normalizations, by the operations of their formula: (x - mean) / sqrt(variance + eps) · scale + bias."""

from __future__ import annotations

from math import prod

from nnea_graph.ops.attribute_checks import need, number, numbers, parts, shaped, whole, word
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, work
from nnea_graph.ops.costs.elementwise import SILU, activation_flops
from nnea_graph.ops.costs.pooling import REQUANTIZE
from nnea_graph.ops.registry import MICROSOFT


def normalized(
    elements: int, groups: int, *, centered: bool = True, scaled: bool = True, shifted: bool = True
) -> OperatorCost:
    """Groups of elements normalized by their own mean (where centered) and variance.

    An element: add to the mean and subtract it (where centered); square, add to the variance, divide;
    scale; shift. A group: divide by its size for each moment, add epsilon, take the root.
    """
    each = 2 * centered + 3 + scaled + shifted
    return OperatorCost(other_flops=each * elements + (3 + centered) * groups)


def _lines(call: OpCall, axis: int) -> int:
    """Groups when every axis from this one on belongs to a group."""
    shape = call.shape(0)
    need(-len(shape) <= axis <= len(shape), f"attribute axis is {axis}, the rank {len(shape)}")
    return prod(shape[:axis])


def _axis(call: OpCall) -> int:
    found = call.attr("axis", -1)
    need(isinstance(found, int), f"attribute axis is {found!r:.60}, not an integer")
    return int(found)


@work("LayerNormalization")
def layer_norm(call: OpCall) -> OperatorCost:
    """Normalizes over the axes from ``axis`` on."""
    return normalized(call.size(0), _lines(call, _axis(call)), scaled=call.has(1), shifted=call.has(2))


@work("QOrderedLayerNormalization", domain=MICROSOFT)
def qordered_layer_norm(call: OpCall) -> OperatorCost:
    """A layer normalization of quantized numbers, quantized again."""
    counted = normalized(call.size(0), _lines(call, _axis(call)), shifted=call.has(3))
    return counted + OperatorCost(other_flops=(1 + REQUANTIZE) * call.size(0))


@work("RMSNormalization", "SimplifiedLayerNormalization")
@work("SimplifiedLayerNormalization", domain=MICROSOFT)
def rms_norm(call: OpCall) -> OperatorCost:
    """Normalizes by the root of the mean square over the axes from ``axis`` on; no mean is subtracted."""
    return normalized(call.size(0), _lines(call, _axis(call)), centered=False, shifted=False)


@work("SkipLayerNormalization", domain=MICROSOFT)
def skip_layer_norm(call: OpCall) -> OperatorCost:
    """The sum with the skipped tensor (and a bias) over the last axis."""
    added = OperatorCost(other_flops=(1 + call.has(4)) * call.size(0))
    return added + normalized(call.size(0), _lines(call, -1), shifted=call.has(3))


@work("SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_rms_norm(call: OpCall) -> OperatorCost:
    """Same as ``SkipLayerNormalization`` without subtracting the mean."""
    added = OperatorCost(other_flops=(1 + call.has(3)) * call.size(0))
    return added + normalized(call.size(0), _lines(call, -1), centered=False, shifted=False)


@work("EmbedLayerNormalization", "QEmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_norm(call: OpCall) -> OperatorCost:
    """The sum of two or three embeddings over the last axis; quantized tables are scaled first."""
    out = call.out()
    elements, tables = call.out_size(), 2 + call.has(1)
    unpacked = 2 * tables if call.op_type.startswith("Q") else 0
    added = OperatorCost(other_flops=(tables - 1 + unpacked) * elements)
    return added + normalized(elements, prod(out[:-1]))


@work("InstanceNormalization")
def instance_norm(call: OpCall) -> OperatorCost:
    """Every channel of every sample by itself."""
    return normalized(call.size(0), prod(call.shape(0)[:2]))


@work("GroupNormalization")
def group_norm(call: OpCall) -> OperatorCost:
    """Groups of channels of every sample."""
    shape = call.shape(0)
    need(len(shape) >= 2, f"input 0 has rank {len(shape)}, it has no channels")
    groups = whole(call, "num_groups", least=1)
    parts(shape[1], groups, "channels")
    return normalized(call.size(0), shape[0] * groups)


@work("GroupNorm", "SkipGroupNorm", domain=MICROSOFT)
def fused_group_norm(call: OpCall) -> OperatorCost:
    """Groups of channels, the skipped tensor and bias added before, SiLU after where ``activation`` is 1."""
    shape, groups = shaped(call, 0, 4), whole(call, "groups", least=1)
    parts(shape[-1] if whole(call, "channels_last", 1) else shape[1], groups, "channels")
    added = call.has(3) + call.has(4)
    around = added + SILU * (whole(call, "activation", 0) == 1)
    return normalized(call.size(0), shape[0] * groups) + OperatorCost(other_flops=around * call.size(0))


@work("BatchNormalization")
def batch_norm(call: OpCall) -> OperatorCost:
    """Takes, with stored moments, 4 operations an element, 2 a channel; in training the moments are computed too."""
    shape, elements = call.shape(0), call.size(0)
    channels = shape[1] if len(shape) > 1 else 1
    if whole(call, "training_mode", 0):
        return normalized(elements, channels) + OperatorCost(other_flops=6 * channels)
    return OperatorCost(other_flops=4 * elements + 2 * channels)


@work("MeanVarianceNormalization")
def mvn(call: OpCall) -> OperatorCost:
    """Normalizes over ``axes``, without scale and bias."""
    shape = call.shape(0)
    axes = {_position(axis, len(shape)) for axis in numbers(call, "axes") or (0, 2, 3)}
    groups = prod(dim for axis, dim in enumerate(shape) if axis not in axes)
    return normalized(call.size(0), groups, scaled=False, shifted=False)


def _position(axis: object, rank: int) -> int:
    if not isinstance(axis, int) or not -rank <= axis < rank:
        need(None, f"axis {axis!r:.60} is outside the rank {rank}")
        return 0
    return axis % rank


@work("LpNormalization")
def lp_norm(call: OpCall) -> OperatorCost:
    """|x|ᵖ, its sum and a divide an element; a root a line where p is 2."""
    shape = call.shape(0)
    lines = call.size(0) // max(shape[_position(_axis(call), len(shape))], 1)
    return OperatorCost(other_flops=3 * call.size(0) + (number(call, "p", 2) != 1) * lines)


@work("LRN")
def lrn(call: OpCall) -> OperatorCost:
    """A square, the sum over ``size`` channels, then multiply, add, power, divide."""
    return OperatorCost(other_flops=(whole(call, "size", least=1) + 4) * call.size(0))


@work("BranchwiseRMSNorm", domain=MICROSOFT)
def branchwise_rms_norm(call: OpCall) -> OperatorCost:
    """Every branch of the last axis by itself."""
    shape, branches = shaped(call, 0, 1, 64), whole(call, "num_branches", 0)
    groups = prod(shape[:-1]) * max(branches, 1)
    return normalized(call.size(0), groups, centered=False, scaled=call.has(1), shifted=False)


@work("GatedRMSNorm", domain=MICROSOFT)
def gated_rms_norm(call: OpCall) -> OperatorCost:
    """Groups as long as the scale, times the activated gate."""
    groups = parts(call.size(0), max(call.size(1), 1), "elements")
    after = 1 + activation_flops(word(call, "activation", "silu"))
    counted = normalized(call.size(0), groups, centered=False, shifted=False)
    return counted + OperatorCost(other_flops=after * call.size(0))
