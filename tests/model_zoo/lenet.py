"""The two LeNets of Han (2015) and a small dense network, written in two ways."""

from __future__ import annotations

import itertools

from onnx import ModelProto
from oracles.builder import Net


def lenet_300_100() -> ModelProto:
    return mlp(784, 300, 100, 10)


def lenet_5_caffe() -> ModelProto:
    net = Net()
    x = net.max_pool(net.conv(net.input("x", 1, 1, 28, 28), (1, 20), 5, bias=True, name="conv1"), 2, 2)
    x = net.max_pool(net.conv(x, (20, 50), 5, bias=True, name="conv2"), 2, 2)
    x = net.op("Relu", net.dense(net.op("Flatten", x), 800, 500, name="ip1"))
    return net.model(net.dense(x, 500, 10, name="ip2"))


def mlp(*widths: int, gemm: bool = True) -> ModelProto:
    """Dense layers fc1, fc2 … with ReLU between, as Gemm or as MatMul and Add."""
    net = Net()
    x = net.input("x", 1, widths[0])
    layer = net.dense if gemm else net.linear
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths), 1):
        x = net.op("Relu", x) if number > 1 else x
        x = layer(x, inputs, outputs, name=f"fc{number}")
    return net.model(x)
