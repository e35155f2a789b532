"""Networks of many layers, with names as exporters write them."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper


def deep(layers: int, width: int = 12, name: str = "encoder.layers.{}.attention.output.dense") -> ModelProto:
    """Linear layers in a row, each but the last with ReLU and a residual every third."""
    random = np.random.default_rng(0)
    nodes, weights = [], []
    tensor, skip = "x", "x"
    for at in range(layers):
        weight = random.normal(0, 1 / (1 + at % 7), (width, width)).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{at}"))
        made = helper.make_node("MatMul", [tensor, f"w{at}"], [f"m{at}"], name=f"node_{at}")
        made.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=str(["", name.format(at), "matmul"]))
        nodes.append(made)
        tensor = f"m{at}"
        if at % 3 == 2 and at + 1 < layers:
            nodes.append(helper.make_node("Add", [tensor, skip], [f"a{at}"], name=f"add_{at}"))
            nodes.append(helper.make_node("Relu", [f"a{at}"], [f"r{at}"], name=f"relu_{at}"))
            tensor = skip = f"r{at}"
    graph = helper.make_graph(
        nodes,
        "deep",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info(tensor, TensorProto.FLOAT, ["batch", width])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
