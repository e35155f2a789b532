from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from nnea_graph.commands.cli import run_command_line

MODELS = Path(__file__).parents[2] / "models"
STATIC = ("-p", "cost,memory,weight_statistics", "--no-run")
POLICY = 'version = 1\n[budget]\nmacs = "<= 1M"\nunknown_cost_operators = 0\n'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(
        MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("*.npz", "*.py", "*.md", "*.svg")
    )
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def audit(*arguments: str) -> int:
    return run_command_line(["audit", "models", "--policy", "policy.toml", *STATIC, "-q", *arguments])


def contents(folder: Path) -> dict[str, bytes]:
    """All results; the journal is in the order in which models were done."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"journal.jsonl", ".nnea-graph.lock"}
    }


def test_each_model_has_its_verdict_and_the_exit_code_is_the_worst(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("-o", "out") == 1
    said = capsys.readouterr().out
    assert "FAILED  models/digits_cnn.onnx" in said
    assert "macs is 1.27 M (1,269,504); the limit is <= 1M" in said
    found = json.loads((place / "out" / "audit.json").read_text(encoding="utf-8"))
    assert {each["path"]: each["verdict"] for each in found["models"]}["models/digits_mlp.onnx"] == "PASSED"
    assert (place / "out" / "index.html").is_file()


def test_a_file_that_is_no_model_is_its_row_and_exit_2(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "models" / "noise.onnx").write_bytes(b"\x07" * 20)
    assert audit() == 2
    said = capsys.readouterr().out
    assert "ERROR   models/noise.onnx" in said
    assert "FAILED  models/digits_cnn.onnx" in said


@pytest.mark.slow
def test_the_results_are_the_same_however_many_workers_and_how_often(place: Path) -> None:
    for name, jobs in (("one", "1"), ("two", "2"), ("one", "2")):
        assert audit("-o", name, "-j", jobs) == 1
    assert contents(place / "one") == contents(place / "two")


@pytest.mark.slow
def test_a_killed_audit_goes_on_and_ends_with_the_same_bytes(place: Path) -> None:
    for copy in range(4):
        shutil.copy(MODELS / "digits_mlp.onnx", place / "models" / f"copy{copy}.onnx")
    assert audit("-o", "whole", "-j", "2") == 1
    command = [
        sys.executable,
        "-m",
        "nnea_graph",
        "audit",
        "models",
        "--policy",
        "policy.toml",
        *STATIC,
        "-q",
    ]
    chance = random.Random(7)
    for _ in range(4):
        process = subprocess.Popen(
            [*command, "-o", "killed", "-j", "2"], start_new_session=True, stdout=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.3, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert audit("-o", "killed", "-j", "2") == 1
    assert contents(place / "killed") == contents(place / "whole")


def test_one_baseline_folder_for_many_models(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "policy.toml").write_text('version = 1\n[baseline]\nmacs = "<= 1.05x"\n', encoding="utf-8")
    assert audit("--baseline", "base", "--update-baseline") == 2  # there is no such folder yet
    (place / "base").mkdir()
    assert audit("--baseline", "base", "--update-baseline") == 0
    assert len(list((place / "base").iterdir())) == 3
    shutil.copy(place / "models" / "digits_cnn.onnx", place / "models" / "digits_mlp.onnx")
    capsys.readouterr()
    assert audit("--baseline", "base") == 1
    assert "baseline: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fail-on", "macz>1M"], "did you mean 'macs'"),
        (["--format", "xml"], "there is no format 'xml'"),
        (["--format", "json", "--format", "md"], "only one format can go to stdout"),
        (["--today", "soon"], "write a day"),
        (["--update-baseline"], "give the folder"),
    ],
)
@pytest.mark.usefixtures("place")
def test_wrong_arguments_are_one_line_and_exit_2(
    arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(*arguments) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line]
    assert said in errors[-1]
    assert len(errors) == 1


def test_two_audits_do_not_write_into_one_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "out").mkdir()
    held = os.open(place / "out" / ".nnea-graph.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        assert audit("-o", "out") == 2
    finally:
        os.close(held)
    assert "another audit writes there" in capsys.readouterr().err


def run(*arguments: str) -> int:
    return run_command_line(["run", "models/digits_cnn.onnx", "-p", "cost", "--no-run", *arguments])


@pytest.mark.usefixtures("place")
def test_run_has_the_same_gates(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--fail-on", "macs>1M") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "FAILED"
    assert run("--policy", "policy.toml", "--format", "sarif=a.sarif") == 1
    assert run("--fail-on", "macs>2M") == 0
    assert run("--fail-on", "peak_activations>1MiB") == 2
    assert "peak_activations is not known: pass memory did not run" in capsys.readouterr().err


def test_a_report_is_rendered_and_gated_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--format", "json=report.json") == 0
    for form in ("text", "html", "md", "csv", "sarif", "junit", "netron", "model-explorer", "node-data"):
        assert run_command_line(["render", "report.json", "--format", f"{form}=out.{form}"]) == 0
        assert (place / f"out.{form}").stat().st_size
    assert run_command_line(["render", "report.json", "--fail-on", "macs>1M"]) == 1
    assert run_command_line(["render", "report.json", "--format", "json=report.json", "--force"]) == 2
    assert "that is the report itself" in capsys.readouterr().err


def test_a_policy_that_was_written_is_valid_and_holds(place: Path) -> None:
    assert run_command_line(["policy", "init", "models/digits_cnn.onnx", "-o", "own.toml"]) == 0
    assert run_command_line(["policy", "check", "own.toml"]) == 0
    gated = ["run", "models/digits_cnn.onnx", "--no-run", "--policy", "own.toml", "--format", "md"]
    assert run_command_line(gated) == 0
    text = (place / "own.toml").read_text(encoding="utf-8")
    (place / "own.toml").write_text(text.replace("1.4M", "1.2M"), encoding="utf-8")
    assert run_command_line(gated) == 1
    assert run_command_line(["policy", "schema"]) == 0
    assert (place / "own.toml").read_text(encoding="utf-8").count("<=") >= 5
