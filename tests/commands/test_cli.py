"""The command line: usage errors, exit codes, the same bytes every time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile.support.models import model, op, tensor, typed
from hostile.support.running import Outcome, Program
from onnx import ModelProto, TensorProto

from nnea_graph.commands.cli import run_command_line

DIGITS = Path(__file__).parents[2] / "models" / "digits_cnn.onnx"
TRANSFORMER = DIGITS.with_name("digits_transformer.onnx")
RELU = model([op("Relu", ["x"], ["y"], name="relu")], [typed("x", "batch", "width")])
TWO = model([op("Add", ["a:0", "b"], ["y"], name="add")], [typed("a:0", "n", 4), typed("b", "m", 4)])


def usage(program: Program, *arguments: str, made: ModelProto = RELU) -> str:
    """The one line of a usage error."""
    outcome = program("run", program.save(made), *arguments)
    assert outcome.code == 2, outcome
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("nnea-graph: error: ")
    assert outcome.stderr.count("\n") == 1
    return outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--dim", "batch"], "write name=number", id="dim-without-number"),
        pytest.param(["--dim", "=5"], "write name=number", id="dim-without-name"),
        pytest.param(["--dim", "batch=x"], "write name=number", id="dim-of-letters"),
        pytest.param(["--dim", "batch=-1"], "write name=number", id="dim-negative"),
        pytest.param(["--dim", "batch=1.5"], "write name=number", id="dim-of-fraction"),
        pytest.param(["--dim", "batch=٣"], "write name=number", id="dim-of-other-digits"),
        pytest.param(["--dim", "batch=" + "9" * 5000], "write name=number", id="dim-of-5000-digits"),
        pytest.param(["--dim", f"batch={(1 << 62) + 1}"], "2^62", id="dim-beyond"),
        pytest.param(["--dim", "batsch=1"], "it has batch, width", id="dim-unknown"),
        pytest.param(["--input-shape", "1,2,3"], "has 2 dims, not 3", id="shape-of-wrong-rank"),
        pytest.param(["--input-shape", "z:1,2"], "no input 'z'; it has x", id="shape-of-unknown-input"),
        pytest.param(["--input-shape", "x:f16:1x2"], "float32, not float16", id="shape-of-wrong-type"),
        pytest.param(["--input-shape", "x:1,,2"], "write name:1,3,224,224", id="shape-with-gap"),
        pytest.param(["--input-shape", "x:[1,2"], "write name:1,3,224,224", id="shape-with-open-bracket"),
        pytest.param(["--input-shape", "x:-1,2"], "write name:1,3,224,224", id="shape-negative"),
        pytest.param(["--input-shape", "x:1,a"], "write name:1,3,224,224", id="shape-of-letters"),
        pytest.param(["--input-shape", ""], "write name:1,3,224,224", id="shape-empty"),
        pytest.param(
            ["--input-shape", "x:" + "9" * 5000], "write name:1,3,224,224", id="shape-of-5000-digits"
        ),
        pytest.param(["--input-shape", f"x:1,{(1 << 62) + 1}"], "2^62", id="shape-beyond"),
        pytest.param(
            ["--input-shape", "x:2,3", "--dim", "batch=1"], "as 1 and as 2", id="two-numbers-for-a-dim"
        ),
        pytest.param(["--format", "yaml"], "no format 'yaml'; there is text, json", id="format-unknown"),
        pytest.param(["--format", "json", "--format", "text"], "only one format", id="two-formats-to-stdout"),
        pytest.param(
            ["-p", "costs"], "-p: there is no pass 'costs'; did you mean 'cost'", id="pass-misspelled"
        ),
        pytest.param(["-p", "zzz"], "'nnea-graph passes' lists them", id="pass-unknown"),
        pytest.param(["-p", ""], "-p: the pipeline is empty", id="pipeline-empty"),
        pytest.param(["-p", "cost{"], "cannot read the pipeline at", id="pipeline-open-brace"),
        pytest.param(["-p", "cost{x=1}"], "has no option 'x'", id="pass-option-unknown"),
        pytest.param(["-p", "cost{training}"], "needs a value", id="pass-option-without-value"),
        pytest.param(
            ["-p", "weight_statistics{processes=two}"], "is int, not 'two'", id="pass-option-of-wrong-type"
        ),
        pytest.param(["-p", "__import__('os')"], "cannot read the pipeline", id="pipeline-is-no-program"),
        pytest.param(["--limit", "noodles=3"], "no such limit; there are file_bytes", id="limit-unknown"),
        pytest.param(["--limit", "nodes=lots"], "nodes=NUMBER", id="limit-of-letters"),
        pytest.param(["--training", "5x"], "'5x'", id="training-unknown"),
        pytest.param(["--top", "0"], "--top", id="top-0"),
        pytest.param(["--nonsense"], "--nonsense", id="option-unknown"),
        pytest.param(["second.onnx"], "second.onnx", id="two-models"),
    ],
)
def test_a_usage_error_is_one_line_that_helps(program: Program, arguments: list[str], said: str) -> None:
    assert said in usage(program, *arguments)


def test_a_shape_without_a_name_needs_a_single_input(program: Program) -> None:
    assert "2 inputs (a:0, b); say which" in usage(program, "--input-shape", "1,4", made=TWO)


@pytest.mark.parametrize(
    "shape", ["x:3,5", "x:[3,5]", "x:3x5", "x:f32:3x5", "3,5", "[3,5]", "3x5", "x:[3, 5]", "x:F32:3,5"]
)
def test_an_input_shape_may_be_written_in_five_ways(program: Program, shape: str) -> None:
    report = program.reports(RELU, "--input-shape", shape).report
    assert report["model"]["inputs"][0]["shape"] == [3, 5]
    assert report["assumed_dims"] == []


def test_names_with_colons_are_read_from_the_right(program: Program) -> None:
    report = program.reports(TWO, "--input-shape", "a:0:2,4", "--input-shape", "b:f32:2x4").report
    assert [each["shape"] for each in report["model"]["inputs"]] == [[2, 4], [2, 4]]


def test_dims_that_are_not_given_are_listed_as_assumed(program: Program) -> None:
    report = program.reports(RELU, "--dim", "width=7").report
    assert report["dims"] == {"batch": 1, "width": 7}
    assert report["assumed_dims"] == ["batch"]


def test_a_pipeline_runs_what_it_names_and_what_that_needs(program: Program) -> None:
    report = program.reports(RELU, "-p", "cost").report
    assert [each["name"] for each in report["passes"]] == ["shape_inference", "constants", "cost"]
    assert report["totals"]["peak_activation_bytes"] is None


@pytest.mark.parametrize("arguments", [[], ["run"], ["nonsense"], ["run", "a.onnx", "-p"]])
def test_too_few_arguments_are_exit_2(program: Program, arguments: list[str]) -> None:
    outcome = program(*arguments)
    assert outcome.code == 2
    assert outcome.stdout == ""
    assert outcome.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["-V"], ["passes"], ["schema"]])
def test_what_is_asked_for_is_data_on_stdout(program: Program, arguments: list[str]) -> None:
    outcome = program(*arguments)
    assert outcome.code == 0
    assert outcome.stdout
    assert outcome.stderr == ""


def test_help_names_every_limit(program: Program) -> None:
    shown = program("run", "--help").stdout
    assert "function_nodes = 1,000,000" in shown
    assert "130 interrupted" in shown


def test_the_report_fits_its_schema(program: Program) -> None:
    """Every object of the report has the fields of its definition, all of them and no others."""
    definitions = json.loads(program("schema").stdout)["$defs"]
    report = program.reports(DIGITS).report
    objects = {
        "Report": [report], "Model": [report["model"]], "Totals": [report["totals"]], "Layer": report["layers"],
        "Node": report["nodes"], "Finding": report["findings"], "PassRun": report["passes"],
        "Metrics": [layer["weight_metrics"] for layer in report["layers"]],
    }  # fmt: skip
    for name, found in objects.items():
        assert found
        assert all(set(each) == set(definitions[name]["properties"]) for each in found), name


def test_an_error_finding_is_exit_1_in_every_format(program: Program) -> None:
    made = model([op("MatMul", ["x", "w"], ["y"])], weights=[tensor("w", np.full((4, 4), np.nan))])
    path = program.save(made)
    assert program("run", path).code == 1
    assert program("run", path).stdout.splitlines()[-1] == "FAILED"
    assert program("run", path, "--format", "json").code == 1
    assert program("run", path, "--exit-zero").code == 0


def test_the_last_line_of_text_says_passed(program: Program) -> None:
    assert program("run", program.save(RELU)).stdout.splitlines()[-1] == "PASSED"


def test_debug_shows_where_an_error_comes_from(program: Program) -> None:
    outcome = program("run", program.save(b"noise"), "--debug")
    assert "Traceback" in outcome.stderr


def test_verbose_tells_the_passes_on_stderr_only(program: Program) -> None:
    outcome = program("run", program.save(RELU), "-v", "--format", "json")
    assert json.loads(outcome.stdout)
    assert "shape_inference" in outcome.stderr


def test_formats_go_to_their_files(program: Program) -> None:
    outcome = program("run", program.save(RELU), "--format", "json=a.json", "--format", "text=a.txt")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert json.loads((program.folder / "a.json").read_text())
    assert (program.folder / "a.txt").read_text().endswith("PASSED\n")


def in_a_process(folder: Path, model_path: Path, form: str, seed: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "nnea_graph", "run", str(model_path), "--format", form],
        capture_output=True, cwd=folder, env=os.environ | {"PYTHONHASHSEED": seed}, check=True,
    )  # fmt: skip
    assert done.stderr == b""
    return done.stdout


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_same_run_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path, form: str) -> None:
    assert in_a_process(tmp_path, TRANSFORMER, form, "1") == in_a_process(tmp_path, TRANSFORMER, form, "4711")


def test_the_same_run_into_a_folder_gives_the_same_report(program: Program) -> None:
    for folder in ("one", "two"):
        assert program("run", DIGITS, "-o", folder).code == 0
    reports = [(program.folder / folder / "report.json").read_bytes() for folder in ("one", "two")]
    assert reports[0] == reports[1]


def imported_by(statement: str) -> set[str]:
    """The top-level modules that are there after a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["nnea_graph", "nnea_graph.commands.cli", "nnea_graph.__main__"])
def test_starting_up_imports_nothing_heavy(module: str) -> None:
    heavy = {
        "numpy",
        "networkx",
        "onnx",
        "onnxruntime",
        "torch",
        "tensorflow",
        "matplotlib",
        "rich",
        "ray",
        "graphviz",
    }
    assert not imported_by(f"import {module}") & heavy


def test_a_run_imports_no_framework_and_no_runtime() -> None:
    heavy = {
        "onnxruntime",
        "torch",
        "tensorflow",
        "keras",
        "matplotlib",
        "ray",
        "onnx_graphsurgeon",
        "sklearn",
    }
    statement = (
        "from nnea_graph.api.analyze import analyze;"
        f"analyze({str(DIGITS)!r}, passes='cost,memory,weight_statistics')"
    )
    assert not imported_by(statement) & heavy


def test_both_ways_to_start_the_program_are_the_same(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("nnea-graph")
    runs = [
        subprocess.run([*start, "-V"], capture_output=True, text=True, cwd=tmp_path, check=True).stdout
        for start in ([str(script)], [sys.executable, "-m", "nnea_graph"])
    ]
    assert runs[0] == runs[1]
    assert runs[0].startswith("nnea-graph ")


def test_types_of_inputs_are_told_apart(program: Program) -> None:
    made = model([op("Relu", ["x"], ["y"])], [typed("x", 1, dtype=TensorProto.FLOAT16)])
    outcome: Outcome = program.reports(made, "--input-shape", "x:f16:1")
    assert outcome.report["model"]["inputs"][0]["dtype"] == "float16"


def test_paths_are_counted_scored_and_led_by_options(program: Program) -> None:
    arguments = ["--top-k", "3", "--class", "7", "--score", "importance", "--no-run", "--format", "json"]
    found = json.loads(program("run", str(DIGITS), *arguments).stdout)["pathways"]
    assert (found["k"], found["score"], len(found["paths"])) == (3, "importance", 3)
    assert found["sinks"] == [{"tensor": "logits", "channels": 1, "channel": 7}]
    assert {path["units"][-1]["channel"] for path in found["paths"]} == {7}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--class", "10"], "'logits' has channels 0 to 9, not 10"),
        (["--sink", "logit"], "did you mean 'logits'?"),
        (["--top-k", "0"], "0 is not in the range"),
        (["--score", "flows"], "'flows' is not one of"),
    ],
    ids=["class", "sink", "top-k", "score"],
)
def test_paths_that_cannot_be_are_exit_2(program: Program, arguments: list[str], said: str) -> None:
    outcome = program("run", str(DIGITS), "--no-run", *arguments)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert said in outcome.stderr


def test_code_that_ends_the_program_is_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(*_: object, **__: object) -> None:
        sys.exit(0)

    monkeypatch.setattr("nnea_graph.commands.run.run_model", ends)
    assert run_command_line(["run", "model.onnx"]) == 2
    assert "sys.exit(0)" in capsys.readouterr().err
