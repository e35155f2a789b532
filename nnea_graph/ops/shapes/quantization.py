"""Quantized element-wise operators, conversions, reductions and joins."""

from __future__ import annotations

from nnea_graph.graph import Dim, TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.dim_arithmetic import Shape, broadcast, dims, info, like, plus, replaced, results, shape
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.value_guards import axis_of
from nnea_graph.ops.values.cast import dtype_of

like("QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QOrderedGelu", domain=MICROSOFT)


@shape("DequantizeLinear", domain=MICROSOFT)
def dequantized(call: OpCall) -> list[TensorInfo]:
    """Result in the type of the scale."""
    return results(call, info(call.dtype(1), dims(call, 0)))


@shape("QuantizeLinear", domain=MICROSOFT)
def quantized(call: OpCall) -> list[TensorInfo]:
    """Result in the type of the zero point, uint8 without."""
    return results(call, info(call.dtype(2) if call.has(2) else BY_NAME["uint8"], dims(call, 0)))


@shape("QuantizeWithOrder", domain=MICROSOFT)
def quantized_with_order(call: OpCall) -> list[TensorInfo]:
    """Eight bits, signed."""
    return results(call, info(BY_NAME["int8"], dims(call, 0)))


@shape("DequantizeWithOrder", domain=MICROSOFT)
def dequantized_with_order(call: OpCall) -> list[TensorInfo]:
    """Result in the type of the attribute."""
    return results(call, info(dtype_of(call.attr("to")), dims(call, 0)))


@shape("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def quantized_pair(call: OpCall) -> list[TensorInfo]:
    """Broadcast."""
    return results(call, info(call.dtype(0), broadcast(dims(call, 0), dims(call, 3))))


@shape("QLinearWhere", domain=MICROSOFT)
def quantized_where(call: OpCall) -> list[TensorInfo]:
    """Broadcast of condition and both branches."""
    return results(call, info(call.dtype(1), broadcast(dims(call, 0), dims(call, 1), dims(call, 4))))


@shape("QLinearConcat", domain=MICROSOFT)
def quantized_concat(call: OpCall) -> list[TensorInfo]:
    """Tensor, scale and zero point follow each other from the third input on."""
    shapes = [dims(call, index) for index in range(2, len(call.inputs), 3)]
    axis = call.attr("axis")
    if not shapes or not isinstance(axis, int):
        raise BadCallError("QLinearConcat needs an axis and an input")
    joined: Shape | None = shapes[0]
    for other in shapes[1:]:
        joined = _appended(joined, other, axis)
    return results(call, info(call.dtype(1), joined))


def _appended(a: Shape | None, b: Shape | None, axis: int) -> Shape | None:
    if a is None or b is None:
        return None
    if len(a) != len(b):
        raise BadCallError(f"tensors of {len(a)} and {len(b)} dimensions are joined")
    at = axis_of(axis, len(a))
    merged: list[Dim] = [x if isinstance(x, int) or x == y else y for x, y in zip(a, b, strict=True)]
    return replaced(tuple(merged), at, plus(a[at], b[at]))


@shape("QLinearReduceMean", domain=MICROSOFT)
def quantized_mean(call: OpCall) -> list[TensorInfo]:
    """Drops the reduced axes, or with 1 in their place."""
    return results(call, info(call.dtype(0), _reduced(call)))


@shape("ReduceSumInteger", domain=MICROSOFT)
def integer_sum(call: OpCall) -> list[TensorInfo]:
    """Sums in 32 bits, with or without a sign: the definition leaves that to the model."""
    return results(call, info(None, _reduced(call)))


def _reduced(call: OpCall) -> Shape | None:
    x = dims(call, 0)
    if x is None:
        return None
    axes = {axis_of(int(axis), len(x)) for axis in call.attr("axes") or range(len(x))}
    if call.attr("keepdims", 1):
        return tuple(1 if axis in axes else dim for axis, dim in enumerate(x))
    return tuple(dim for axis, dim in enumerate(x) if axis not in axes)
