"""Which channel of the data each weight of an operator meets: the base of importance, channels and pruning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.registry import MICROSOFT, Registry

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout by which a weight (input ``weight``, as the operator sees it) meets the channels of a tensor.

    ``data`` names the tensor: ("input", n) or ("output", n); ``data_axis`` is its channel axis.
    ``in_axis`` and ``out_axis`` are the weight's axes of input and output channels, None where it has none.
    With ``groups`` the weight's first axis runs over the groups as well (Conv: over ``out_axis``,
    ConvTranspose: over ``in_axis``). ``rows`` says that the data are row numbers of the weight, not numbers.
    ``leads_to`` is the output, and its channel axis, whose channels those of ``out_axis`` are, one after the other
    for each of ``gates``; None where the weight does not lead to channels of an output.
    """

    weight: int
    data: tuple[str, int]
    data_axis: int
    in_axis: int | None
    out_axis: int | None
    groups: int = 1
    rows: bool = False
    leads_to: tuple[int, int] | None = (0, -1)
    gates: int = 1

    def seen_from_output(self, rank: int) -> Layout | None:
        """The same weight, of so many dims, met by the channels that it leads to; None where it leads to none."""
        if self.leads_to is None:
            return None
        in_axis, out_axis = (rank - 1, self.in_axis) if self.rows else (self.out_axis, self.in_axis)
        if in_axis is None or (self.rows and (self.in_axis or 0) % rank == in_axis):
            return None
        place, axis = self.leads_to
        return replace(
            self, data=("output", place), data_axis=axis, in_axis=in_axis, out_axis=out_axis, rows=False
        )

    def channels(self, shape: tuple[int, ...]) -> int:
        """Tells how many input channels a weight of this shape meets."""
        if self.in_axis is None:
            return 1
        own = shape[self.in_axis]
        return own * self.groups if self.groups > 1 and self.in_axis % len(shape) == 1 else own

    def spread(self, shape: tuple[int, ...], activations: Array) -> Array:
        """One activation for each weight: an array that broadcasts against the weight.

        >>> Layout(1, ("input", 0), 1, 1, 0).spread((4, 2, 3, 3), np.array([5.0, 7.0])).shape
        (1, 2, 1, 1)
        """
        if self.in_axis is None:
            return np.ones((1,) * len(shape))
        axis = self.in_axis % len(shape)
        if self.groups > 1 and axis == 1:
            grouped = activations.reshape(self.groups, shape[1])
            spread = np.repeat(grouped, shape[0] // self.groups, axis=0)
            return spread.reshape(shape[0], shape[1], *(1,) * (len(shape) - 2))
        dims = [1] * len(shape)
        dims[axis] = shape[axis]
        return activations.reshape(dims)


LayoutRule = Callable[[OpCall], tuple[Layout, ...]]


def layouts(call: OpCall) -> tuple[Layout, ...]:
    """The weights of an operator that meet channels; without those that no rule says of how, or that lack the axes."""
    rule = LAYOUT_RULES.get(call.op_type, call.domain)
    try:
        return tuple(layout for layout in rule(call) if _has_axes(call, layout)) if rule else ()
    except BadCallError:
        return ()


def _has_axes(call: OpCall, layout: Layout) -> bool:
    """Tells whether the weight has the axes that are spoken of: a scalar may stand for a row of equal numbers."""
    info = call.inputs[layout.weight] if layout.weight < len(call.inputs) else None
    if info is None or info.shape is None:
        return True
    rank = len(info.shape)
    return all(axis is None or -rank <= axis < rank for axis in (layout.in_axis, layout.out_axis))


def _fixed(*found: Layout) -> LayoutRule:
    return lambda _call: found


def _conv(weight: int) -> LayoutRule:
    return lambda call: (Layout(weight, ("input", 0), 1, 1, 0, int(call.attr("group", 1)), leads_to=(0, 1)),)


def _conv_transpose(call: OpCall) -> tuple[Layout, ...]:
    return (Layout(1, ("input", 0), 1, 0, 1, int(call.attr("group", 1)), leads_to=(0, 1)),)


def _gemm(left: int, right: int) -> LayoutRule:
    """Either operand may be the weight: A holds its channels in columns, B in rows, unless transposed."""

    def rule(call: OpCall) -> tuple[Layout, ...]:
        a_channels = 0 if call.attr("transA", 0) else 1
        b_channels = 1 if call.attr("transB", 0) else 0
        return (
            Layout(right, ("input", left), a_channels, b_channels, 1 - b_channels, leads_to=(0, 1)),
            Layout(left, ("input", right), b_channels, a_channels, 1 - a_channels, leads_to=(0, 0)),
        )

    return rule


def _matmul(left: int, right: int) -> LayoutRule:
    """Either operand may be the weight; one of a single dim is a row or column that leaves no dim behind."""

    def rule(call: OpCall) -> tuple[Layout, ...]:
        one_left, one_right = (_rank(call, place) == 1 for place in (left, right))
        # The dims of the other operand that are left over come after those of the weight.
        columns = None if one_right else (0, -1)
        rows = None if one_left else (0, -1 if one_right else -2)
        return (
            Layout(
                right,
                ("input", left),
                -1,
                -1 if one_right else -2,
                None if one_right else -1,
                leads_to=columns,
            ),
            Layout(
                left, ("input", right), -1 if one_right else -2, -1, None if one_left else -2, leads_to=rows
            ),
        )

    return rule


def _fused_matmul(call: OpCall) -> tuple[Layout, ...]:
    """A product of matrices that may be transposed; with batch dims moved no rule says what meets what."""
    if any(call.attr(f"trans{name}", 0) for name in ("A", "BatchA", "BatchB")):
        return ()
    if not call.attr("transB", 0):
        return _matmul(0, 1)(call)
    return (Layout(1, ("input", 0), -1, -1, -2),)


def _rank(call: OpCall, place: int) -> int | None:
    info = call.inputs[place] if place < len(call.inputs) else None
    return None if info is None or info.shape is None else len(info.shape)


def _recurrent(gates: int) -> LayoutRule:
    """W meets the input, R the hidden state: all of them where the operator gives them, else the last.

    The two directions of one layer share the means of both.
    """

    def rule(call: OpCall) -> tuple[Layout, ...]:
        state = 0 if call.outputs and call.outputs[0] is not None else 1
        return (
            Layout(1, ("input", 0), 2, 2, 1, leads_to=(state, -1), gates=gates),
            Layout(2, ("output", state), -1, 2, 1, leads_to=(state, -1), gates=gates),
        )

    return rule


def _normalization(axis: int, scale: int = 1) -> LayoutRule:
    """A scale along the channels; of one of several dims, along the last."""
    return _fixed(Layout(scale, ("input", 0), axis, -1, -1, leads_to=(0, axis)))


def _packed_qkv(call: OpCall) -> tuple[Layout, ...]:
    """Query, key and value side by side: only the value leads to the output."""
    del call
    return (Layout(1, ("input", 0), -1, 0, 1, leads_to=None),)


def _along(call: OpCall) -> tuple[Layout, ...]:
    """A constant operand of an element-wise operator, along the one axis in which it is not 1."""
    found = []
    for weight, data in ((1, 0), (0, 1)):
        info = call.inputs[weight] if weight < len(call.inputs) else None
        if info is None or info.static is None:
            continue
        axes = [axis for axis, dim in enumerate(info.static) if dim != 1]
        if len(axes) == 1:
            axis, place = axes[0], axes[0] - len(info.static)
            found.append(Layout(weight, ("input", data), place, axis, axis, leads_to=(0, place)))
    return tuple(found)


def _table(attribute: str) -> LayoutRule:
    """Row numbers choose along an axis of the table."""
    return lambda call: (Layout(0, ("input", 1), 0, int(call.attr(attribute, 0)), None, rows=True),)


LAYOUT_RULES: Registry[LayoutRule] = Registry("weight layout")

LAYOUT_RULES.add(_normalization(1), "BatchNormalization", "GroupNormalization", "InstanceNormalization")
LAYOUT_RULES.add(_conv(1), "Conv", "ConvInteger")
LAYOUT_RULES.add(_conv_transpose, "ConvTranspose")
LAYOUT_RULES.add(_along, "Div", "Mul", "PRelu")
LAYOUT_RULES.add(_recurrent(3), "GRU")
LAYOUT_RULES.add(_table("axis"), "Gather")
LAYOUT_RULES.add(_gemm(0, 1), "Gemm")
LAYOUT_RULES.add(_recurrent(4), "LSTM")
LAYOUT_RULES.add(_normalization(-1), "LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
LAYOUT_RULES.add(_matmul(0, 1), "MatMul", "MatMulInteger")
LAYOUT_RULES.add(_conv(3), "QLinearConv")
LAYOUT_RULES.add(_matmul(0, 3), "QLinearMatMul")
LAYOUT_RULES.add(_recurrent(1), "RNN")
LAYOUT_RULES.add(_packed_qkv, "Attention", "QAttention", domain=MICROSOFT)
LAYOUT_RULES.add(
    _matmul(0, 1), "DynamicQuantizeMatMul", "GemmFastGelu", "MatMulIntegerToFloat", domain=MICROSOFT
)
LAYOUT_RULES.add(_conv(1), "FusedConv", domain=MICROSOFT)
LAYOUT_RULES.add(_gemm(0, 1), "FusedGemm", domain=MICROSOFT)
LAYOUT_RULES.add(_fused_matmul, "FusedMatMul", domain=MICROSOFT)
LAYOUT_RULES.add(_table("gather_axis"), "GatherBlockQuantized", domain=MICROSOFT)
LAYOUT_RULES.add(_fixed(Layout(1, ("input", 0), -1, 0, 1)), "MatMulBnb4", "MatMulNBits", domain=MICROSOFT)
LAYOUT_RULES.add(_gemm(0, 3), "QGemm", domain=MICROSOFT)
LAYOUT_RULES.add(
    _normalization(-1, 2), "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT
)
