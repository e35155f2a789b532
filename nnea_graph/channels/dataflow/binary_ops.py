"""Operators that put several operands together, channel by channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from nnea_graph.channels.dataflow.context import DataflowContext
from nnea_graph.channels.dataflow.lattice import EPSILON, MOST, ChannelValues, Floats, boundless, labels
from nnea_graph.channels.dataflow.proportional_rows import proportional
from nnea_graph.channels.graph import Places
from nnea_graph.graph import OpNode
from nnea_graph.static.constant_folding import evaluate


def _operand(scene: DataflowContext, tensor: str, name: str) -> ChannelValues | None:
    """Contribution of an operand to each channel of a tensor; None where that is not known."""
    target, info = scene.channels.tensors[name], scene.found.types.get(tensor)
    out = scene.found.types.get(name)
    if info is None or info.shape is None or out is None or out.shape is None:
        return None
    shift = len(out.shape) - len(info.shape)
    if tensor in scene.found.constant:
        return _fixed(scene, tensor, target.axes, target.dims, shift)
    seen = scene.channels.tensors.get(tensor)
    if seen is None or tensor not in scene.values:
        return None
    if seen.count == target.count and tuple(axis + shift for axis in seen.real) == target.real:
        return scene.values[tensor]
    return None


def _fixed(
    scene: DataflowContext, tensor: str, axes: tuple[int, ...], dims: tuple[int, ...], shift: int
) -> ChannelValues | None:
    """A constant operand: all that it adds to or multiplies a channel with."""
    static = scene.found.types[tensor].static
    if static is None or not 0 < prod(static) <= MOST:
        return None
    values = evaluate(scene.graph, scene.found, tensor)
    if values.dtype.kind != "f":
        return None
    shape = (*(1,) * shift, *values.shape)
    if max(axes, default=-1) >= len(shape):
        return None
    moved = np.moveaxis(values.reshape(shape), axes, range(len(axes)))
    spread = np.broadcast_to(moved, (*dims, *moved.shape[len(axes) :]))
    rows = np.ascontiguousarray(spread, np.float64).reshape(int(np.prod(dims)), -1)
    low, high = rows.min(1), rows.max(1)
    flat = low == high
    label = np.asarray(np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1), np.int64)
    single = flat & np.isfinite(low)  # all multiples of 1
    return ChannelValues(np.where(single, -1, label), np.where(single, low, 1.0), low, high, flat)


def joined(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    """Equal where all operands are; bounds of the arithmetic of two."""
    operands = [_operand(scene, tensor, name) for tensor in node.inputs]
    known = [each for each in operands if each is not None]
    if len(known) < len(operands) or not known:
        return None
    first, constant = known[0], np.logical_and.reduce([each.constant for each in known])
    label, factor = _proportion(node.op_type, known)
    result = replace(first, label=label, factor=factor, constant=constant)
    if len(known) == 2 and node.op_type in _ARITHMETIC:
        low, high = _ARITHMETIC[node.op_type](known[0], known[1])
        zero = (low == 0) & (high == 0) & (node.op_type == "Mul")
        return replace(result, low=low, high=high, constant=constant | zero)
    return boundless(result)


def _proportion(op_type: str, known: Sequence[ChannelValues]) -> tuple[Places, Floats]:
    """Labels and factors of what an operator makes of its operands."""
    label = labels(*(each.label for each in known))
    if op_type in _SUMS:
        return proportional(label, np.stack([each.factor for each in known], 1))
    if op_type in {"Mul", "Div"} and len(known) == 2:
        factor = known[0].factor * known[1].factor if op_type == "Mul" else known[0].factor / known[1].factor
        plain = np.isfinite(factor) & (factor != 0)
        alone = np.where(plain, -1, np.arange(factor.size))
        return labels(label, alone), np.where(plain, factor, 1.0)
    return labels(*(each.equal for each in known)), np.ones(label.size)


def _add(a: ChannelValues, b: ChannelValues) -> tuple[Floats, Floats]:
    return _near(a.low + b.low, a.high + b.high, a, b)


def _subtract(a: ChannelValues, b: ChannelValues) -> tuple[Floats, Floats]:
    return _near(a.low - b.high, a.high - b.low, a, b)


def _near(low: Floats, high: Floats, a: ChannelValues, b: ChannelValues) -> tuple[Floats, Floats]:
    """A little wider, but for two known numbers."""
    exact = (a.low == a.high) & (b.low == b.high)
    sizes = (np.maximum(np.abs(each.low), np.abs(each.high)) for each in (a, b))
    wide = np.where(exact, 0, EPSILON * sum(np.where(np.isfinite(size), size, 0) for size in sizes))
    return low - wide, high + wide


def _multiply(a: ChannelValues, b: ChannelValues) -> tuple[Floats, Floats]:
    with np.errstate(invalid="ignore"):
        corners = np.stack([x * y for x in (a.low, a.high) for y in (b.low, b.high)])
    corners = np.nan_to_num(corners, nan=0.0, posinf=np.inf, neginf=-np.inf)  # 0 times infinity
    return corners.min(0), corners.max(0)


_ARITHMETIC: dict[str, Callable[[ChannelValues, ChannelValues], tuple[Floats, Floats]]] = {
    "Add": _add,
    "Mul": _multiply,
    "Sub": _subtract,
    "Max": lambda a, b: (np.maximum(a.low, b.low), np.maximum(a.high, b.high)),
    "Min": lambda a, b: (np.minimum(a.low, b.low), np.minimum(a.high, b.high)),
}

_SUMS = frozenset({"Add", "Sub", "Sum"})
JOINING = frozenset({*_ARITHMETIC, "Div", "PRelu", "Pow", "Sum"})
