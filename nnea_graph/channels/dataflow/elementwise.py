"""Operators that take each channel by itself, and those that bring it to another place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nnea_graph.channels.dataflow.context import DataflowContext, Rule, carried
from nnea_graph.channels.dataflow.lattice import (
    EPSILON,
    Bools,
    ChannelValues,
    Floats,
    boundless,
    labels,
    unknown,
)
from nnea_graph.channels.dataflow.proportional_rows import proportional
from nnea_graph.channels.graph import Carry
from nnea_graph.graph import OpNode
from nnea_graph.static.constant_folding import evaluate


def _clip01(x: Floats, node: OpNode) -> Floats:
    slope, shift = float(node.attributes.get("alpha", 0.2)), float(node.attributes.get("beta", 0.5))
    return np.clip(slope * x + shift, 0, 1)


def _leaky(x: Floats, node: OpNode) -> Floats:
    return np.where(x < 0, float(node.attributes.get("alpha", 0.01)) * x, x)


def _elu(x: Floats, node: OpNode) -> Floats:
    return np.where(x < 0, float(node.attributes.get("alpha", 1.0)) * np.expm1(np.minimum(x, 0)), x)


def _sigmoid(x: Floats, _node: OpNode) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def _same(x: Floats, _node: OpNode) -> Floats:
    return x


_RISING: dict[str, Callable[[Floats, OpNode], Floats]] = {
    "Dropout": _same,
    "Elu": _elu,
    "HardSigmoid": _clip01,
    "Identity": _same,
    "LeakyRelu": _leaky,
    "Relu": lambda x, _node: np.maximum(x, 0),
    "Sigmoid": _sigmoid,
    "Softplus": lambda x, _node: np.logaddexp(0, x),
    "Tanh": lambda x, _node: np.tanh(x),
}
"""Functions that never fall (with slopes that are not negative), of which bounds are known."""

_HOMOGENEOUS = frozenset({"Abs", "LeakyRelu", "Relu"})
"""Functions of which a positive multiple comes out where one goes in."""

_OTHER = frozenset(
    {"Abs", "Cast", "Ceil", "Celu", "Cos", "Erf", "Exp", "Floor", "Gelu", "HardSwish", "Log", "Mish", "Neg"}
    | {"Reciprocal", "Round", "Selu", "Sign", "Sin", "Softsign", "Sqrt", "Swish", "ThresholdedRelu"}
)
"""Functions of one number: what is constant stays so."""
_NOT_ZERO_AT_ZERO = frozenset({"Cos", "Exp", "Log", "Reciprocal"})
"""Of these, functions that do not give 0 where they are given 0."""


def _rising(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    x = carried(scene, node, name)
    if (
        x is None
        or float(node.attributes.get("alpha", 1.0)) < 0
        or len(node.inputs) > 1 + (node.op_type == "Dropout")
    ):
        return None
    made = _RISING[node.op_type]
    x = x if made is _same else x.signed() if node.op_type in _HOMOGENEOUS else x.settled()
    return replace(x, low=made(x.low, node), high=made(x.high, node), constant=_settled(x, made, node))


def _settled(x: ChannelValues, made: Callable[[Floats, OpNode], Floats], node: OpNode) -> Bools:
    """Constant before, or squeezed to one number: what is never positive is 0 behind a Relu."""
    low, high = made(x.low, node), made(x.high, node)
    return np.asarray(x.constant | ((low == high) & (node.op_type == "Relu")))


def _other(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    x = carried(scene, node, name)
    if x is None:
        return None
    zero = x.known & (x.low == 0) & (node.op_type not in _NOT_ZERO_AT_ZERO)
    if node.op_type != "Neg":
        x = x.signed() if node.op_type in _HOMOGENEOUS else x.settled()
    return replace(x, low=np.where(zero, 0.0, -np.inf), high=np.where(zero, 0.0, np.inf))


def _clip(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    x = carried(scene, node, name)
    if x is None:
        return None
    x = x.settled()
    limits = []
    for place, key, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        given = node.inputs[place] if place < len(node.inputs) else ""
        if given and given not in scene.found.constant:
            return boundless(replace(x, constant=np.zeros_like(x.constant)))
        value = evaluate(scene.graph, scene.found, given) if given else node.attributes.get(key, default)
        limits.append(float(np.asarray(value).reshape(-1)[0]))
    low, high = (np.clip(bound, limits[0], limits[1]) for bound in (x.low, x.high))
    return replace(x, low=low, high=high, constant=x.constant | (low == high))


# Windows and normalizations


def _window(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    """The largest or the mean of places of one channel; zeros at the edge may be among them."""
    x = carried(scene, node, name)
    if x is None:
        return None
    x = x.signed()
    if not node.attributes.get("count_include_pad", 0):
        return x
    low, high = np.minimum(x.low, 0), np.maximum(x.high, 0)
    return replace(x, low=low, high=high, constant=x.constant & (low == high))


def _resized(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    """Means of neighboring places; cubic ones go beyond their numbers, crops are filled with another one."""
    x = carried(scene, node, name)
    if x is None or _word(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize":
        return None
    if _word(node, "mode", "nearest") in {"nearest", "linear"}:
        return x
    return boundless(replace(x, constant=np.zeros_like(x.constant)))


def _padded(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    """Bounds with zeros at the edges, or with numbers of the channel itself."""
    x = carried(scene, node, name)
    if x is None or _word(node, "mode", "constant") != "constant":
        return x
    given = node.inputs[2] if len(node.inputs) > 2 else ""
    if given and given not in scene.found.constant:
        return None
    filled = evaluate(scene.graph, scene.found, given) if given else node.attributes.get("value", 0.0)
    if np.asarray(filled).any():
        return None
    low, high = np.minimum(x.low, 0), np.maximum(x.high, 0)
    return replace(x, low=low, high=high, constant=x.constant & (low == high))


def _word(node: OpNode, name: str, default: str) -> str:
    found = node.attributes.get(name, default)
    return found.decode() if isinstance(found, bytes) else str(found)


def _batch_norm(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    x = carried(scene, node, name)
    if x is None or node.attributes.get("training_mode", 0):
        return None  # statistics of the batch
    if any(each not in scene.found.constant for each in node.inputs[1:5]):
        return None
    gamma, beta, mean, variance = (
        evaluate(scene.graph, scene.found, each).astype(np.float64) for each in node.inputs[1:5]
    )
    if gamma.size != x.label.size:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = gamma / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    return _affine(x, scale, beta - mean * scale)


def _affine(x: ChannelValues, scale: Floats, shift: Floats) -> ChannelValues:
    """Each channel times a number plus a number."""
    flat = scale == 0
    with np.errstate(invalid="ignore"):
        ends = np.stack([scale * x.low + shift, scale * x.high + shift])
        least, most = ends.min(0), ends.max(0)
        wide = np.where(x.low == x.high, 0, EPSILON) * np.maximum(np.abs(least), np.abs(most))
    unclear = np.isnan(least) | np.isnan(most)
    low = np.where(flat, shift, np.where(unclear, -np.inf, least - np.where(np.isfinite(wide), wide, 0)))
    high = np.where(flat, shift, np.where(unclear, np.inf, most + np.where(np.isfinite(wide), wide, 0)))
    label, factor = proportional(np.where(flat, -1, x.label), np.stack([scale * x.factor, shift], 1))
    return ChannelValues(label, factor, low, high, x.constant | flat)


# Movement


def _moved(scene: DataflowContext, _node: OpNode, name: str) -> ChannelValues | None:
    """Each channel from its place in one of the tensors that are put together."""
    count = scene.channels.tensors[name].count
    result, part = unknown(count), np.full(count, -1)
    for number, link in enumerate(scene.channels.into[name]):
        if not isinstance(link.edges, Carry):
            return None
        taken = scene.values[link.source].take(link.edges.places)
        mine = link.edges.places >= 0
        part[mine] = number
        result = ChannelValues(
            *(np.where(mine, getattr(taken, key), getattr(result, key)) for key in ChannelValues.__slots__)
        )
    return replace(result, label=labels(result.label, part))


MOVING = frozenset(
    {"Concat", "Flatten", "Gather", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators that only bring channels to another place."""
WINDOWS = frozenset(
    {"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "ReduceMax", "ReduceMean", "ReduceMin"}
)
"""Operators that take the places of each channel together."""
_NEIGHBORS: dict[str, Rule] = {"Pad": _padded, "Resize": _resized, "Upsample": _resized}
SINGLE = frozenset(
    {*_RISING, *_OTHER, *WINDOWS, *_NEIGHBORS, "BatchNormalization", "Clip", "InstanceNormalization"}
)
"""Operators of one tensor, channel by channel."""

POINTWISE: dict[str, Rule] = {
    **dict.fromkeys(_RISING, _rising),
    **dict.fromkeys(_OTHER, _other),
    **dict.fromkeys(MOVING, _moved),
    **dict.fromkeys(WINDOWS, _window),
    **_NEIGHBORS,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
}
