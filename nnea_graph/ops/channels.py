"""Which channel of the data each weight of an operator meets: the base of importance, channels and pruning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.ops.call import OpCall
from nnea_graph.ops.registry import MICROSOFT

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a weight (input ``weight``, as the operator sees it) meets the channels of a tensor.

    ``data`` names the tensor: ("input", n) or ("output", n); ``data_axis`` is its channel axis.
    ``in_axis`` and ``out_axis`` are the weight's axes of input and output channels, None where it has none.
    With ``groups`` the weight's first axis runs over the groups as well (Conv: over ``out_axis``,
    ConvTranspose: over ``in_axis``). ``rows`` says that the data are row numbers of the weight, not numbers.
    """

    weight: int
    data: tuple[str, int]
    data_axis: int
    in_axis: int | None
    out_axis: int | None
    groups: int = 1
    rows: bool = False

    def channels(self, shape: tuple[int, ...]) -> int:
        """How many input channels a weight of this shape meets."""
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
    """The weights of an operator that meet channels; empty where no rule says how."""
    rule = _RULES.get((call.domain, call.op_type))
    return rule(call) if rule else ()


def _fixed(*found: Layout) -> LayoutRule:
    return lambda _call: found


def _conv(weight: int) -> LayoutRule:
    return lambda call: (Layout(weight, ("input", 0), 1, 1, 0, int(call.attr("group", 1))),)


def _conv_transpose(call: OpCall) -> tuple[Layout, ...]:
    return (Layout(1, ("input", 0), 1, 0, 1, int(call.attr("group", 1))),)


def _gemm(call: OpCall) -> tuple[Layout, ...]:
    """Either operand may be the weight: A holds its channels in columns, B in rows, unless transposed."""
    a_channels, b_channels = (0 if call.attr("transA", 0) else 1), (1 if call.attr("transB", 0) else 0)
    return (
        Layout(1, ("input", 0), a_channels, b_channels, 1 - b_channels),
        Layout(0, ("input", 1), b_channels, a_channels, 1 - a_channels),
    )


def _matmul(left: int, right: int) -> LayoutRule:
    return _fixed(
        Layout(right, ("input", left), -1, -2, -1),
        Layout(left, ("input", right), -2, -1, -2),
    )


def _recurrent(call: OpCall) -> tuple[Layout, ...]:
    """W meets the input, R the hidden state: all of them where the operator gives them, else the last."""
    state = 0 if call.outputs and call.outputs[0] is not None else 1
    return (Layout(1, ("input", 0), 2, 2, 1), Layout(2, ("output", state), -1, 2, 1))


def _normalization(axis: int, scale: int = 1) -> LayoutRule:
    return _fixed(Layout(scale, ("input", 0), axis, 0, 0))


def _along(call: OpCall) -> tuple[Layout, ...]:
    """A constant operand of an element-wise operator, along the one axis in which it is not 1."""
    found = []
    for weight, data in ((1, 0), (0, 1)):
        info = call.inputs[weight] if weight < len(call.inputs) else None
        if info is None or info.static is None:
            continue
        axes = [axis for axis, dim in enumerate(info.static) if dim != 1]
        if len(axes) == 1:
            axis = axes[0]
            found.append(Layout(weight, ("input", data), axis - len(info.static), axis, axis))
    return tuple(found)


_ROWS = _fixed(Layout(0, ("input", 1), 0, 0, None, rows=True))

_RULES: dict[tuple[str, str], LayoutRule] = {
    ("", "BatchNormalization"): _normalization(1),
    ("", "Conv"): _conv(1),
    ("", "ConvInteger"): _conv(1),
    ("", "ConvTranspose"): _conv_transpose,
    ("", "Div"): _along,
    ("", "GRU"): _recurrent,
    ("", "Gather"): _ROWS,
    ("", "Gemm"): _gemm,
    ("", "InstanceNormalization"): _normalization(1),
    ("", "LSTM"): _recurrent,
    ("", "LayerNormalization"): _normalization(-1),
    ("", "MatMul"): _matmul(0, 1),
    ("", "MatMulInteger"): _matmul(0, 1),
    ("", "Mul"): _along,
    ("", "PRelu"): _along,
    ("", "QLinearConv"): _conv(3),
    ("", "QLinearMatMul"): _matmul(0, 3),
    ("", "RMSNormalization"): _normalization(-1),
    ("", "RNN"): _recurrent,
    ("", "SimplifiedLayerNormalization"): _normalization(-1),
    (MICROSOFT, "Attention"): _fixed(Layout(1, ("input", 0), -1, 0, 1)),
    (MICROSOFT, "DynamicQuantizeMatMul"): _matmul(0, 1),
    (MICROSOFT, "FusedConv"): _conv(1),
    (MICROSOFT, "FusedGemm"): _gemm,
    (MICROSOFT, "GemmFastGelu"): _matmul(0, 1),
    (MICROSOFT, "MatMulBnb4"): _fixed(Layout(1, ("input", 0), -1, 0, 1)),
    (MICROSOFT, "MatMulIntegerToFloat"): _matmul(0, 1),
    (MICROSOFT, "MatMulNBits"): _fixed(Layout(1, ("input", 0), -1, 0, 1)),
    (MICROSOFT, "QAttention"): _fixed(Layout(1, ("input", 0), -1, 0, 1)),
    (MICROSOFT, "SkipLayerNormalization"): _normalization(-1, 2),
    (MICROSOFT, "SkipSimplifiedLayerNormalization"): _normalization(-1, 2),
}
