"""One small graph for every family of operators that does matrix work."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper
from oracles.builder import Net

MICROSOFT = "com.microsoft"
LOCAL = "local"


def convolution(x: tuple[int, ...], weight: tuple[int, ...], **attributes: Any) -> ModelProto:
    net = Net()
    return net.model(
        net.op("Conv", net.input("x", *x), net.weight(*weight), net.weight(weight[0]), **attributes)
    )


def transposed(x: tuple[int, ...], weight: tuple[int, ...], stride: int) -> ModelProto:
    net = Net()
    operands = net.input("x", *x), net.weight(*weight), net.weight(weight[1])
    return net.model(net.op("ConvTranspose", *operands, strides=[stride, stride]))


def gemm(rows: int | str, inputs: int, outputs: int) -> ModelProto:
    net = Net()
    return net.model(net.dense(net.input("x", rows, inputs), inputs, outputs))


def matmul(a: tuple[int, ...], b: tuple[int, ...]) -> ModelProto:
    net = Net()
    return net.model(net.op("MatMul", net.input("a", *a), net.input("b", *b)))


def einsum(equation: str, a: tuple[int, ...], b: tuple[int, ...]) -> ModelProto:
    net = Net()
    return net.model(net.op("Einsum", net.input("a", *a), net.input("b", *b), equation=equation))


def recurrent(op_type: str, gates: int, sizes: tuple[int, int, int, int], directions: int) -> ModelProto:
    """``sizes`` are steps, batch, inputs, hidden."""
    steps, batch, inputs, hidden = sizes
    net = Net()
    operands = (
        net.input("x", steps, batch, inputs),
        net.weight(directions, gates * hidden, inputs),
        net.weight(directions, gates * hidden, hidden),
        net.weight(directions, 2 * gates * hidden),
    )
    direction = "bidirectional" if directions == 2 else "forward"
    return net.model(net.op(op_type, *operands, hidden_size=hidden, direction=direction))


def attention_23(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...]) -> ModelProto:
    net = Net()
    operands = net.input("q", *query), net.input("k", *key), net.input("v", *value)
    return net.model(net.op("Attention", *operands), opset=23)


def multi_head_attention(batch: int, queries: int, keys: int, width: int, heads: int) -> ModelProto:
    net = Net()
    query = net.input("q", batch, queries, width)
    key, value = net.input("k", batch, keys, width), net.input("v", batch, keys, width)
    bias = net.weight(3 * width)
    return net.model(net.op("MultiHeadAttention", query, key, value, bias, domain=MICROSOFT, num_heads=heads))


def matmul_nbits(rows: int, inputs: int, outputs: int, block: int) -> ModelProto:
    """Weights of 4 bits, two in a byte."""
    net = Net()
    packed = net.constant(np.full((outputs, inputs // block, block // 2), 0x98, np.uint8))
    scales = net.constant(np.full(outputs * inputs // block, 0.1, np.float32))
    sizes: dict[str, Any] = {"K": inputs, "N": outputs, "bits": 4, "block_size": block}
    return net.model(
        net.op("MatMulNBits", net.input("x", rows, inputs), packed, scales, domain=MICROSOFT, **sizes)
    )


def fused_matmul(x: tuple[int, ...], weight: tuple[int, int]) -> ModelProto:
    net = Net()
    return net.model(
        net.op("FusedMatMul", net.input("x", *x), net.weight(*weight), domain=MICROSOFT, transB=1)
    )


def qdq_convolution(x: tuple[int, ...], weight: tuple[int, ...]) -> ModelProto:
    net = Net()
    scale, zero = net.constant(0.05, np.float32), net.constant(3, np.uint8)
    data = net.op("DequantizeLinear", net.op("QuantizeLinear", net.input("x", *x), scale, zero), scale, zero)
    scales = net.constant(np.linspace(0.01, 0.04, weight[0], dtype=np.float32))
    weights = net.op("DequantizeLinear", net.constant(np.ones(weight, np.int8)), scales, axis=0)
    bias = net.op("DequantizeLinear", net.constant(np.arange(weight[0], dtype=np.int32)), scales, axis=0)
    return net.model(net.op("Conv", data, weights, bias, pads=[1, 1, 1, 1]))


def qlinear_convolution(x: tuple[int, ...], weight: tuple[int, ...]) -> ModelProto:
    net = Net()
    scale, zero = net.constant(0.05, np.float32), net.constant(3, np.uint8)
    weight_scale, weight_zero = net.constant(0.02, np.float32), net.constant(0, np.int8)
    data = net.input("x", *x, dtype=TensorProto.UINT8), scale, zero
    weights = net.constant(np.ones(weight, np.int8)), weight_scale, weight_zero
    bias = net.constant(np.arange(weight[0], dtype=np.int32))
    y = net.op("QLinearConv", *data, *weights, scale, zero, bias)
    net.dtypes[y] = TensorProto.UINT8
    return net.model(y)


def loop(trips: int, rows: int, width: int) -> ModelProto:
    """x becomes x W, ``trips`` times."""
    body = Net("body_")
    body.input("step", dtype=TensorProto.INT64)
    go_on = body.input("go_on", dtype=TensorProto.BOOL)
    state = body.input("state", rows, width)
    same = body.op("Identity", go_on)
    body.dtypes[same] = TensorProto.BOOL
    graph = body.graph(same, body.op("MatMul", state, body.weight(width, width)))
    net = Net()
    count, true = net.constant(trips, np.int64), net.constant(True, np.bool_)
    return net.model(net.op("Loop", count, true, net.input("x", rows, width), body=graph))


def conditional(rows: int, inputs: int, then_width: int, else_width: int) -> ModelProto:
    """Both branches make a product and return its sum."""
    branches = {}
    for name, width in (("then_branch", then_width), ("else_branch", else_width)):
        branch = Net(f"{name}_")
        product = branch.op("MatMul", "x", branch.weight(inputs, width))
        branches[name] = branch.graph(branch.op("ReduceSum", product, keepdims=0))
    net = Net()
    net.input("x", rows, inputs)
    return net.model(net.op("If", net.input("choice", dtype=TensorProto.BOOL), **branches))


def local_function(rows: int, width: int) -> ModelProto:
    """Two calls of a function that multiplies by its second input."""
    nodes = [helper.make_node("MatMul", ["a", "b"], ["p"]), helper.make_node("Relu", ["p"], ["y"])]
    opsets = [helper.make_opsetid("", 20)]
    function = helper.make_function(LOCAL, "Dense", ["a", "b"], ["y"], nodes, opsets)
    net = Net()
    hidden = net.op("Dense", net.input("x", rows, width), net.weight(width, width), domain=LOCAL)
    return net.model(net.op("Dense", hidden, net.weight(width, width), domain=LOCAL), functions=[function])


def without_fill(model: ModelProto) -> ModelProto:
    """The same model with its weights stored as initializers."""
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "ConstantOfShape"]:
        filled = np.full(shapes[node.input[0]], 0.01, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(filled, node.output[0]))
        model.graph.node.remove(node)
    return model
