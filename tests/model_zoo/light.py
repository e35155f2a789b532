"""onnx's light models with weights of their real size: He-scaled, seeded, in place of one number many times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def weighed(name: str, size: int = 64, seed: int = 0) -> ModelProto:
    """On images of ``size`` squared, as runs on 224 take long: the last pooling takes what is there.

    The output are the numbers before the Softmax, which would give 0 and 1 for weights that nobody has trained.
    """
    model = onnx.load(LIGHT / f"{name}.onnx")
    graph, random = model.graph, np.random.default_rng(seed)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    roles = {tensor: (node.op_type, place) for node in graph.node for place, tensor in enumerate(node.input)}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shape = tuple(int(dim) for dim in stored[node.input[0]])
            values = numbers(random, shape, *roles[node.output[0]])
            node.op_type = "Constant"
            del node.input[:], node.attribute[:]
            node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(values)))
        elif node.op_type == "AveragePool" and _whole(node):
            node.op_type = "GlobalAveragePool"
            del node.attribute[:]
        elif node.op_type == "Softmax":
            node.op_type = "Identity"
            del node.attribute[:]
    for tensor in graph.initializer:
        if tensor.name in roles and roles[tensor.name][0] in {"BatchNormalization", "Conv", "Gemm"}:
            shape = tuple(tensor.dims)
            values = numbers(random, shape, *roles[tensor.name])
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in graph.input:
        if value.name not in stored:
            for dim in value.type.tensor_type.shape.dim[2:]:
                dim.dim_value = size
    del graph.value_info[:]
    return model


def numbers(
    random: np.random.Generator, shape: tuple[int, ...], op_type: str, place: int
) -> NDArray[np.float32]:
    """Weights that keep activations near 1; statistics of a normalization near 0 and 1."""
    if op_type == "BatchNormalization" and place in {1, 4}:
        return np.asarray(random.uniform(0.5, 1.5, shape), np.float32)
    fan = int(np.prod(shape[1:])) if len(shape) > 1 else 100
    return np.asarray(random.normal(size=shape) * np.sqrt(2 / fan), np.float32)


def _whole(node: onnx.NodeProto) -> bool:
    """Whether a pooling is the last one, over all positions of a 224 squared image."""
    return any(each.name == "kernel_shape" and min(each.ints) >= 7 for each in node.attribute)
