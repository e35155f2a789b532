"""Small networks with random weights, one for each way in which channels run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import ModelProto, TensorProto, helper
from oracles.builder import Net

MICROSOFT = "com.microsoft"


class RandomNet(Net):
    """Weights are seeded random numbers, none of them 0."""

    def __init__(self, prefix: str = "", seed: int = 0) -> None:
        super().__init__(prefix)
        self.random = np.random.default_rng(seed)

    def weight(self, *shape: int, value: float = 0.01, name: str = "") -> str:
        del value
        values = self.random.uniform(0.2, 1.0, shape) * self.random.choice([-1.0, 1.0], shape)
        return self.constant(values.astype(np.float32), name=name or self.fresh("weight"))

    def floats(self, *values: float) -> str:
        return self.constant(values, np.float32)


def mlp() -> ModelProto:
    net = RandomNet()
    x = net.op("Flatten", net.input("x", 2, 1, 4, 4))
    x = net.op("LeakyRelu", net.dense(x, 16, 6))
    return net.model(net.dense(x, 6, 3))


def grouped_flatten() -> ModelProto:
    net = RandomNet()
    x = net.op("Conv", net.input("x", 1, 4, 6, 6), net.weight(6, 2, 3, 3), group=2)
    x = net.op("Conv", net.op("LeakyRelu", x), net.weight(12, 1, 3, 3), group=6)
    x = net.op("Reshape", net.max_pool(x, 2, 2), net.ints(0, -1))
    return net.model(net.dense(x, 12, 3))


def residual() -> ModelProto:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 6, 6), (3, 5), 3, pad=1)
    y = net.conv(net.op("LeakyRelu", x), (5, 5), 3, pad=1)
    y = net.op("Add", x, net.op("Mul", y, net.weight(5, 1, 1)))
    pooled = net.op("GlobalAveragePool", net.op("LeakyRelu", y))
    return net.model(net.dense(net.op("Flatten", pooled), 5, 3))


def dense_block() -> ModelProto:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 6, 6), (3, 4), 1)
    for _ in range(2):
        width = 4 if _ == 0 else 7
        x = net.op("Concat", x, net.conv(net.op("LeakyRelu", x), (width, 3), 3, pad=1), axis=1)
    return net.model(net.conv(x, (10, 2), 1))


def split_shuffle() -> ModelProto:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 4, 4), (3, 8), 1)
    left, right = net.ops("Split", x, count=2, axis=1, num_outputs=2)
    x = net.op("Concat", left, net.conv(right, (4, 4), 3, pad=1), axis=1)
    x = net.op("Reshape", x, net.ints(1, 2, 4, 4, 4))
    x = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 1, 3, 4]), net.ints(1, 8, 4, 4))
    return net.model(net.op("Conv", x, net.weight(4, 4, 1, 1), group=2))


def squeeze_excite() -> ModelProto:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 4, 4), (3, 6), 3, pad=1)
    gate = net.op("Relu", net.conv(net.op("GlobalAveragePool", x), (6, 3), 1, bias=True))
    gate = net.op("HardSigmoid", net.conv(gate, (3, 6), 1), alpha=0.02)
    return net.model(net.conv(net.op("Mul", x, gate), (6, 2), 1))


def swiglu() -> ModelProto:
    net = RandomNet()
    x = net.layer_norm(net.input("x", 1, 5, 6), 6)
    gate, up = net.linear(x, 6, 8, name="gate"), net.linear(x, 6, 8, name="up")
    gate = net.op("Mul", gate, net.op("Sigmoid", gate))
    return net.model(net.op("Add", x, net.linear(net.op("Mul", gate, up), 8, 6, name="down")))


def _heads(net: Net, x: str) -> str:
    return net.op("Transpose", net.op("Reshape", x, net.ints(0, 0, 2, 3)), perm=[0, 2, 1, 3])


def attention_by_hand() -> ModelProto:
    net = RandomNet()
    x = net.input("x", 1, 5, 6)
    query, key, value = (_heads(net, net.linear(x, 6, 6, name=name)) for name in ("q", "k", "v"))
    scores = net.op("MatMul", query, net.op("Transpose", key, perm=[0, 1, 3, 2]))
    scores = net.op("Softmax", net.op("Div", scores, net.constant(1.7, np.float32)), axis=-1)
    mixed = net.op("Transpose", net.op("MatMul", scores, value), perm=[0, 2, 1, 3])
    joined = net.op("Reshape", mixed, net.ints(0, 0, 6))
    return net.model(net.op("Add", x, net.linear(joined, 6, 6, name="out")))


def attention_by_einsum() -> ModelProto:
    net = RandomNet()
    x = net.input("x", 1, 5, 6)
    query, key, value = (net.op("Einsum", x, net.weight(6, 2, 3), equation="btc,chd->bthd") for _ in range(3))
    scores = net.op("Softmax", net.op("Einsum", query, key, equation="bthd,bshd->bhts"), axis=-1)
    mixed = net.op("Einsum", scores, value, equation="bhts,bshd->bthd")
    return net.model(net.op("Einsum", mixed, net.weight(2, 3, 4), equation="bthd,hdc->btc"))


def multi_head() -> ModelProto:
    net = RandomNet()
    x = net.input("x", 1, 5, 6)
    operands = (net.linear(x, 6, 6, name=name) for name in ("q", "k", "v"))
    return net.model(net.linear(net.op("MultiHeadAttention", *operands, domain=MICROSOFT, num_heads=2), 6, 4))


def grouped_query() -> ModelProto:
    net = RandomNet()
    x = net.input("x", 1, 5, 6)
    query, key, value = net.linear(x, 6, 32), net.linear(x, 6, 16), net.linear(x, 6, 16)
    lengths = net.constant([4], np.int32), net.constant(5, np.int32)
    y = net.ops(
        "GroupQueryAttention", query, key, value, "", "", *lengths,
        count=3, domain=MICROSOFT, num_heads=4, kv_num_heads=2,
    )  # fmt: skip
    return net.model(net.linear(y[0], 32, 4), y[2])


def onnx_attention() -> ModelProto:
    net = RandomNet()
    x = net.input("x", 1, 5, 6)
    operands = net.linear(x, 6, 12), net.linear(x, 6, 6), net.linear(x, 6, 6)
    y = net.op("Attention", *operands, q_num_heads=4, kv_num_heads=2)
    return net.model(net.linear(y, 12, 4), opset=23)


def projected_attention() -> ModelProto:
    net = RandomNet()
    x = net.input("x", 1, 5, 6)
    y = net.op("Attention", x, net.weight(6, 24), net.weight(24), domain=MICROSOFT, num_heads=2)
    return net.model(net.linear(y, 8, 4))


def channels_last() -> ModelProto:
    net = RandomNet()
    x = net.op("Transpose", net.input("x", 1, 5, 5, 3), perm=[0, 3, 1, 2])
    x = net.op("Transpose", net.conv(x, (3, 4), 3), perm=[0, 2, 3, 1])
    x = net.op("Mul", x, net.weight(4))
    x = net.op("Conv", net.op("Transpose", x, perm=[0, 3, 1, 2]), net.weight(4, 1, 3, 3), group=4)
    x = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 3, 1]), net.ints(0, 4))
    return net.model(net.linear(x, 4, 2))


def lstm() -> ModelProto:
    net = RandomNet()
    x = net.op("Transpose", net.input("x", 1, 5, 3), perm=[1, 0, 2])
    weights = net.weight(2, 16, 3), net.weight(2, 16, 4)
    y, last, _ = net.ops("LSTM", x, *weights, count=3, hidden_size=4, direction="bidirectional")
    y = net.op("Reshape", net.op("Transpose", y, perm=[2, 0, 1, 3]), net.ints(0, 0, -1))
    last = net.op("Reshape", net.op("Transpose", last, perm=[1, 0, 2]), net.ints(0, -1))
    return net.model(net.linear(y, 8, 3), net.linear(last, 8, 2))


def super_resolution() -> ModelProto:
    net = RandomNet()
    x = net.op("ConvTranspose", net.input("x", 1, 4, 3, 3), net.weight(4, 4, 2, 2), group=2, strides=[2, 2])
    x = net.op("DepthToSpace", x, blocksize=2, mode="CRD")
    x = net.op("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    return net.model(net.op("SpaceToDepth", net.conv(x, (2, 3), 3), blocksize=2))


def group_norm() -> ModelProto:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 4, 4), (3, 6), 1)
    y = net.op("Reshape", x, net.ints(0, 2, -1))
    y = net.op("InstanceNormalization", y, net.weight(2), net.weight(2))
    y = net.op("Mul", net.op("Reshape", y, net.ints(1, 6, 4, 4)), net.weight(6, 1, 1))
    return net.model(net.conv(net.op("Add", x, y), (6, 2), 1))


def layer_norm_by_hand() -> ModelProto:
    net = RandomNet()
    x = net.linear(net.input("x", 1, 5, 6), 6, 4)
    centered = net.op("Sub", x, net.op("ReduceMean", x, net.ints(-1)))
    variance = net.op("ReduceMean", net.op("Mul", centered, centered), net.ints(-1))
    scale = net.op("Sqrt", net.op("Add", variance, net.constant(1e-5, np.float32)))
    return net.model(net.linear(net.op("Mul", net.op("Div", centered, scale), net.weight(4)), 4, 3))


def spatial_attention() -> ModelProto:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 4, 4), (3, 6), 1)
    seen = (net.op(op, x, net.ints(1)) for op in ("ReduceMean", "ReduceMax"))
    gate = net.op("Sigmoid", net.conv(net.op("Concat", *seen, axis=1), (2, 1), 3, pad=1))
    return net.model(net.conv(net.op("Mul", x, gate), (6, 2), 1))


def selective_kernel() -> ModelProto:
    net = RandomNet()
    x = net.input("x", 1, 3, 4, 4)
    left, right = net.conv(x, (3, 4), 1), net.conv(x, (3, 4), 3, pad=1)
    both = net.op("Concat", *(net.op("Unsqueeze", y, net.ints(1)) for y in (left, right)), axis=1)
    pooled = net.op("Flatten", net.op("GlobalAveragePool", net.op("Add", left, right)))
    gate = net.op("Softmax", net.op("Reshape", net.dense(pooled, 4, 8), net.ints(1, 2, 4, 1, 1)), axis=1)
    mixed = net.op("ReduceSum", net.op("Mul", both, gate), net.ints(1), keepdims=0)
    return net.model(net.conv(mixed, (4, 2), 1))


def mixer() -> ModelProto:
    net = RandomNet()
    x = net.linear(net.input("x", 1, 5, 6), 6, 4)
    y = net.op("LeakyRelu", net.linear(net.op("Transpose", x, perm=[0, 2, 1]), 5, 7))
    y = net.op("Transpose", net.linear(y, 7, 5), perm=[0, 2, 1])
    return net.model(net.linear(net.op("Add", x, y), 4, 3))


def embedding() -> ModelProto:
    net = RandomNet()
    ids = net.input("ids", 1, 5, dtype=TensorProto.INT64)
    x = net.op("Add", net.op("Gather", net.weight(9, 6), ids), net.weight(5, 6))
    first = net.op("Gather", net.layer_norm(x, 6), net.constant(0, np.int64), axis=1)
    return net.model(net.op("MatMul", first, net.weight(6, 3)))


def other_sides() -> ModelProto:
    """Weights on the left, a transposed Gemm, batches of weights, half of the channels picked by index."""
    net = RandomNet()
    x = net.op("MatMul", net.weight(4, 3), net.input("x", 2, 3, 5))
    x = net.op("Gather", x, net.ints(3, 1, 0, 0), axis=1)
    x = net.op("MatMul", net.op("Transpose", x, perm=[0, 2, 1]), net.weight(4, 6))
    x = net.op("Unsqueeze", x, net.ints(1))
    x = net.op("MatMul", x, net.weight(2, 6, 3))
    x = net.op("MatMul", net.op("LeakyRelu", x), net.weight(2, 3, 4))
    x = net.op("Reshape", net.op("ReduceMax", x, net.ints(2), keepdims=0), net.ints(2, 8))
    return net.model(net.op("Gemm", net.weight(8, 3), x, transA=1, transB=1))


def choices() -> ModelProto:
    net = RandomNet()
    x = net.input("x", 1, 3, 20)
    left, right = (net.op("Conv", x, net.weight(4, 3, 3)) for _ in range(2))
    y = net.op("Where", net.op("Greater", left, right), left, right)
    y = net.op("Max", y, net.op("Sub", left, net.op("ReduceMean", right, net.ints(2))))
    parts = net.ops("Split", y, net.ints(1, 3), count=2, axis=1)
    return net.model(net.op("Conv", net.op("Mul", parts[1], net.op("Tanh", parts[0])), net.weight(2, 3, 1)))


def loop() -> ModelProto:
    body = RandomNet("body_")
    body.inputs = [
        helper.make_tensor_value_info("step", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, [2, 4]),
    ]
    state = body.op("LeakyRelu", body.dense("state", 4, 4))
    on = body.op("Identity", "go")
    body.dtypes[on] = TensorProto.BOOL
    net = RandomNet()
    x = net.dense(net.input("x", 2, 3), 3, 4)
    trips = net.constant(3, np.int64), net.constant(True, np.bool_)
    y = net.ops("Loop", *trips, x, count=2, body=body.graph(on, state, state))
    return net.model(net.dense(y[0], 4, 2), net.linear(y[1], 4, 2))


def branches() -> ModelProto:
    then, other = RandomNet("then_"), RandomNet("else_", 1)
    net = RandomNet()
    x = net.dense(net.input("x", 2, 3), 3, 4)
    y = net.op(
        "If", net.input("yes", dtype=TensorProto.BOOL),
        then_branch=then.graph(then.dense(x, 4, 5)),
        else_branch=other.graph(other.dense(x, 4, 5)),
    )  # fmt: skip
    return net.model(net.dense(y, 5, 2))


NETS: dict[str, Callable[[], ModelProto]] = {
    build.__name__: build
    for build in (
        mlp, grouped_flatten, residual, dense_block, split_shuffle, squeeze_excite, swiglu, attention_by_hand,
        attention_by_einsum, multi_head, grouped_query, onnx_attention, projected_attention, channels_last, lstm,
        super_resolution, group_norm, layer_norm_by_hand, spatial_attention, selective_kernel, mixer, embedding,
        other_sides, choices, loop, branches,
    )
}  # fmt: skip
