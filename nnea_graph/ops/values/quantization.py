"""QuantizeLinear and DequantizeLinear: per tensor, per axis and in blocks."""

from __future__ import annotations

from math import prod

import numpy as np

from nnea_graph.graph import DType
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.value_guards import Array, axis_of, fitting, narrowed, value
from nnea_graph.ops.values.cast import converted, dtype_of, integer_range


@value("DequantizeLinear")
def dequantize_linear(call: OpCall) -> list[Array]:
    """``(x - zero_point) * scale``, in the precision of the output."""
    x = call.value(0)
    scale = spread(call, call.value(1), x.shape)
    dtype = dtype_of(call.attr("output_dtype")) if call.attr("output_dtype", 0) else call.dtype(1)
    shifted = _float(x) if not call.has(2) else _minus(x, spread(call, call.value(2), x.shape))
    product = shifted.astype(scale.dtype, copy=False)
    product *= scale
    return [converted(product, dtype) if dtype else product]


value("DequantizeLinear", domain=MICROSOFT)(dequantize_linear)


def _float(x: Array) -> Array:
    return x.astype(np.float32)


def _minus(x: Array, zero_point: Array) -> Array:
    """Subtracts without wrapping around in the type of ``x``."""
    wide = np.int64 if x.dtype.kind in "iu" and x.itemsize > 2 else np.float32
    shifted = x.astype(wide)
    np.subtract(shifted, zero_point.astype(wide), out=shifted)
    return shifted


@value("QuantizeLinear")
def quantize_linear(call: OpCall) -> list[Array]:
    """``round(x / scale) + zero_point``, ties to even, cut to the range of the type."""
    x, dtype = call.value(0), _quantized_type(call)
    scale = spread(call, call.value(1), x.shape)
    precision = dtype_of(call.attr("precision")) if call.attr("precision", 0) else call.dtype(1)
    ratio = narrowed(x.astype(scale.dtype) / scale, precision)
    zero_point = spread(call, call.value(2), x.shape) if call.has(2) else np.zeros(1, np.int8)
    if dtype.kind == "float":
        return [converted(ratio + zero_point, dtype, saturate=bool(call.attr("saturate", 1)))]
    if np.isnan(ratio).any():
        raise UnknownFactError("a constant to quantize is not a number")
    low, high = integer_range(dtype)
    return [converted(np.clip(np.rint(ratio.astype(np.float64)) + zero_point, low, high), dtype)]


value("QuantizeLinear", domain=MICROSOFT)(quantize_linear)


def _quantized_type(call: OpCall) -> DType:
    if call.has(2):
        found = call.dtype(2)
        if found is None:
            raise UnknownFactError("the type of the zero point is not known")
        return found
    return dtype_of(call.attr("output_dtype")) if call.attr("output_dtype", 0) else BY_NAME["uint8"]


def spread(call: OpCall, scale: Array, shape: tuple[int, ...]) -> Array:
    """Scales or zero points lined up with a tensor of that shape."""
    if scale.size == 1:
        return scale.reshape(())
    axis = axis_of(call.attr("axis", 1), len(shape))
    block = int(call.attr("block_size", 0))
    if scale.ndim == 1 and not block:
        return _per_axis(scale, shape, axis)
    return _per_block(call, scale, shape, axis, block)


def _per_axis(scale: Array, shape: tuple[int, ...], axis: int) -> Array:
    if scale.size != shape[axis]:
        raise BadCallError(f"{scale.size} scales for the {shape[axis]} elements of axis {axis}")
    return scale.reshape(scale.shape + (1,) * (len(shape) - axis - 1))


def _per_block(call: OpCall, scale: Array, shape: tuple[int, ...], axis: int, block: int) -> Array:
    blocks = -(-shape[axis] // block) if block > 0 else 0
    if scale.shape != (*shape[:axis], blocks, *shape[axis + 1 :]):
        raise BadCallError(f"scales of shape {list(scale.shape)} for {list(shape)} in blocks of {block}")
    fitting(
        call, (prod(shape[:axis]), blocks * block if blocks > 1 else shape[axis], prod(shape[axis + 1 :]))
    )
    of_element = np.arange(shape[axis]) // block
    return np.take(scale, of_element, axis)
