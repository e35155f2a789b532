"""ai.onnx operators whose output shape follows, and is left open by onnx's own inference."""

from __future__ import annotations

import numpy as np

from nnea_graph.graph import Dim, TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.dim_arithmetic import attribute, dims, info, known, product, replaced, results, shape
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.shapes.convolution import Window, window
from nnea_graph.ops.value_guards import axis_of
from nnea_graph.ops.values.cast import dtype_of
from nnea_graph.ops.values.creation import range_length


@shape("HannWindow", "HammingWindow", "BlackmanWindow")
def signal_window(call: OpCall) -> list[TensorInfo]:
    """Has as many elements as the input says."""
    size = known(call, 0)
    return results(call, info(dtype_of(call.attr("output_datatype", 1)), (size[0] if size else None,)))


@shape("MelWeightMatrix")
def mel_weight_matrix(call: OpCall) -> list[TensorInfo]:
    """``dft_length // 2 + 1`` x number of bins."""
    bins, length = known(call, 0), known(call, 1)
    rows: Dim = length[0] // 2 + 1 if length else None
    return results(call, info(dtype_of(call.attr("output_datatype", 1)), (rows, bins[0] if bins else None)))


@shape("Range")
@shape("Range", domain=MICROSOFT)
def arange(call: OpCall) -> list[TensorInfo]:
    """One dim, known where the bounds are."""
    return results(call, info(call.dtype(0), (_range_length(call),)))


def _range_length(call: OpCall) -> Dim:
    found = [call.values[index] if index < len(call.values) else None for index in range(3)]
    if not call.has(2):
        found[2] = np.ones(1, np.int64)
    bounds = [values.reshape(-1)[0].item() for values in found if values is not None and values.size == 1]
    if len(bounds) < 3:
        return None
    try:
        return range_length(*bounds)
    except UnknownFactError:
        return None


@shape("OneHot")
def one_hot(call: OpCall) -> list[TensorInfo]:
    """The depth as one more axis."""
    indices, depth = dims(call, 0), known(call, 1)
    if indices is None:
        return results(call, info(call.dtype(2), None))
    at = axis_of(attribute(call, "axis", -1), len(indices) + 1)
    return results(call, info(call.dtype(2), (*indices[:at], depth[0] if depth else None, *indices[at:])))


@shape("Compress")
def compress(call: OpCall) -> list[TensorInfo]:
    """Keeps as many slices as the condition says yes, where it is known."""
    x, condition, axis = dims(call, 0), known(call, 1), call.attr("axis")
    count: Dim = None if condition is None else sum(map(bool, condition))
    if axis is None:
        total = None if x is None else product(x)
        within = condition is None or not isinstance(total, int) or len(condition) <= total
        return results(call, info(call.dtype(0), (count if within else None,)))
    return results(call, info(call.dtype(0), replaced(x, int(axis), count)))


@shape("MaxUnpool")
def max_unpool(call: OpCall) -> list[TensorInfo]:
    """The shape that is asked for, or the one that pooling came from."""
    asked = known(call, 2)
    if call.has(2):
        return results(call, info(call.dtype(0), asked))
    x = dims(call, 0)
    if x is None or len(x) < 3:
        return results(call, info(call.dtype(0), None))
    frame = window(call, len(x) - 2)
    spatial = tuple(_unpooled(dim, frame, axis) for axis, dim in enumerate(x[2:]))
    return results(call, info(call.dtype(0), (*x[:2], *spatial)))


def _unpooled(dim: Dim, frame: Window, axis: int) -> Dim:
    kernel = frame.kernel[axis]
    if not isinstance(kernel, int):
        raise BadCallError("MaxUnpool has no kernel_shape")
    if not isinstance(dim, int):
        return None
    pads = frame.pads[axis] + frame.pads[axis + len(frame.kernel)]
    return (dim - 1) * frame.strides[axis] - pads + kernel
