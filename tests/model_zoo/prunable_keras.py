"""Keras convolutional networks, drawn by seed, as tf2onnx exports them: channels last, Transpose around every Conv."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import ModelProto

from model_zoo.keras_nets import keras, layers
from nnea_graph.frontends.tf2onnx.imports import imported

SIZE = 8


class KerasNet:
    """Draws layers; what it draws depends on the seed alone."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def pick(self, *options: Any) -> Any:
        return options[int(self.random.integers(len(options)))]

    def layer(self, x: Any, channels: int, kernel: int = 3) -> Any:
        conv = layers.Conv2D(channels, kernel, padding="same", use_bias=self.pick(True, False))
        return self.active(self.norm(conv(x)))

    def norm(self, x: Any) -> Any:
        kind = self.pick("", "plain", "no scale")
        return layers.BatchNormalization(scale=kind == "plain")(x) if kind else x

    def active(self, x: Any) -> Any:
        return layers.Activation(self.pick("relu", "relu6", "leaky_relu", "silu", "tanh"))(x)


Block = Callable[[KerasNet, Any], Any]


def plain(net: KerasNet, x: Any) -> Any:
    return net.layer(x, net.pick(6, 8), net.pick(1, 3))


def residual(net: KerasNet, x: Any) -> Any:
    return net.active(
        layers.Add()([x, net.norm(layers.Conv2D(x.shape[-1], 3, padding="same")(net.layer(x, 6)))])
    )


def projected(net: KerasNet, x: Any) -> Any:
    return layers.Add()([layers.Conv2D(10, 1)(x), net.layer(x, 10)])


def dense(net: KerasNet, x: Any) -> Any:
    return layers.Concatenate()([x, net.layer(x, 4), net.layer(net.layer(x, 5, 1), 4)])


def depthwise(net: KerasNet, x: Any) -> Any:
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=net.pick(1, 2))(x)
    return net.active(net.norm(y))


def separable(net: KerasNet, x: Any) -> Any:
    return net.active(layers.SeparableConv2D(8, 3, padding="same")(x))


def squeezed(net: KerasNet, x: Any) -> Any:
    """A gate for every channel."""
    y = layers.GlobalAveragePooling2D(keepdims=net.pick(True, False))(x)
    if len(y.shape) == 2:
        y = layers.Reshape((1, 1, x.shape[-1]))(y)
    y = layers.Dense(4, activation="relu")(y) if net.pick(0, 1) else layers.Conv2D(4, 1, activation="relu")(y)
    return layers.Multiply()([x, layers.Conv2D(x.shape[-1], 1, activation="sigmoid")(y)])


def inverted(net: KerasNet, x: Any) -> Any:
    y = squeezed(net, depthwise(net, net.layer(x, 12, 1)))
    return layers.Add()([x, net.norm(layers.Conv2D(x.shape[-1], 1)(y))])


def pooled(net: KerasNet, x: Any) -> Any:
    pool = net.pick(layers.MaxPooling2D, layers.AveragePooling2D)
    return layers.UpSampling2D(2, interpolation=net.pick("nearest", "bilinear"))(pool(2, padding="same")(x))


def transposed(net: KerasNet, x: Any) -> Any:
    y = layers.Conv2D(6, 3, strides=2, padding="same")(x)
    return net.active(layers.Conv2DTranspose(8, 2, strides=2, padding="same")(y))


def padded(net: KerasNet, x: Any) -> Any:
    return layers.Cropping2D(1)(net.layer(layers.ZeroPadding2D(1)(x), 8))


def wide(net: KerasNet, x: Any) -> Any:
    """Dense layers on every position."""
    return net.active(layers.Dense(7)(layers.Dense(9, activation="silu")(x)))


def normalized(net: KerasNet, x: Any) -> Any:
    """Over the channels of each position, between two layers."""
    return net.layer(layers.LayerNormalization(epsilon=1e-3)(net.layer(x, 8)), 6)


def group_normalized(net: KerasNet, x: Any) -> Any:
    """Over the channels of each group."""
    return net.active(layers.GroupNormalization(4)(net.layer(x, 12)))


BLOCKS: tuple[Block, ...] = (
    plain, residual, projected, dense, depthwise, separable, squeezed, inverted, pooled, transposed, padded, wide,
    normalized, group_normalized,
)  # fmt: skip


def keras_net(seed: int, blocks: tuple[Block, ...] | None = None) -> ModelProto:
    """A few blocks, drawn at random, between a first layer and dense ones; weights are random numbers."""
    keras.utils.clear_session()
    net = KerasNet(seed)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = net.layer(image, net.pick(6, 8))
    for block in blocks or tuple(BLOCKS[place] for place in net.random.integers(0, len(BLOCKS), 3)):
        x = block(net, x)
    x = net.pick(layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)()(x)
    model = keras.Model(image, layers.Dense(5)(layers.Dense(12, activation="relu")(x)))
    for weight in model.weights:
        numbers = net.random.normal(size=tuple(weight.shape))
        positive = "variance" in weight.path or "gamma" in weight.path
        weight.assign(np.abs(numbers) + 0.5 if positive else 0.5 * numbers)
    tf2onnx = imported("tf2onnx", "a test")
    made: ModelProto = tf2onnx.convert.from_keras(model, opset=17)[0]
    return made
