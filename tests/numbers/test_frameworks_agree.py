"""One network in torch, in Keras with copied weights and in an ONNX file: the same metrics."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_zoo.keras_nets import keras, layers
from numpy.typing import NDArray
from torch import nn

from nnea_graph.api.analyze import analyze
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.tf2onnx.imports import imported
from nnea_graph.report.schema.analysis import Layer, Report

COUNTED = ("parameters", "macs", "flops", "training_flops")
METRICS = ("entropy", "gini", "utilization", "redundancy", "mean", "std", "max")
TOTALS = ("effective_parameters", "global_utilization", "redundancy_score", "avg_layer_redundancy")


def torch_mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(-1)
    )


def keras_mlp() -> Any:
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.wide, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 12, 3), nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.stem(x)), 2)
        mean: torch.Tensor = torch.relu(self.wide(x)).mean((2, 3))
        return torch.as_tensor(self.head(mean))


def keras_cnn() -> Any:
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(12, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5),
        ]
    )


def copied(source: nn.Module, target: Any) -> Any:
    """Kernels of torch are (out, in, …), those of Keras (…, in, out)."""
    values = [tensor.detach().numpy() for tensor in source.parameters()]
    target.set_weights(
        [value.transpose(*range(2, value.ndim), 1, 0) if value.ndim > 1 else value for value in values]
    )
    return target


def onnx_file(model: Any, path: Path) -> Path:
    """As tf2onnx itself writes it."""
    convert = imported("tf2onnx", "a test").convert
    with quiet():
        convert.from_keras(keras.Model(model.inputs, model.outputs), output_path=str(path))
    return path


@functools.cache
def reports(net: str, folder: Path) -> dict[str, Report]:
    torch.manual_seed(0)
    source = {"mlp": torch_mlp, "cnn": Cnn}[net]()
    model = copied(source, {"mlp": keras_mlp, "cnn": keras_cnn}[net]())
    random = np.random.default_rng(0)
    x = random.standard_normal((16, *model.inputs[0].shape[1:])).astype(np.float32)
    first: NDArray[Any] = np.moveaxis(x, -1, 1) if net == "cnn" else x
    return {
        "torch": analyze(source, first),
        "keras": analyze(model, x),
        "onnx": analyze(onnx_file(model, folder / f"{net}.onnx"), x),
    }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frameworks")


def heavy(report: Report) -> list[Layer]:
    return [layer for layer in report.layers if layer.macs]


@pytest.mark.parametrize("net", ["mlp", "cnn"])
@pytest.mark.parametrize("other", ["keras", "onnx"])
def test_importance_and_costs_of_one_network_are_the_same_from_every_framework(
    net: str, other: str, folder: Path
) -> None:
    one, two = reports(net, folder)["torch"], reports(net, folder)[other]
    for name in COUNTED:
        assert getattr(one.totals, name) == getattr(two.totals, name)
    for name in TOTALS:
        assert getattr(two.totals, name) == pytest.approx(getattr(one.totals, name), rel=1e-5)
    assert len(heavy(one)) == len(heavy(two)) == 3
    for left, right in zip(heavy(one), heavy(two), strict=True):
        assert (left.parameters, left.macs, left.flops) == (right.parameters, right.macs, right.flops)
        assert left.metrics is not None
        assert right.metrics is not None
        for name in METRICS:
            assert getattr(right.metrics, name) == pytest.approx(getattr(left.metrics, name), rel=1e-5)


def test_an_mlp_in_keras_has_the_numbers_of_the_definition(folder: Path) -> None:
    report = reports("mlp", folder)["keras"]
    totals = report.totals
    assert (totals.parameters, totals.flops, totals.training_flops) == (11_594, 22_784, 91_136)
