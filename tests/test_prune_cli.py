"""nnea-graph prune: files, formats, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from nnea_graph.cli import run_command_line

MODELS = Path(__file__).parents[1] / "models"
MLP, DATA = MODELS / "digits_mlp.onnx", MODELS / "digits.npz"


def run(*arguments: object) -> int:
    return run_command_line(["prune", "--rounds", "2", *map(str, arguments)])


def test_a_model_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "small.onnx"
    assert run(MLP, "--data", DATA, "--target", "params=0.4", "--align", 1, "-o", out) == 0
    page = capsys.readouterr().out
    assert "at most 40.0 % was wanted: met" in page
    assert page.splitlines()[-1] == "PASSED: every target is met"
    assert "without refit" in page
    assert "random channels" in page
    before, after = onnx.load(MLP), onnx.load(out)
    assert after.ByteSize() < 0.6 * before.ByteSize()
    assert [each.name for each in after.graph.output] == [each.name for each in before.graph.output]


def test_json_is_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(MLP, "--data", DATA, "--target", "macs=0.5", "--align", 1, "--format", "json", "--no-refit") == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["targets"][0]["name"] == "macs"
    assert report["targets"][0]["reached"] <= 0.5
    assert report["refit"] is False
    assert report["verification"]["faults"] == []


def test_a_target_that_is_not_met_is_exit_1_and_the_nearest_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.onnx"
    options = ("--data", DATA, "--align", 1, "--no-refit", "-o", out)
    assert run(MLP, "--target", "params=0.0001", *options) == 1
    page = capsys.readouterr().out
    assert "NOT met; this is the nearest" in " ".join(page.split())
    assert page.splitlines()[-1] == "FAILED: not met: parameters"
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "macs=0.5"), "--data: what to fit"),
        (("--target", "macs=9", "--data", DATA), "--target 'macs=9'"),
        (("--target", "macs=0.5", "--data", DATA, "--align", "odd"), "--align 'odd'"),
        (("--target", "macs=0.5", "--data", DATA, "-o", MLP, "--force"), "never written over"),
        (("--target", "macs=0.5", "--data", DATA, "-o", "/nowhere/at/all.onnx"), "there is no folder"),
        (("--data", DATA), "--target"),
    ],
)
def test_errors_are_one_line_and_exit_2(
    arguments: tuple[object, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(MLP, *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_an_output_that_exists_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "there.onnx"
    out.write_bytes(b"mine")
    assert run(MLP, "--data", DATA, "--target", "macs=0.5", "-o", out) == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"


def test_a_loss_without_labels_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "x.npz"
    np.savez(data, x=np.zeros((20, 1, 8, 8), np.float32))
    assert run(MODELS / "digits_cnn.onnx", "--data", data, "--target", "loss=1%", "--align", 1) == 2
    assert "has no labels" in capsys.readouterr().err


def test_a_model_that_no_message_can_hold_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weight = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[600_000, 1000])
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="w.bin")
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(4 * 600_000 * 1000)  # a hole: it takes no room
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 600_000])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 1000])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weight]
    )
    (tmp_path / "large.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    data = tmp_path / "x.npy"
    np.save(data, np.zeros((8, 600_000), np.float32))
    assert run(tmp_path / "large.onnx", "--data", data, "--target", "macs=0.5") == 2
    assert "cannot be over 1.86 GiB" in capsys.readouterr().err


def test_a_plan_needs_neither_data_nor_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(MLP, "--plan-only", "--align", 1) == 0
    page = capsys.readouterr().out
    assert "What half of each would save (both in turn, 1 sample a run" in page
    assert "output of the model" in page
    assert max(map(len, page.splitlines())) <= 80


def test_a_plan_as_json_has_all_that_the_page_shortens(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (MODELS / "digits_cnn.onnx", "--plan-only", "--no-run", "--keep", "pointwise")
    assert run(*arguments, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    first, *_, last = found["families"]
    assert (first["groups"], first["step"], first["half"]["groups"]) == (32, 1, 16)
    assert first["half_time"] == {
        "seconds": None,
        "low": None,
        "high": None,
        "measured": None,
        "reason": "not run: --no-run",
    }
    assert last["reason"] == "kept, as --keep says"
    assert run(*arguments, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--plan-only", "-o", "small.onnx"), "-o: a plan writes no model"),
        (("--plan-only", "--align", "odd"), "--align 'odd'"),
        (("--no-run", "--target", "macs=0.5"), "--no-run: a pruning runs the model"),
    ],
)
def test_what_a_plan_cannot_mean_is_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(MLP, *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
