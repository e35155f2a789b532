"""Strengths are sums of |w| times the mean activation, worked out here weight by weight in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from model_zoo.channel_nets import MICROSOFT, RandomNet
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper
from oracles.channel_pass import channels_of
from oracles.perturbation import edges

from nnea_graph.channels.graph import ChannelGraph

Matrix = NDArray[np.float64]
Case = tuple[ModelProto, Matrix]


def weights_of(model: ModelProto) -> Iterator[Matrix]:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            yield numpy_helper.to_array(tensor).astype(np.float64)


def last_link(channels: ChannelGraph, target: str, source: str = "x") -> Matrix:
    (link,) = (link for link in channels.into[target] if link.source == source)
    return np.asarray(edges(link, channels.tensors[target].count, channels.tensors[source].count))


def conv() -> Case:
    net = RandomNet()
    model = net.model(net.op("Conv", net.input("x", 1, 4, 5, 5), net.weight(6, 2, 3, 2), group=2))
    (w,) = weights_of(model)
    full = np.zeros((6, 4))
    for out in range(6):
        for tap in np.ndindex(2, 3, 2):
            full[out, (out // 3) * 2 + tap[0]] += abs(w[out, *tap])
    return model, full


def conv_transpose() -> Case:
    net = RandomNet()
    model = net.model(net.op("ConvTranspose", net.input("x", 1, 4, 5), net.weight(4, 3, 2), group=2))
    (w,) = weights_of(model)
    full = np.zeros((6, 4))
    for source, out, tap in np.ndindex(4, 3, 2):
        full[(source // 2) * 3 + out, source] += abs(w[source, out, tap])
    return model, full


def gemm() -> Case:
    net = RandomNet()
    model = net.model(net.op("Gemm", net.input("x", 2, 3), net.weight(4, 3), transB=1, alpha=2.0))
    (w,) = weights_of(model)
    return model, np.abs(w)


def matmul_left() -> Case:
    net = RandomNet()
    model = net.model(net.op("MatMul", net.weight(4, 3), net.input("x", 3, 5)))
    (w,) = weights_of(model)
    return model, np.abs(w)


def flattened() -> Case:
    net = RandomNet()
    model = net.model(
        net.op("MatMul", net.op("Reshape", net.input("x", 2, 3, 2), net.ints(2, 6)), net.weight(6, 4))
    )
    (w,) = weights_of(model)
    return model, np.abs(w).T


def einsum_heads() -> Case:
    net = RandomNet()
    model = net.model(
        net.op("Einsum", net.input("x", 1, 5, 2, 3), net.weight(2, 3, 4), equation="bthd,hdc->btc")
    )
    (w,) = weights_of(model)
    return model, np.abs(w).reshape(6, 4).T


def einsum_keeps_heads() -> Case:
    """The head is a batch letter and the input's heads are no channels: each sum is over heads."""
    net = RandomNet()
    model = net.model(
        net.op("Einsum", net.input("x", 1, 2, 5, 3), net.weight(2, 3, 4), equation="bhtd,hdc->bhtc")
    )
    (w,) = weights_of(model)
    return model, np.abs(w).sum(0).T


def lstm() -> Case:
    net = RandomNet()
    weights = net.weight(2, 16, 3), net.weight(2, 16, 4)
    (y,) = net.ops(
        "LSTM", net.input("x", 5, 1, 3), *weights, count=1, hidden_size=4, direction="bidirectional"
    )
    model = net.model(y)
    w, _ = weights_of(model)
    full = np.zeros((8, 3))
    for direction, gate, hidden, source in np.ndindex(2, 4, 4, 3):
        full[direction * 4 + hidden, source] += abs(w[direction, gate * 4 + hidden, source])
    return model, full


def projected_attention() -> Case:
    net = RandomNet()
    x, w = net.input("x", 1, 5, 6), net.weight(6, 14)
    model = net.model(
        net.op("Attention", x, w, net.weight(14), domain=MICROSOFT, num_heads=2, qkv_hidden_sizes=[4, 4, 6])
    )
    w_all, _ = weights_of(model)
    return model, np.abs(w_all)[:, 8:].T


def quantized() -> Case:
    """DequantizeLinear by output channel: |w| is what the operator sees."""
    net = RandomNet()
    stored = net.random.integers(-100, 100, (4, 3, 1, 1)).astype(np.int8)
    scale = np.array([0.5, 0.25, 2.0, 1.0], np.float32)
    w = net.op("DequantizeLinear", net.constant(stored), net.constant(scale), axis=0)
    model = net.model(net.op("Conv", net.input("x", 1, 3, 4, 4), w))
    return model, np.abs(stored.reshape(4, 3) * scale[:, None]).astype(np.float64)


CASES: tuple[Callable[[], Case], ...] = (
    conv, conv_transpose, gemm, matmul_left, flattened, einsum_heads, einsum_keeps_heads, lstm,
    projected_attention, quantized,
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_strengths_are_sums_of_magnitudes(case: Callable[[], Case]) -> None:
    model, expected = case()
    channels, output = channels_of(model), model.graph.output[0].name
    source = channels.into[output][0].source
    np.testing.assert_allclose(last_link(channels, output, source), expected, rtol=1e-6)


def test_a_mean_activation_scales_the_strengths_of_its_channel() -> None:
    model, plain = conv()
    means = np.array([1.0, 0.0, 3.0, 0.5])
    output = model.graph.output[0].name
    measured = channels_of(model, {("x", 1): means})
    np.testing.assert_allclose(last_link(measured, output), plain * means, rtol=1e-6)


def test_means_of_another_length_are_not_used() -> None:
    model, plain = conv()
    measured = channels_of(model, {("x", 1): np.ones(5), ("x", 2): np.full(5, 7.0)})
    np.testing.assert_allclose(last_link(measured, model.graph.output[0].name), plain, rtol=1e-6)


def test_positions_that_are_taken_for_channels_share_the_strengths_of_one() -> None:
    """A single channel, laid out as 6 features: its strength is the sum of theirs."""
    net = RandomNet()
    x = net.op("Conv", net.input("x", 1, 2, 6), net.weight(1, 2, 1), name="conv")
    model = net.model(net.op("MatMul", net.op("Squeeze", x, net.ints(1)), net.weight(6, 4)))
    channels = channels_of(model)
    (link,) = channels.into[model.graph.output[0].name]
    *_, w = weights_of(model)
    np.testing.assert_allclose(edges(link, 4, 1)[:, 0], np.abs(w).sum(0), rtol=1e-6)
