"""Small Keras networks of every kind; a test that imports this is skipped where TensorFlow is not installed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.frontends.keras.export import KerasExport
from nnea_graph.frontends.tf2onnx.imports import imported

if find_spec("tensorflow") is None or find_spec("tf2onnx") is None:
    pytest.skip("TensorFlow or tf2onnx is not installed", allow_module_level=True)

keras: Any = imported("keras", "a test")
layers: Any = keras.layers


def mlp() -> Any:
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(128, activation="relu", name="hidden_1"),
            layers.Dense(64, activation="relu", name="hidden_2"),
            layers.Dense(10, name="logits"),
        ],
        name="mlp",
    )


def residual_cnn() -> Any:
    """Normalizations after a convolution with and without bias, without scale, and after a depthwise one."""
    image = keras.Input((12, 12, 3), name="image")
    x = layers.ReLU(name="stem_relu")(
        layers.BatchNormalization(name="stem_bn")(layers.Conv2D(8, 3, name="stem")(image))
    )
    y = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv_1")(x)
    y = layers.ReLU(name="relu_1")(layers.BatchNormalization(name="bn_1")(y))
    y = layers.Conv2D(8, 3, padding="same", name="conv_2")(y)
    y = layers.BatchNormalization(scale=False, name="bn_2")(y)
    x = layers.MaxPooling2D(name="pool")(layers.Add(name="add")([x, y]))
    x = layers.BatchNormalization(name="bn_3")(layers.DepthwiseConv2D(3, name="depthwise")(x))
    x = layers.GlobalAveragePooling2D(name="mean")(layers.SeparableConv2D(6, 2, name="separable")(x))
    return keras.Model(image, layers.Dense(5, name="head")(layers.Dropout(0.3, name="drop")(x)), name="res")


def bilstm() -> Any:
    return keras.Sequential(
        [
            keras.Input((7, 5)),
            layers.Bidirectional(layers.LSTM(6, return_sequences=True, name="lstm"), name="both"),
            layers.LSTM(4, name="last"),
            layers.Dense(3, name="head"),
        ],
        name="bilstm",
    )


def attention() -> Any:
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(30, 8, name="embedding")(tokens)
    y = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.LayerNormalization(name="norm")(layers.Add(name="add")([x, y]))
    return keras.Model(tokens, layers.Dense(8, activation="gelu", name="feed")(x), name="attention")


class Block(layers.Layer):  # type: ignore[misc]
    """A layer of layers."""

    def __init__(self, channels: int, **options: Any) -> None:
        super().__init__(**options)
        self.conv = layers.Conv2D(channels, 3, name="conv")
        self.bn = layers.BatchNormalization(name="bn")

    def call(self, x: Any, training: Any = None) -> Any:
        return keras.ops.relu(self.bn(self.conv(x), training=training))


class Subclassed(keras.Model):  # type: ignore[misc]
    """Says of its inputs nothing but what its code does; one dense layer runs twice."""

    def __init__(self) -> None:
        super().__init__(name="subclassed")
        self.first = Block(4, name="first")
        self.second = Block(4, name="second")
        self.dense = layers.Dense(4, name="twice")
        self.head = layers.Dense(3, name="head")

    def call(self, picture: Any, training: Any = None) -> Any:
        x = self.second(self.first(picture, training=training), training=training)
        return self.head(keras.ops.mean(self.dense(self.dense(x)), axis=(1, 2)))


def mixed() -> Any:
    """Stores float32 and computes in float16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return residual_cnn()
    finally:
        keras.config.set_dtype_policy(before)


NETS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "mlp": (mlp, (20,)),
    "residual_cnn": (residual_cnn, (12, 12, 3)),
    "bilstm": (bilstm, (7, 5)),
    "attention": (attention, (6,)),
    "subclassed": (Subclassed, (8, 8, 3)),
    "mixed": (mixed, (12, 12, 3)),
}


def samples(net: str, count: int = 2) -> NDArray[Any]:
    random = np.random.default_rng(count)
    if net == "attention":
        return random.integers(0, 30, (count, 6)).astype(np.int32)
    return random.standard_normal((count, *NETS[net][1])).astype(np.float32)


@functools.cache
def exported(net: str) -> KerasExport:
    """A new network, exported once for all tests, which may not change it."""
    keras.utils.set_random_seed(0)
    return KerasExport.of(NETS[net][0](), samples(net))


@functools.cache
def trained(net: str) -> KerasExport:
    """A network after some steps of fit, exported once for all tests, which may not change it."""
    keras.utils.set_random_seed(0)
    model = NETS[net][0]()
    x = samples(net, 8)
    model(x[:1])
    fit(model, x)
    return KerasExport.of(model, x)


def fit(model: Any, x: NDArray[Any]) -> None:
    """Two steps."""
    target = np.random.default_rng(3).standard_normal(np.shape(model(x))).astype(np.float32)
    model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=True)
    model.fit(x, target, batch_size=len(x), epochs=2, verbose=0)


def change(model: Any) -> None:
    """Other weights, positive where they must be."""
    random = np.random.default_rng(4)
    for weight in model.weights:
        weight.assign(
            np.abs(np.asarray(weight)) * 0.7 + 0.1 * random.standard_normal(tuple(weight.shape)) ** 2
        )
