"""Classic image classifiers as torchvision builds them, for 1x3x224x224 and 1,000 classes."""

from __future__ import annotations

from onnx import ModelProto
from oracles.builder import Net


def resnet50() -> ModelProto:
    """v1.5: the stride of a block sits on its 3x3 convolution."""
    net = Net()
    x = _conv_norm(net, net.input("x", 1, 3, 224, 224), (3, 64), 7, stride=2, pad=3)
    x = net.max_pool(x, 3, 2, pad=1)
    inputs = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for block in range(blocks):
            x = _bottleneck(net, x, inputs, width, 2 if stage and not block else 1)
            inputs = 4 * width
    return net.model(net.dense(net.op("Flatten", net.op("GlobalAveragePool", x)), 2048, 1000))


def _bottleneck(net: Net, x: str, inputs: int, width: int, stride: int) -> str:
    outputs = 4 * width
    y = _conv_norm(net, x, (inputs, width), 1)
    y = _conv_norm(net, y, (width, width), 3, stride=stride, pad=1)
    y = _conv_norm(net, y, (width, outputs), 1, relu=False)
    shortcut = x if inputs == outputs else _conv_norm(net, x, (inputs, outputs), 1, stride=stride, relu=False)
    return net.op("Relu", net.op("Add", y, shortcut))


def _conv_norm(
    net: Net,
    x: str,
    channels: tuple[int, int],
    kernel: int,
    *,
    stride: int = 1,
    pad: int = 0,
    relu: bool = True,
) -> str:
    x = net.batch_norm(net.conv(x, channels, kernel, stride=stride, pad=pad), channels[1])
    return net.op("Relu", x) if relu else x


def vgg19() -> ModelProto:
    net = Net()
    x, inputs = net.input("x", 1, 3, 224, 224), 3
    for convolutions, width in ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)):
        for _ in range(convolutions):
            x, inputs = net.op("Relu", net.conv(x, (inputs, width), 3, pad=1, bias=True)), width
        x = net.max_pool(x, 2, 2)
    x = net.op("Relu", net.dense(net.op("Flatten", x), 512 * 7 * 7, 4096))
    return net.model(net.dense(net.op("Relu", net.dense(x, 4096, 4096)), 4096, 1000))


def densenet121() -> ModelProto:
    net = Net()
    x = _conv_norm(net, net.input("x", 1, 3, 224, 224), (3, 64), 7, stride=2, pad=3)
    x, width = net.max_pool(x, 3, 2, pad=1), 64
    for stage, layers in enumerate((6, 12, 24, 16)):
        if stage:
            x = _norm_conv(net, x, (width, width // 2), 1)
            x, width = net.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), width // 2
        for _ in range(layers):
            y = _norm_conv(net, _norm_conv(net, x, (width, 128), 1), (128, 32), 3, pad=1)
            x, width = net.op("Concat", x, y, axis=1), width + 32
    x = net.op("GlobalAveragePool", net.op("Relu", net.batch_norm(x, width)))
    return net.model(net.dense(net.op("Flatten", x), width, 1000))


def _norm_conv(net: Net, x: str, channels: tuple[int, int], kernel: int, *, pad: int = 0) -> str:
    return net.conv(net.op("Relu", net.batch_norm(x, channels[0])), channels, kernel, pad=pad)


def squeezenet() -> ModelProto:
    """Version 1.1."""
    net = Net()
    x = net.op("Relu", net.conv(net.input("x", 1, 3, 224, 224), (3, 64), 3, stride=2, bias=True))
    width = 64
    for squeeze, count in ((16, 2), (32, 2), (48, 2), (64, 2)):
        x = net.max_pool(x, 3, 2, ceil=1) if squeeze != 64 else x
        for _ in range(count):
            x, width = _fire(net, x, width, squeeze), 8 * squeeze
    x = net.op("Relu", net.conv(x, (512, 1000), 1, bias=True))
    return net.model(net.op("Flatten", net.op("GlobalAveragePool", x)))


def _fire(net: Net, x: str, width: int, squeeze: int) -> str:
    x = net.op("Relu", net.conv(x, (width, squeeze), 1, bias=True))
    narrow = net.op("Relu", net.conv(x, (squeeze, 4 * squeeze), 1, bias=True))
    wide = net.op("Relu", net.conv(x, (squeeze, 4 * squeeze), 3, pad=1, bias=True))
    return net.op("Concat", narrow, wide, axis=1)
