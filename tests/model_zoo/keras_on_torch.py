"""Run with KERAS_BACKEND=torch: exports the networks of keras_nets, and prints what came of it as JSON.

A process has one backend, and that of the tests is TensorFlow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime

from model_zoo import keras_nets
from model_zoo.keras_nets import NETS, keras, layers, samples
from nnea_graph import analyze
from nnea_graph.errors import NneaError
from nnea_graph.frontends.resolve import convert, resolve
from nnea_graph.frontends.shared.interface import ConvertedModel
from nnea_graph.frontends.shared.silence import quiet

EXPORTED = ("residual_cnn", "bilstm", "attention", "subclassed")


def apart(model: Any, converted: ConvertedModel, x: Any) -> float:
    """The largest difference of any output, of the largest output."""
    session = onnxruntime.InferenceSession(converted.proto.SerializeToString())
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    wanted = keras.ops.convert_to_numpy(model(x, training=False))
    return float(np.abs(found.astype(float) - wanted.astype(float)).max() / np.abs(wanted).max())


def trained_a_little(model: Any) -> None:
    """Weights that are all different."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        weight.assign(value + random.uniform(0.05, 0.3, value.shape).astype(value.dtype))


def shown(net: str, folder: Path) -> dict[str, Any]:
    keras.utils.set_random_seed(0)
    model = NETS[net][0]()
    model(samples(net, 1))
    trained_a_little(model)
    if net != "subclassed":  # whose class no file holds
        with quiet():
            model.save(folder / f"{net}.keras")
    found = resolve(model)
    example = None if getattr(model, "inputs", None) else samples(net, 2)
    converted = convert(found, example)
    onnx.checker.check_model(converted.proto, full_check=True)
    facts = converted.facts
    assert facts is not None
    report = analyze(converted.proto, passes="cost", may_run=False)
    return {
        "framework": found.framework,
        "apart": [apart(model, converted, samples(net, count)) for count in (1, 5)],
        "count_params": model.count_params(),
        "facts": sum(each.size for each in (*facts.parameters, *facts.buffers) if not each.shared_with),
        "names": sorted(each.name for each in (*facts.parameters, *facts.buffers) if not each.shared_with),
        "origins": sorted({name for made_of in facts.origins.values() for name in made_of}),
        "modules": {each.name: each.class_name for each in facts.modules},
        "buffers": sorted({each.name.rpartition(".")[2] for each in facts.buffers}),
        "trainable": facts.trainable,
        "of_keras": sum(int(np.prod(weight.shape)) for weight in model.trainable_weights),
        "macs": report.totals.macs,
        "formula": report.totals.macs_formula,
        "heavy": sorted({each.scope for each in report.layers if each.macs}),
        "again": apart_again(model, converted, samples(net, 3)),
    }


def apart_again(model: Any, converted: ConvertedModel, x: Any) -> float | None:
    """With new weights and without an export; None where it takes one."""
    trained_a_little(model)
    with patch("nnea_graph.frontends.torch.frontend.exported", None):
        again = converted.again() if converted.again else None
    return None if again is None else apart(model, again, x)


def frozen() -> list[str]:
    model = keras_nets.mlp()
    model.get_layer("hidden_2").trainable = False
    facts = convert(resolve(model), None).facts
    assert facts is not None
    return [each.name for each in facts.parameters if not each.trainable]


class Deciding(layers.Layer):  # type: ignore[misc]
    """Depends on values, which no export can follow."""

    def call(self, x: Any) -> Any:
        return x + 1 if float(keras.ops.sum(x)) > 0 else x - 1


class Chooses(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="chooses")
        self.deciding = Deciding()

    def call(self, x: Any) -> Any:
        return self.deciding(x)


def refusals() -> dict[str, str]:
    found = {}
    works: dict[str, Callable[[], object]] = {
        "values": lambda: convert(resolve(Chooses()), np.ones((2, 3), np.float32)),
        "framework": lambda: resolve(keras_nets.mlp(), "tensorflow"),
        "no-example": lambda: convert(resolve(keras_nets.Subclassed()), None),
    }
    for name, work in works.items():
        try:
            work()
        except NneaError as error:
            found[name] = str(error)
    return found


def odd_names() -> dict[str, float]:
    """Layers and inputs whose names torch has for something else, or does not take."""
    x = keras.Input((4,), name="the.input:0")
    y = layers.Dense(5, name="forward")(x)
    y = layers.Dense(3, name="v1")(layers.Dense(4, name="half")(y))
    model = keras.Model(x, y, name="odd")
    converted = convert(resolve(model), None)
    assert converted.facts is not None
    return {
        "apart": apart(model, converted, np.ones((2, 4), np.float32)),
        "facts": sum(each.size for each in converted.facts.parameters),
        "count_params": model.count_params(),
    }


def from_file(folder: Path) -> dict[str, Any]:
    found = resolve(folder / "residual_cnn.keras")
    report = analyze(folder / "residual_cnn.keras", passes="cost", may_run=False)
    return {"framework": found.framework, "parameters": report.totals.parameters, "macs": report.totals.macs}


def main(folder: Path) -> None:
    told: dict[str, Any] = {net: shown(net, folder) for net in EXPORTED}
    told |= {"frozen": frozen(), "refusals": refusals(), "odd": odd_names(), "file": from_file(folder)}
    told["modules"] = sorted({"tensorflow", "tf2onnx"} & set(sys.modules))
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
