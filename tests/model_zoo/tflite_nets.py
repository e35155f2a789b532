"""Small networks as ``.tflite`` files of every kind; tests that import this are skipped without TensorFlow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from model_zoo.keras_nets import keras, layers
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.tf2onnx.imports import imported
from nnea_graph.frontends.tflite.worker import answer

tf: Any = imported("tensorflow", "a test")
PLAIN = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
KINDS = ("float", "float16", "dynamic", "int8", "int8_io")


def mlp() -> Any:
    return keras.Sequential(
        [
            keras.Input((20,), name="features"),
            layers.Dense(128, activation="relu", name="first"),
            layers.Dense(64, activation="relu", name="second"),
            layers.Dense(10, name="logits"),
        ],
        name="mlp",
    )


def cnn() -> Any:
    """Normalizations that the converter folds, a residual sum, and a softmax at the end."""
    image = keras.Input((12, 12, 3), name="image")
    x = layers.ReLU(name="stem_relu")(
        layers.BatchNormalization(name="stem_norm")(layers.Conv2D(8, 3, name="stem")(image))
    )
    y = layers.Conv2D(8, 3, padding="same", name="middle")(x)
    y = layers.ReLU(6.0, name="relu")(layers.BatchNormalization(name="norm")(y))
    x = layers.MaxPooling2D(name="pool")(layers.Add(name="add")([x, y]))
    x = layers.GlobalAveragePooling2D(name="mean")(layers.DepthwiseConv2D(3, name="depthwise")(x))
    return keras.Model(image, layers.Dense(5, activation="softmax", name="head")(x), name="cnn")


def lstm() -> Any:
    return keras.Sequential(
        [keras.Input((7, 5), batch_size=1), layers.LSTM(6, name="lstm"), layers.Dense(3, name="head")],
        name="net",
    )


def gelu(approximate: bool) -> Any:  # noqa: FBT001 - one of two networks
    x = keras.Input((6,), name="x")
    y = layers.Dense(9, name="wide")(x)
    return keras.Model(
        x, layers.Dense(2, name="out")(keras.ops.gelu(y, approximate=approximate)), name="gelu"
    )


def twins() -> Any:
    """Kernels that are the same in 8 bits, with other scales."""
    constant = keras.initializers.Constant
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, activation="relu", kernel_initializer=constant(0.5), name="one"),
            layers.Dense(4, kernel_initializer=constant(2.0), name="other"),
        ],
        name="twins",
    )


def norm() -> Any:
    return keras.Sequential([keras.Input((6,)), layers.LayerNormalization(name="norm")], name="net")


NETS: Mapping[str, Callable[[], Any]] = {
    "mlp": mlp,
    "cnn": cnn,
    "lstm": lstm,
    "norm": norm,
    "twins": twins,
    "gelu": lambda: gelu(approximate=False),
    "gelu_tanh": lambda: gelu(approximate=True),
}


@functools.cache
def model(net: str) -> Any:
    """A network whose weights are all different, also those that Keras begins with zeros and ones."""
    keras.utils.set_random_seed(0)
    made = NETS[net]()
    random = np.random.default_rng(1)
    for weight in made.weights:
        if len(weight.shape) == 1:
            weight.assign(np.asarray(weight) + random.uniform(0.05, 0.3, tuple(weight.shape)))
    return made


def samples(net: str, count: int) -> NDArray[np.float32]:
    dims = model(net).inputs[0].shape[1:]
    return np.random.default_rng(count).standard_normal((count, *dims)).astype(np.float32)


@functools.cache
def tflite(net: str, kind: str) -> bytes:
    """The file of a network."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model(net))
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind.startswith("int8"):

        def calibration() -> Iterator[list[NDArray[np.float32]]]:
            yield from ([sample[None]] for sample in samples(net, 40))

        converter.representative_dataset = calibration
    if kind == "int8_io":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with quiet():
        made: bytes = converter.convert()
    return made


@functools.cache
def exported(net: str, kind: str, folder: Path) -> tuple[Mapping[str, Any], ModelProto]:
    """What the reader's process answers for a file, asked in this one; and the model in the answer."""
    path = folder / f"{net}_{kind}.tflite"
    path.write_bytes(tflite(net, kind))
    about, found = answer({"path": str(path), "only_run": False, "name": net, "example": None}, {})
    return about, ModelProto.FromString(found["proto"].tobytes())


class Interpreter:
    """TensorFlow Lite, asked by the tests themselves."""

    def __init__(self, content: bytes) -> None:
        with quiet():
            self.lite = tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=PLAIN)
            self.lite.allocate_tensors()

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        (given,), (made,) = self.lite.get_input_details(), self.lite.get_output_details()
        self.lite.resize_tensor_input(given["index"], x.shape)
        self.lite.allocate_tensors()
        self.lite.set_tensor(given["index"], x)
        self.lite.invoke()
        return np.asarray(self.lite.get_tensor(made["index"]))

    @property
    def step(self) -> float:
        """Of the output's last numbers of 8 bits."""
        (made,) = self.lite.get_output_details()
        last = next(op for op in self.lite._get_ops_details() if made["index"] in op["outputs"])
        places = [made["index"], *last["inputs"]]
        scales = [
            each["quantization_parameters"]["scales"]
            for each in self.lite.get_tensor_details()
            if each["index"] in places
        ]
        return float(max(scale[0] for scale in scales if scale.size))

    def constants(self) -> list[Mapping[str, Any]]:
        """What operators read that none makes and nobody gives, but for whole numbers that stand for themselves."""
        operators = self.lite._get_ops_details()
        read = {int(place) for op in operators for place in op["inputs"]}
        made = {int(place) for op in operators for place in op["outputs"]}
        given = {each["index"] for each in self.lite.get_input_details()}
        found = [each for each in self.lite.get_tensor_details() if each["index"] in read - made - given]
        return [
            each
            for each in found
            if each["dtype"] in {np.float32, np.float16} or each["quantization_parameters"]["scales"].size
        ]
