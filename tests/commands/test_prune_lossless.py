"""nnea-graph prune --target exact: what changes no output goes, proved; no data are needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from oracles.prunable_oracle import distance, run

from nnea_graph.commands.cli import run_command_line

MODELS = Path(__file__).parents[2] / "models"
DATA = MODELS / "digits.npz"
IMAGES = np.load(DATA)["x"]


def prune(*arguments: object) -> int:
    return run_command_line(["prune", "--rounds", "2", "--target", "exact", *map(str, arguments)])


def planted(path: Path, times: float = 1.0) -> ModelProto:
    """The digits MLP, in which unit 3 does nothing and unit 7 repeats unit 2, read with ``times`` its weight."""
    model = onnx.load(MODELS / "digits_mlp.onnx")
    stored = {each.name: each for each in model.graph.initializer}
    first, second = (
        node for node in model.graph.node if node.op_type == "Gemm" and node.name != "node_linear_2"
    )
    weight, bias, after = (
        numpy_helper.to_array(stored[name]).copy() for name in (*first.input[1:3], second.input[1])
    )
    weight[3], bias[3] = 0, -1
    weight[7], bias[7] = weight[2], bias[2]
    if times != 1:
        after[:, 7] = times * np.abs(after[:, 2]).max()
        after[:, 2] -= after[:, 7]
    for name, values in zip((*first.input[1:3], second.input[1]), (weight, bias, after), strict=True):
        stored[name].CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(model, path)
    return model


def outputs(model: ModelProto) -> NDArray[Any]:
    return run(model, {model.graph.input[0].name: IMAGES})[0]


def test_a_page_and_a_model_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, out = planted(tmp_path / "m.onnx"), tmp_path / "small.onnx"
    assert prune(tmp_path / "m.onnx", "-o", out) == 0
    page = capsys.readouterr().out
    assert page.splitlines()[-1] == "PASSED: the removals change no output"
    assert "synthetic (seed 0)" in " ".join(page.split())
    rows = [line.split() for line in page.splitlines() if line.strip().startswith("fc1 ")]
    assert rows == [["fc1", "256", "1", "0", "1", "0", "254"]]
    after = onnx.load(out)
    assert distance(outputs(after), outputs(before)) <= 1e-6
    assert {tuple(each.dims) for each in after.graph.initializer} >= {(254, 64), (254,)}


def test_json_says_what_went_and_what_it_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted(tmp_path / "m.onnx")
    assert prune(tmp_path / "m.onnx", "--data", DATA, "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["data"].endswith("digits.npz")
    (target,) = report["targets"]
    assert (target["name"], target["met"]) == ("exact", True)
    assert target["reached"] <= target["wanted"] == 1e-6
    (family,) = report["exact"]["families"]
    assert (family["family"], family["dead"], family["cloned"]) == ("node_linear", 1, 1)
    sizes = report["verification"]
    gone = sizes["original"]["parameters"] - sizes["pruned"]["parameters"]
    assert gone == 2 * (64 + 1 + 128)
    assert report["exact"]["saved_bytes"] == 4 * gone
    assert sizes["original"]["macs"] - sizes["pruned"]["macs"] == 2 * (64 + 128)


def test_what_gives_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two large weights of equal channels that nearly make up for each other: the original rounds more than it says."""
    planted(tmp_path / "m.onnx", times=1e5)
    out = tmp_path / "small.onnx"
    assert prune(tmp_path / "m.onnx", "--data", DATA, "-o", out) == 1
    page = " ".join(capsys.readouterr().out.split())
    assert "not written outputs differ" in page
    assert "exclude layers with --keep" in page
    assert page.endswith("FAILED: not met: output difference")
    assert not out.exists()


def test_nothing_to_remove_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert prune(MODELS / "digits_cnn.onnx") == 0
    page = capsys.readouterr().out
    assert "Nothing removable" in page
    assert page.splitlines()[-1] == "PASSED: no lossless removal exists"


def test_another_target_beside_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert prune(MODELS / "digits_cnn.onnx", "--target", "macs=0.5", "--data", DATA) == 2
    said = capsys.readouterr().err
    assert "--target exact: stands alone" in said
    assert "Traceback" not in said
