"""Small networks of every kind of layer, with their importance written out layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from oracles.weighing import Case, X, along, grouped, mean_abs

Array = NDArray[Any]
SAMPLES = 64
MICROSOFT = "com.microsoft"


class _Made:
    """Operators and weights as they are added; random weights are seeded by their order."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, Array] = {}

    def w(self, name: str, *shape: int) -> Array:
        """Normal numbers of widely different sizes, some of them 0."""
        values = self.rng.standard_normal(shape) * np.exp(self.rng.standard_normal(shape))
        return self.put(name, np.where(self.rng.random(shape) < 0.1, 0, values).astype(np.float32))

    def put(self, name: str, values: ArrayLike, dtype: type[Any] | None = None) -> Array:
        self.weights[name] = np.array(values, dtype)
        return self.weights[name]

    def op(self, op_type: str, inputs: str, outputs: str, **attributes: Any) -> None:
        """``inputs`` and ``outputs`` are names between blanks, _ for one left out; the operator has its output's."""
        read, made = (["" if name == "_" else name for name in text.split()] for text in (inputs, outputs))
        name = next(name for name in made if name)
        self.nodes.append(helper.make_node(op_type, read, made, name=name, **attributes))

    def model(self, inputs: dict[str, tuple[int, list[Any]]], output: str) -> ModelProto:
        domains = sorted({node.domain for node in self.nodes if node.domain})
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(name, kind, dims) for name, (kind, dims) in inputs.items()],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(values, name) for name, values in self.weights.items()],
        )
        opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def data(self, *shape: int) -> Array:
        sizes = np.exp(self.rng.standard_normal(shape[1]))
        values = self.rng.standard_normal((SAMPLES, *shape[1:])) * sizes.reshape(-1, *[1] * (len(shape) - 2))
        return values.astype(np.float32)


def floats(*dims: Any) -> tuple[int, list[Any]]:
    return TensorProto.FLOAT, list(dims)


def mlp() -> Case:
    m = _Made(1)
    w1, w2, w3 = m.w("w1", 20, 12), m.w("w2", 20, 15), m.w("w3", 15, 4)
    for name, size in (("b1", 20), ("b2", 15), ("b3", 4)):
        m.w(name, size)
    m.op("Gemm", "x w1 b1", "h1", transB=1)
    m.op("Relu", "h1", "r1")
    m.op("Gemm", "r1 w2 b2", "h2")
    m.op("Tanh", "h2", "t2")
    m.op("MatMul", "t2 w3", "h3")
    m.op("Add", "h3 b3", "y")
    x = m.data(SAMPLES, 12)
    x[:, 3] = 0  # an input that never carries anything
    return Case(
        m.model({"x": floats("batch", 12)}, "y"),
        {"x": x},
        {
            "h1": lambda a: [along(w1, 1, mean_abs(a["x"], 1))],
            "h2": lambda a: [along(w2, 0, mean_abs(a["r1"], 1))],
            "h3": lambda a: [along(w3, 0, mean_abs(a["t2"], 1))],
        },
        {
            "h1": lambda a: [along(w1, 0, mean_abs(a["r1"], 1))],
            "h2": lambda a: [along(w2, 1, mean_abs(a["t2"], 1))],
            "h3": lambda a: [along(w3, 1, mean_abs(a["h3"], 1))],
        },
    )


def cnn() -> Case:
    m = _Made(2)
    w1, w2, w3 = m.w("w1", 8, 3, 3, 3), m.w("w2", 12, 2, 3, 3), m.w("w3", 12, 1, 5, 5)
    w4, scale = m.w("w4", 12, 3, 2, 2), m.w("scale", 12)
    for name, size in (("b1", 8), ("shift", 12), ("mean", 12)):
        m.w(name, size)
    m.put("var", np.linspace(0.5, 2, 12), np.float32)
    m.op("Conv", "x w1 b1", "c1", pads=[1] * 4)
    m.op("Relu", "c1", "r1")
    m.op("Conv", "r1 w2", "c2", group=4)
    m.op("Sigmoid", "c2", "g2")
    m.op("Mul", "g2 c2", "s2")
    m.op("Conv", "s2 w3", "c3", group=12, pads=[2] * 4)
    m.op("BatchNormalization", "c3 scale shift mean var", "n3")
    m.op("Clip", "n3 zero six", "r3")
    m.put("zero", 0, np.float32)
    m.put("six", 6, np.float32)
    m.op("ConvTranspose", "r3 w4", "c4", group=3, strides=[2, 2])
    m.op("GlobalAveragePool", "c4", "y")
    return Case(
        m.model({"x": floats("batch", 3, 9, 7)}, "y"),
        {"x": m.data(SAMPLES, 3, 9, 7)},
        {
            "c1": lambda a: [along(w1, 1, mean_abs(a["x"], 1))],
            "c2": lambda a: [grouped(w2, 4, mean_abs(a["r1"], 1), along_first=False)],
            "c3": lambda a: [grouped(w3, 12, mean_abs(a["s2"], 1), along_first=False)],
            "n3": lambda a: [along(scale, 0, mean_abs(a["c3"], 1))],
            "c4": lambda a: [along(w4, 0, mean_abs(a["r3"], 1))],
        },
        {
            "c1": lambda a: [along(w1, 0, mean_abs(a["r1"], 1))],
            "c2": lambda a: [along(w2, 0, mean_abs(a["s2"], 1))],
            "c3": lambda a: [along(w3, 0, mean_abs(a["r3"], 1))],
            "n3": lambda a: [along(scale, 0, mean_abs(a["r3"], 1))],
            "c4": lambda a: [grouped(w4, 3, mean_abs(a["c4"], 1), along_first=False)],
        },
    )


def transformer() -> Case:
    m = _Made(3)
    width, rows = 16, 30
    table = m.w("table", rows, width)
    w = {name: m.w(f"w{name}", width, width) for name in "qkvo"}
    up, down, head = m.w("up", width, 24), m.w("down", 24, width), m.w("head", width, 5)
    gains = {name: m.w(name, width) for name in ("gain1", "gain2")}
    for name in ("bias1", "bias2", "position"):
        m.w(name, width)
    m.put("root", 4.0, np.float32)
    m.op("Gather", "table ids", "words")
    m.op("LayerNormalization", "words gain1 bias1", "n1", axis=-1)
    for name in "qkv":
        m.op("MatMul", f"n1 w{name}", name)
    m.op("Transpose", "k", "kt", perm=[0, 2, 1])
    m.op("MatMul", "q kt", "scores")
    m.op("Div", "scores root", "scaled")
    m.op("Softmax", "scaled", "p", axis=-1)
    m.op("MatMul", "p v", "mixed")
    m.op("MatMul", "mixed wo", "out")
    m.op("Add", "words out", "res")
    m.op("LayerNormalization", "res gain2 bias2", "n2", axis=-1)
    m.op("MatMul", "n2 up", "wide")
    m.op("Relu", "wide", "active")
    m.op("MatMul", "active down", "narrow")
    m.op("Add", "res narrow", "last")
    m.op("MatMul", "last head", "y")
    ids = m.rng.integers(0, rows - 5, (SAMPLES, 6))
    ids[0, 0] = -1  # counts from the end

    def used(ids: Array) -> Array:
        counts = np.zeros(rows)
        for each in ids.reshape(-1):
            counts[each] += 1
        return counts / ids.size

    def projected(name: str, axis: int, tensor: str) -> X:
        return lambda a: [along(w[name], axis, mean_abs(a[tensor], 2))]

    return Case(
        m.model({"ids": (TensorProto.INT64, ["batch", 6])}, "y"),
        {"ids": ids},
        {
            "words": lambda a: [along(table, 0, used(a["ids"]))],
            "n1": lambda a: [along(gains["gain1"], 0, mean_abs(a["words"], 2))],
            **{name: projected(name, 0, "n1") for name in "qkv"},
            "out": lambda a: [along(w["o"], 0, mean_abs(a["mixed"], 2))],
            "n2": lambda a: [along(gains["gain2"], 0, mean_abs(a["res"], 2))],
            "wide": lambda a: [along(up, 0, mean_abs(a["n2"], 2))],
            "narrow": lambda a: [along(down, 0, mean_abs(a["active"], 2))],
            "y": lambda a: [along(head, 0, mean_abs(a["last"], 2))],
        },
        {
            "words": lambda a: [along(table, 1, mean_abs(a["words"], 2))],
            "n1": lambda a: [along(gains["gain1"], 0, mean_abs(a["n1"], 2))],
            **{name: projected(name, 1, name) for name in "qkv"},
            "out": lambda a: [along(w["o"], 1, mean_abs(a["out"], 2))],
            "n2": lambda a: [along(gains["gain2"], 0, mean_abs(a["n2"], 2))],
            "wide": lambda a: [along(up, 1, mean_abs(a["active"], 2))],
            "narrow": lambda a: [along(down, 1, mean_abs(a["narrow"], 2))],
            "y": lambda a: [along(head, 1, mean_abs(a["y"], 2))],
        },
    )


def recurrent() -> Case:
    """An LSTM that gives all its states, a GRU of two directions that gives its last ones."""
    m = _Made(4)
    w1, r1 = m.w("w1", 1, 20, 6), m.w("r1", 1, 20, 5)
    w2, r2 = m.w("w2", 2, 12, 5), m.w("r2", 2, 12, 4)
    head = m.w("head", 4, 3)
    m.put("one", [1], np.int64)
    m.op("Transpose", "x", "xt", perm=[1, 0, 2])
    m.op("LSTM", "xt w1 r1", "states", hidden_size=5)
    m.op("Squeeze", "states one", "flat")
    m.op("GRU", "flat w2 r2", "_ ends", hidden_size=4, direction="bidirectional")
    m.op("MatMul", "ends head", "y")
    feeds = {"x": m.rng.standard_normal((SAMPLES, 7, 6)).astype(np.float32)}

    def four(means: Array) -> Array:
        return np.concatenate([means] * 4)

    def three(means: Array) -> Array:
        return np.concatenate([means] * 3)

    return Case(
        m.model({"x": floats("batch", 7, 6)}, "y"),
        feeds,
        {
            "states": lambda a: [
                along(w1, 2, mean_abs(a["xt"], 2)),
                along(r1, 2, mean_abs(a["states"], 3)),
            ],
            "ends": lambda a: [along(w2, 2, mean_abs(a["flat"], 2)), along(r2, 2, mean_abs(a["ends"], 2))],
            "y": lambda a: [along(head, 0, mean_abs(a["ends"], 2))],
        },
        {
            "states": lambda a: [
                along(w1, 1, four(mean_abs(a["states"], 3))),
                along(r1, 1, four(mean_abs(a["states"], 3))),
            ],
            "ends": lambda a: [
                along(w2, 1, three(mean_abs(a["ends"], 2))),
                along(r2, 1, three(mean_abs(a["ends"], 2))),
            ],
            "y": lambda a: [along(head, 1, mean_abs(a["y"], 2))],
        },
    )


def scaled() -> Case:
    """Scales of every kind, constants on the left, vectors, a table chosen from along its second axis."""
    m = _Made(5)
    scale, gain, slope = m.w("scale", 6, 1), m.w("gain", 6), m.w("slope", 6, 1)
    left, vector, wide = m.w("left", 4, 6), m.w("vector", 5), m.w("wide", 4)
    table = m.w("table", 3, 9)
    m.w("shift", 6)
    m.put("picked", [1, 1, 4, 8], np.int64)
    m.op("Mul", "x scale", "scaled")
    m.op("InstanceNormalization", "scaled gain shift", "normal")
    m.op("PRelu", "normal slope", "bent")
    m.op("MatMul", "left bent", "mixed")
    m.op("MatMul", "mixed vector", "seen")
    m.op("ReduceMean", "seen", "one", axes=[1], keepdims=1)
    m.op("Mul", "one wide", "spread")
    m.op("Tanh", "spread", "r")
    m.op("Gather", "table ids", "rows", axis=1)
    m.op("ReduceSum", "rows", "sum", keepdims=0)
    m.op("Add", "r sum", "y")
    del m.weights["picked"]
    ids = m.rng.integers(0, 9, (SAMPLES, 2))

    def used(ids: Array) -> Array:
        counts = np.zeros(9)
        for each in ids.reshape(-1):
            counts[each] += 1
        return counts / ids.size

    return Case(
        m.model({"x": floats("batch", 6, 5), "ids": (TensorProto.INT64, ["batch", 2])}, "y"),
        {"x": m.data(SAMPLES, 6, 5), "ids": ids},
        {
            "scaled": lambda a: [along(scale, 0, mean_abs(a["x"], 1))],
            "normal": lambda a: [along(gain, 0, mean_abs(a["scaled"], 1))],
            "bent": lambda a: [along(slope, 0, mean_abs(a["normal"], 1))],
            "mixed": lambda a: [along(left, 1, mean_abs(a["bent"], 1))],
            "seen": lambda a: [along(vector, 0, mean_abs(a["mixed"], 2))],
            "spread": lambda a: [
                np.abs(wide.astype(np.float64)) * np.abs(a["one"].astype(np.float64)).mean()
            ],
            "rows": lambda a: [along(table, 1, used(a["ids"]))],
        },
        {
            "scaled": lambda a: [along(scale, 0, mean_abs(a["scaled"], 1))],
            "normal": lambda a: [along(gain, 0, mean_abs(a["bent"], 1))],
            "bent": lambda a: [along(slope, 0, mean_abs(a["bent"], 1))],
            "mixed": lambda a: [along(left, 0, mean_abs(a["mixed"], 1))],
            "spread": lambda a: [along(wide, 0, mean_abs(a["r"], 1))],
        },
    )


def quantized() -> Case:
    """Integers that stand for numbers: a convolution, a matrix of 4 bits, a weight behind DequantizeLinear."""
    m = _Made(6)
    m.put("xs", 0.05, np.float32)
    m.put("xz", 120, np.uint8)
    m.put("ys", 0.11, np.float32)
    m.put("yz", 90, np.uint8)
    w8 = m.put("w8", m.rng.integers(0, 256, (6, 2, 3, 3)), np.uint8)
    w8s = m.put("w8s", np.exp(m.rng.standard_normal(6)) / 50, np.float32)
    m.put("w8z", np.full(6, 128), np.uint8)
    conv = (w8.astype(np.float64) - 128) * w8s.astype(np.float64).reshape(6, 1, 1, 1)
    m.op("QuantizeLinear", "x xs xz", "q")
    m.op("QLinearConv", "q xs xz w8 w8s w8z ys yz", "qc", group=2)
    m.op("DequantizeLinear", "qc ys yz", "c")
    m.op("ReduceMean", "c", "pooled", axes=[2, 3], keepdims=0)
    d8 = m.put("d8", m.rng.integers(-128, 128, (16, 6)), np.int8)
    d8s = m.put("d8s", np.exp(m.rng.standard_normal(16)) / 50, np.float32)
    m.put("d8z", np.zeros(16), np.int8)
    dense = (d8.astype(np.float64) * d8s.astype(np.float64).reshape(16, 1)).T
    m.op("DequantizeLinear", "d8 d8s d8z", "wide", axis=0)
    m.op("Transpose", "wide", "tall", perm=[1, 0])
    m.op("MatMul", "pooled tall", "h")
    m.op("Relu", "h", "r")
    packed = m.put("packed", m.rng.integers(0, 256, (4, 1, 8)), np.uint8)
    blocks = m.put("blocks", np.exp(m.rng.standard_normal(4)) / 10, np.float32)
    nibbles = np.stack([packed & 15, packed >> 4], -1).reshape(4, 16).astype(np.float64) - 8
    four_bits = (nibbles * blocks.astype(np.float64).reshape(4, 1)).T
    m.op("MatMulNBits", "r packed blocks", "y", K=16, N=4, bits=4, block_size=16, domain=MICROSOFT)

    def numbers(a: Array, scale: float, zero: int) -> Array:
        return (a.astype(np.float64) - zero) * float(np.float32(scale))

    return Case(
        m.model({"x": floats("batch", 4, 6, 6)}, "y"),
        {"x": m.data(SAMPLES, 4, 6, 6)},
        {
            "qc": lambda a: [grouped(conv, 2, mean_abs(numbers(a["q"], 0.05, 120), 1), along_first=False)],
            "h": lambda a: [along(dense, 0, mean_abs(a["pooled"], 1))],
            "y": lambda a: [along(four_bits, 0, mean_abs(a["r"], 1))],
        },
        {
            "qc": lambda a: [along(conv, 0, mean_abs(numbers(a["qc"], 0.11, 90), 1))],
            "h": lambda a: [along(dense, 1, mean_abs(a["r"], 1))],
            "y": lambda a: [along(four_bits, 1, mean_abs(a["y"], 1))],
        },
    )


CASES = {
    "mlp": mlp(),
    "cnn": cnn(),
    "transformer": transformer(),
    "recurrent": recurrent(),
    "scaled": scaled(),
    "quantized": quantized(),
}
