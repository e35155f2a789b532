"""Operators that make tensors out of shapes and attributes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnea_graph.graph import Constant
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.value_guards import Array, axis_of, fitting, narrowed, scalar, value, whole
from nnea_graph.ops.values.cast import converted, dtype_of

_CONSTANT_TYPES: dict[str, Any] = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_string": np.object_,
    "value_strings": np.object_,
}


@value("Constant")
def constant(call: OpCall) -> list[Array]:
    """The attribute."""
    tensor = call.attr("value")
    if tensor is not None:
        return [_stored(call, tensor)]
    for name, dtype in _CONSTANT_TYPES.items():
        if call.attr(name) is not None:
            return [np.asarray(call.attr(name), dtype)]
    raise UnknownFactError("Constant holds no dense value")


def _stored(call: OpCall, tensor: Constant) -> Array:
    fitting(call, tensor.shape)
    return tensor.array()


@value("ConstantOfShape")
def constant_of_shape(call: OpCall) -> list[Array]:
    """One number everywhere, float32 zero by default; it takes no memory until it is copied."""
    shape = fitting(call, whole(call, 0))
    tensor = call.attr("value")
    fill = np.zeros(1, np.float32) if tensor is None else _stored(call, tensor)
    return [np.broadcast_to(fill.reshape(()), shape)]


@value("Range")
def arange(call: OpCall) -> list[Array]:
    """Counts from start, in steps, up to but not with the limit."""
    start, limit, step = (scalar(call, index) for index in range(3))
    count = range_length(start, limit, step)
    fitting(call, (count,))
    kind = call.value(0).dtype
    numbers = start + np.arange(count, dtype=np.float64 if kind.kind == "f" else kind) * kind.type(step)
    return [narrowed(np.asarray(numbers, kind), call.dtype(0))]


def range_length(start: float, limit: float, step: float) -> int:
    """Elements of a Range."""
    if step == 0:
        raise BadCallError("Range has a step of 0")
    if isinstance(start, int) and isinstance(limit, int) and isinstance(step, int):
        return len(range(start, limit, step))
    exact = (limit - start) / step
    if not math.isfinite(exact):
        raise UnknownFactError("Range has no finite number of elements")
    return max(math.ceil(exact), 0)


@value("Shape")
def shape_of(call: OpCall) -> list[Array]:
    """The dims from ``start`` to ``end``; only those have to be known."""
    info = call.inputs[0] if call.inputs else None
    if info is None or info.shape is None:
        raise UnknownFactError("the shape of input 0 is not known before the model runs")
    dims = info.shape[call.attr("start", 0) : call.attr("end")]
    if not all(isinstance(dim, int) for dim in dims):
        raise UnknownFactError("the shape of input 0 is not known before the model runs")
    return [np.asarray(dims, np.int64)]


@value("Size")
def size_of(call: OpCall) -> list[Array]:
    """Number of elements."""
    return [np.asarray(call.size(0), np.int64)]


@value("EyeLike")
def eye_like(call: OpCall) -> list[Array]:
    """Ones on diagonal ``k`` of a matrix as large as the input."""
    rows, columns = fitting(call, call.shape(0))
    dtype = dtype_of(call.attr("dtype")) if call.attr("dtype") else call.dtype(0)
    if dtype is None:
        raise UnknownFactError("the type of input 0 is not known")
    diagonal = min(max(int(call.attr("k", 0)), -rows), columns)
    return [converted(np.eye(rows, columns, diagonal), dtype)]


@value("OneHot")
def one_hot(call: OpCall) -> list[Array]:
    """The off value everywhere but where an index points; an index out of range points nowhere."""
    indices, (off, on) = call.value(0), call.value(2).reshape(-1)
    depth = int(scalar(call, 1))
    axis = axis_of(call.attr("axis", -1), indices.ndim + 1)
    fitting(call, (*indices.shape[:axis], depth, *indices.shape[axis:]))
    inside = (indices >= -depth) & (indices < depth)
    wanted = np.expand_dims(np.where(inside, np.mod(indices, depth), -1), axis)
    ladder = np.arange(depth).reshape((depth,) + (1,) * (indices.ndim - axis))
    return [np.where(wanted == ladder, on, off)]
