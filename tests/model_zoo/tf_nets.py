"""Small modules of TensorFlow without Keras; a test that imports this is skipped where TensorFlow is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.tf2onnx.imports import imported

if find_spec("tensorflow") is None or find_spec("tf2onnx") is None:
    pytest.skip("TensorFlow or tf2onnx is not installed", allow_module_level=True)

tf: Any = imported("tensorflow", "a test")

FEATURES = 4


class Dense(tf.Module):  # type: ignore[misc]
    """A raw matrix product; the bias does not train."""

    def __init__(self, inputs: int, outputs: int, name: str | None = None) -> None:
        super().__init__(name=name)
        random = np.random.default_rng(inputs * outputs)
        self.w = tf.Variable(random.standard_normal((inputs, outputs)).astype(np.float32))
        self.b = tf.Variable(tf.zeros(outputs), trainable=False, name="bias")

    @tf.Module.with_name_scope  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        return x @ self.w + self.b


class Net(tf.Module):  # type: ignore[misc]
    """Two layers of one name, a number of its own, a dict of outputs; another function gives the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [Dense(FEATURES, 8, "first"), Dense(8, 8)]
        self.head = Dense(8, 3)
        self.scale = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec((None, FEATURES), tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = tf.nn.relu(layer(x))
        return {"logits": self.head(x) * self.scale, "features": x}

    @tf.function(input_signature=[tf.TensorSpec((None, FEATURES), tf.float32)])  # type: ignore[untyped-decorator]
    def embed(self, x: Any) -> Any:
        return self.layers[0](x)


PARAMETERS = {
    "layers/0/w": (4, 8),
    "layers/0/b": (8,),
    "layers/1/w": (8, 8),
    "layers/1/b": (8,),
    "head/w": (8, 3),
    "head/b": (3,),
    "scale": (),
}


class Tied(tf.Module):  # type: ignore[misc]
    """A language model of one table, plain Python, which says nothing of its inputs."""

    def __init__(self) -> None:
        super().__init__(name="tied")
        self.table = tf.Variable(np.random.default_rng(0).standard_normal((11, 6)).astype(np.float32))
        self.out = self.table
        self.rectified = False

    def __call__(self, tokens: Any) -> Any:
        scores = tf.matmul(tf.nn.embedding_lookup(self.table, tokens), self.out, transpose_b=True)
        return tf.nn.relu(scores) if self.rectified else scores


class Normalized(tf.Module):  # type: ignore[misc]
    """A convolution and a normalization with fixed statistics, the fused one or the one spelled out."""

    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        random = np.random.default_rng(1)
        self.fused = fused
        self.kernel = tf.Variable(random.standard_normal((3, 3, 2, 5)).astype(np.float32))
        self.gamma, self.beta = (tf.Variable(random.random(5).astype(np.float32)) for _ in range(2))
        self.mean, self.variance = (
            tf.Variable(random.random(5).astype(np.float32), trainable=False) for _ in range(2)
        )

    @tf.function(input_signature=[tf.TensorSpec((None, 6, 6, 2))])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        x = tf.nn.conv2d(x, self.kernel, 1, "SAME")
        parts = self.mean, self.variance
        if self.fused:
            return tf.compat.v1.nn.fused_batch_norm(x, self.gamma, self.beta, *parts, is_training=False)[0]
        return tf.nn.batch_normalization(x, *parts, self.beta, self.gamma, 1e-3)


def saved(module: Any, folder: Any, **options: Any) -> Any:
    """The folder, with the module in it."""
    with quiet():
        tf.saved_model.save(module, str(folder), **options)
    return folder


def rows(count: int = 2) -> NDArray[np.float32]:
    """Inputs of ``Net``."""
    return np.random.default_rng(count).standard_normal((count, FEATURES)).astype(np.float32)
