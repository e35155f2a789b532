"""What a pruned network must equal: the original with the channels that go set to zero wherever they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from nnea_graph.graph import TensorInfo

Kept = Mapping[tuple[str, int], NDArray[np.int64]]


def masked(model: ModelProto, kept: Kept, types: Mapping[str, TensorInfo]) -> ModelProto:
    """Of every computed float tensor the channels that go are zero before anybody reads it, also where they are NaN."""
    made = ModelProto()
    made.CopyFrom(model)
    axes: dict[str, dict[int, NDArray[np.int64]]] = {}
    for (tensor, axis), stay in kept.items():
        axes.setdefault(tensor, {})[axis] = stay
    nodes = list(made.graph.node)
    del made.graph.node[:]
    renamed: dict[str, str] = {}
    made.graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), "//zero"))
    for node in nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        made.graph.node.append(node)
        for name in node.output:
            info = types.get(name)
            if name in axes and info is not None and str(info.dtype) == "float32":
                renamed[name] = f"{name}//masked"
                mask = _mask(info.static or (), axes[name])
                made.graph.initializer.append(numpy_helper.from_array(mask, f"{name}//mask"))
                inputs = [f"{name}//mask", name, "//zero"]
                made.graph.node.append(helper.make_node("Where", inputs, [renamed[name]]))
    return made


def _mask(shape: tuple[int, ...], axes: Mapping[int, NDArray[np.int64]]) -> NDArray[np.bool_]:
    mask = np.ones([shape[axis] if axis in axes else 1 for axis in range(len(shape))], np.bool_)
    for axis, stay in axes.items():
        gone = np.setdiff1d(np.arange(shape[axis]), stay)
        np.moveaxis(mask, axis, 0)[gone] = False
    return mask


def without(model: ModelProto, kept: Kept) -> ModelProto:
    """All stored numbers of the channels that go are zero: rows, columns, biases, scales and shifts."""
    made = ModelProto()
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        for axis in range(values.ndim):
            if (tensor.name, axis) in kept:
                gone = np.setdiff1d(np.arange(values.shape[axis]), kept[tensor.name, axis])
                np.moveaxis(values, axis, 0)[gone] = 0
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return made


def run(
    model: ModelProto, feeds: Mapping[str, NDArray[Any]], *, optimized: bool = False
) -> list[NDArray[Any]]:
    """Outputs by onnxruntime, by default without its optimizations, which may add up in another order."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [np.asarray(value) for value in session.run(None, dict(feeds))]


def feeds_of(
    model: ModelProto, seed: int = 0, sizes: Mapping[str, int] | None = None
) -> dict[str, NDArray[Any]]:
    """Normal numbers; integers are row numbers below 8."""
    random, feeds = np.random.default_rng(seed), {}
    defaults = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name in defaults:
            continue
        kind = value.type.tensor_type
        shape = [dim.dim_value or (sizes or {}).get(dim.dim_param, 2) for dim in kind.shape.dim]
        if kind.elem_type == TensorProto.FLOAT:
            feeds[value.name] = random.normal(size=shape).astype(np.float32)
        else:
            feeds[value.name] = random.integers(0, 8, shape).astype(
                helper.tensor_dtype_to_np_dtype(kind.elem_type)
            )
    return feeds


def distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Largest difference, in units of the largest number."""
    assert one.shape == other.shape, f"{one.shape} is not {other.shape}"
    scale = max(float(np.abs(other).max()), 1e-30)
    return float(np.abs(one.astype(np.float64) - other).max()) / scale
