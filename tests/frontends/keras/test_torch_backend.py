"""Keras with torch in the place of TensorFlow: its layers, its weights, its outputs, in a process of that backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nnea_graph import analyze
from nnea_graph.errors import ModelError
from nnea_graph.frontends.keras import backend as keras_backend
from nnea_graph.frontends.keras.frontend import FRONTEND
from nnea_graph.frontends.resolve import resolve
from nnea_graph.frontends.tf2onnx.imports import imported

if find_spec("keras") is None or find_spec("torch") is None:
    pytest.skip("Keras or torch is not installed", allow_module_level=True)

TESTS = Path(__file__).parents[2]
NETS = ("residual_cnn", "bilstm", "attention", "subclassed")
FILES = NETS[:-1]
every_net = pytest.mark.parametrize("net", NETS)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keras-on-torch")


@pytest.fixture(scope="session")
def told(folder: Path) -> Mapping[str, Any]:
    """What a process with that backend says of the networks."""
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    command = [sys.executable, "-m", "model_zoo.keras_on_torch", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=TESTS, check=False)
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


@every_net
def test_the_model_computes_what_its_source_does_for_any_number_of_samples(
    net: str, told: Mapping[str, Any]
) -> None:
    assert max(told[net]["apart"]) < 2e-6
    assert told[net]["formula"] == f"{told[net]['macs']}*batch"


@every_net
def test_weights_are_counted_as_keras_counts_them(net: str, told: Mapping[str, Any]) -> None:
    assert told[net]["facts"] == told[net]["count_params"]
    assert told[net]["trainable"] == told[net]["of_keras"]
    assert set(told[net]["buffers"]) <= {"moving_mean", "moving_variance"}


@every_net
def test_every_weight_is_known_again_in_the_graph(net: str, told: Mapping[str, Any]) -> None:
    assert told[net]["origins"] == told[net]["names"]


@every_net
def test_new_weights_need_no_new_export(net: str, told: Mapping[str, Any]) -> None:
    assert told[net]["again"] is not None
    assert told[net]["again"] < 2e-6


def test_operators_lie_in_layers_by_their_names_and_classes_in_keras(told: Mapping[str, Any]) -> None:
    assert told["residual_cnn"]["heavy"] == ["conv_1", "conv_2", "depthwise", "head", "separable", "stem"]
    assert told["subclassed"]["heavy"] == ["first.conv", "head", "second.conv", "twice"]
    modules = told["subclassed"]["modules"]
    assert modules[""] == "Subclassed"
    assert (modules["first"], modules["first.bn"]) == ("Block", "BatchNormalization")
    assert told["residual_cnn"]["modules"]["drop"] == "Dropout"


@pytest.mark.parametrize("net", FILES)
def test_the_same_file_on_tensorflow_has_the_same_layers_and_costs(
    net: str, told: Mapping[str, Any], folder: Path
) -> None:
    pytest.importorskip("tf2onnx")
    report = analyze(folder / f"{net}.keras", passes="cost", may_run=False)
    assert report.totals.macs == told[net]["macs"]
    assert (report.totals.parameters or 0) + (report.totals.buffers or 0) == told[net]["count_params"]
    heavy = {layer.scope.partition("/")[0] for layer in report.layers if layer.macs}
    assert heavy == {scope.partition(".")[0] for scope in told[net]["heavy"]}


def test_a_live_model_and_a_file_are_of_pytorch_and_need_no_tensorflow(told: Mapping[str, Any]) -> None:
    assert {told[net]["framework"] for net in NETS} == {"pytorch"}
    assert told["file"]["framework"] == "pytorch"
    assert told["file"]["macs"] == told["residual_cnn"]["macs"]
    assert "tf2onnx" not in told["modules"]


def test_what_is_frozen_is_known(told: Mapping[str, Any]) -> None:
    assert told["frozen"] == ["hidden_2.kernel", "hidden_2.bias"]


def test_names_that_torch_uses_itself_or_does_not_take_are_no_trouble(told: Mapping[str, Any]) -> None:
    assert told["odd"]["apart"] < 2e-6
    assert told["odd"]["facts"] == told["odd"]["count_params"]


def test_what_cannot_be_exported_is_refused_in_a_line(told: Mapping[str, Any]) -> None:
    refusals = told["refusals"]
    assert not any("\n" in each for each in refusals.values())
    assert "torch.export cannot export the model" in refusals["values"]
    assert "data-dependent" in refusals["values"]
    assert "float(keras.ops.sum(x))" in refusals["values"]
    assert "is no model of framework 'tensorflow'" in refusals["framework"]
    assert "--input-shape" in refusals["no-example"]


def test_a_backend_without_a_way_to_onnx_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX is not installed here: a model of another backend that says that it is of JAX."""
    keras = imported("keras", "a test")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="model")
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(ModelError) as refused:
        analyze(model)
    assert str(refused.value) == (
        "Sequential: Keras computes with jax here, which has no way to ONNX; save the model with "
        "model.save('model.keras') and give that file with KERAS_BACKEND=tensorflow or KERAS_BACKEND=torch in the "
        "environment"
    )


@pytest.mark.parametrize(
    ("variable", "settings", "wanted"),
    [
        pytest.param("jax", '{"backend": "torch"}', "jax", id="the-variable-first"),
        pytest.param(None, '{"backend": "torch"}', "torch", id="then-the-settings"),
        pytest.param(None, '{"backend": 3}', "tensorflow", id="no-name"),
        pytest.param(None, "[", "tensorflow", id="no-settings"),
        pytest.param(None, None, "tensorflow", id="nothing"),
    ],
)
def test_the_backend_of_a_keras_that_is_not_imported_yet(
    variable: str | None, settings: str | None, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if variable is not None:
        monkeypatch.setenv("KERAS_BACKEND", variable)
    if settings is not None:
        (tmp_path / "keras.json").write_text(settings, encoding="utf-8")
    assert keras_backend.backend() == wanted
    found = resolve(tmp_path / "model.keras")
    assert found.framework == ("pytorch" if wanted == "torch" else "tensorflow")
    if wanted == "jax":
        with pytest.raises(ModelError, match="Keras computes with jax here"):
            FRONTEND.convert(tmp_path / "model.keras", None)
