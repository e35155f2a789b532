"""nnea-graph prune: files, formats, exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from nnea_graph.commands.cli import run_command_line

MODELS = Path(__file__).parents[2] / "models"
MLP, DATA = MODELS / "digits_mlp.onnx", MODELS / "digits.npz"


def run(*arguments: object) -> int:
    return run_command_line(["prune", "--rounds", "2", *map(str, arguments)])


def test_a_model_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "small.onnx"
    assert run(MLP, "--data", DATA, "--target", "params=0.4", "--align", 1, "-o", out) == 0
    page = capsys.readouterr().out
    assert "target 40.0 %: met" in page
    assert page.splitlines()[-1] == "PASSED: all targets met"
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
        (("--target", "macs=0.5"), "--data: calibration data are required"),
        (("--target", "macs=9", "--data", DATA), "--target 'macs=9'"),
        (("--target", "macs=0.5", "--data", DATA, "--align", "odd"), "--align 'odd'"),
        (("--target", "macs=0.5", "--data", DATA, "-o", MLP, "--force"), "in-place writing is not supported"),
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
    assert "use --force to overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"


def test_a_loss_without_labels_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "x.npz"
    np.savez(data, x=np.zeros((20, 1, 8, 8), np.float32))
    assert run(MODELS / "digits_cnn.onnx", "--data", data, "--target", "loss=1%", "--align", 1) == 2
    assert "has no labels" in capsys.readouterr().err


def with_external_data(folder: Path, source: Path = MLP, name: str = "source.onnx") -> Path:
    """A copy whose weights lie in a file beside it."""
    onnx.save_model(
        onnx.load(source),
        folder / name,
        save_as_external_data=True,
        location=f"{name}.data",
        size_threshold=256,
    )
    return folder / name


def answers(path: Path) -> np.ndarray[Any, Any]:
    with np.load(DATA) as file:
        x = file["x"].astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


def test_what_came_in_two_files_is_written_as_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out, plain = with_external_data(tmp_path), tmp_path / "small.onnx", tmp_path / "plain.onnx"
    monkeypatch.chdir(tmp_path)
    options = ("--data", DATA, "--target", "params=0.5", "--align", 1, "--no-refit")
    assert run(source, *options, "-o", "small.onnx") == 0
    assert "written to small.onnx, its weights to small.onnx.data" in " ".join(
        capsys.readouterr().out.split()
    )
    assert run(MLP, *options, "-o", plain) == 0
    assert out.stat().st_size + (tmp_path / "small.onnx.data").stat().st_size < 2 * plain.stat().st_size
    assert out.stat().st_size < 0.5 * plain.stat().st_size
    onnx.checker.check_model(str(out), full_check=True)
    np.testing.assert_array_equal(answers(out), answers(plain))
    assert not list(tmp_path.glob(".*"))
    assert run(out, "--plan-only", "--no-run") == 0  # and it is read again


def test_what_no_message_holds_is_written_as_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way with messages of 10 KB: cut, refit, rivals, proof, files."""
    out, plain = tmp_path / "small.onnx", tmp_path / "plain.onnx"
    options = ("--data", DATA, "--target", "params=0.6", "--align", 1, "--samples", 200)
    assert run(MLP, *options, "-o", plain) == 0
    monkeypatch.setattr("nnea_graph.runtime.export.large_models.MESSAGE_BYTES", 10_000)
    assert run(MLP, *options, "-o", out) == 0
    assert out.stat().st_size < 10_000 < (tmp_path / "small.onnx.data").stat().st_size
    np.testing.assert_allclose(answers(out), answers(plain), rtol=1e-5, atol=1e-5)


def test_weights_that_cannot_be_handed_over_apart_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nnea_graph.runtime.export.large_models.MESSAGE_BYTES", 10_000)
    model = onnx.load(MLP)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], [weight.name], value=weight))
    model.graph.initializer.remove(weight)
    onnx.save(model, tmp_path / "constants.onnx")
    assert run(tmp_path / "constants.onnx", "--data", DATA, "--target", "macs=0.5") == 2
    said = capsys.readouterr().err
    assert "of weights in Constant operators" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("out", "force", "message"),
    [
        ("other.onnx", (), "use --force to overwrite"),
        ("other.onnx", ("--force",), "other.onnx.data holds weights of the input model"),
        ("other.onnx.data", ("--force",), "other.onnx.data holds weights of the input model"),
    ],
)
def test_weights_of_the_model_itself_are_never_written_over(
    out: str, force: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = with_external_data(tmp_path, name="other.onnx").rename(tmp_path / "source.onnx")
    before = (tmp_path / "other.onnx.data").read_bytes()
    assert run(source, "--data", DATA, "--target", "params=0.5", *force, "-o", tmp_path / out) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "other.onnx.data").read_bytes() == before
    assert not (tmp_path / "other.onnx").exists()


def test_what_would_take_too_much_memory_is_refused_before_any_work(
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
    assert "--limit pruned_bytes=2400000000" in capsys.readouterr().err
    assert run(tmp_path / "large.onnx", "--plan-only", "--no-run") == 0
    assert "2.24 GiB" in capsys.readouterr().out


def test_weights_beside_a_pipe_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, pipe = with_external_data(tmp_path), tmp_path / "pipe"
    os.mkfifo(pipe)
    assert run(source, "--data", DATA, "--target", "params=0.5", "--force", "-o", pipe) == 2
    assert "give a plain file" in capsys.readouterr().err


def test_a_plan_needs_neither_data_nor_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(MLP, "--plan-only", "--align", 1) == 0
    page = capsys.readouterr().out
    assert "Savings at half of the channels (interleaved runs, 1 sample per run" in page
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
        (("--no-run", "--target", "macs=0.5"), "--no-run: pruning runs the model"),
    ],
)
def test_what_a_plan_cannot_mean_is_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(MLP, *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_both_reports_fit_their_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    """Every object has the fields of its definition, all of them and no others."""

    def printed(*arguments: object) -> Any:
        assert run_command_line([str(each) for each in arguments]) == 0
        return json.loads(capsys.readouterr().out)

    plan = printed("prune", MLP, "--plan-only", "--align", 1, "--rounds", 2, "--format", "json")
    family = plan["families"][0]
    pruning = printed(
        *("prune", MLP, "--data", DATA, "--target", "macs=0.9", "--align", 1, "--no-refit", "--rounds", 2),
        *("--format", "json"),
    )
    objects = {
        "plan": {
            "PruningPlan": plan,
            "PlannedFamily": family,
            "FamilyParts": family["parts"],
            "PlannedSaving": family["half"],
            "SavedTime": family["half_time"],
            "Speed": family["half_time"]["measured"],
            "NotPrunable": plan["pinned"][0],
        },
        "prune": {"PruningReport": pruning, "Verification": pruning["verification"]},
    }
    for kind, found in objects.items():
        definitions = printed("schema", kind)["$defs"]
        for name, each in found.items():
            assert set(each) == set(definitions[name]["properties"]), name


@pytest.mark.parametrize("folder_of_that_name", [False, True])
def test_an_older_pair_is_replaced_by_a_pair_of_another_name(
    tmp_path: Path, *, folder_of_that_name: bool
) -> None:
    source, out = with_external_data(tmp_path), tmp_path / "small.onnx"
    options = ("--data", DATA, "--align", 1, "--no-refit", "-o", out)
    if folder_of_that_name:
        (tmp_path / "small.onnx.data").mkdir()
    else:
        assert run(source, "--target", "params=0.7", *options) == 0
    assert run(source, "--target", "params=0.5", *options) == 2
    assert run(source, "--target", "params=0.5", *options, "--force") == 0
    answers(out)
    kept = {"small.onnx.data"} if folder_of_that_name else set()
    assert {path.name for path in tmp_path.glob("*small*")} == {"small.onnx", "small.onnx.1.data"} | kept
