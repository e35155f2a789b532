"""Passes of other packages, announced by an entry point, in a package that the test itself writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile.support.models import model, op

SOURCE = '''
from dataclasses import dataclass

from nnea_graph.engine import Pass, RunContext
from nnea_graph.graph import Key, ModelGraph

COUNT = Key[int]("operator_count")


@dataclass(frozen=True)
class OperatorCountPass(Pass):
    """Counts operators."""

    name = "operator_count"
    provides = (COUNT,)
    fail: bool = False

    def run(self, graph: ModelGraph, context: RunContext) -> None:
        if self.fail:
            raise ValueError("on purpose")
        graph[COUNT] = len(graph)


class NoPass:
    name = "operator_count"
'''


def announce(folder: Path, value: str, name: str = "operator_count") -> None:
    (folder / "counting.py").write_text(SOURCE)
    info = folder / "counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[nnea_graph.passes]\n{name} = {value}\n")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "model.onnx").write_bytes(model([op("Relu", ["x"], ["y"])]).SerializeToString())
    return subprocess.run(
        [sys.executable, "-m", "nnea_graph", *arguments],
        capture_output=True, text=True, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, check=False,
    )  # fmt: skip


def test_an_announced_pass_is_listed_and_runs(tmp_path: Path) -> None:
    announce(tmp_path, "counting:OperatorCountPass")
    assert "Counts operators." in run(tmp_path, "passes").stdout
    done = run(tmp_path, "run", "model.onnx", "--format", "json")
    assert done.returncode == 0
    assert {"name": "operator_count", "status": "ok", "reason": ""} in json.loads(done.stdout)["passes"]


def test_an_announced_pass_that_fails_is_a_finding_and_everything_else_goes_on(tmp_path: Path) -> None:
    announce(tmp_path, "counting:OperatorCountPass")
    done = run(tmp_path, "run", "model.onnx", "--format", "json", "-p", "+operator_count{fail=true}")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    (finding,) = [each for each in report["findings"] if each["severity"] == "error"]
    assert finding["rule"] == "NNEA105"
    assert "operator_count" in finding["message"]
    assert "on purpose" in finding["message"]
    assert report["totals"]["other_flops"] == 4


@pytest.mark.parametrize(
    ("value", "name", "said"),
    [
        ("counting:NoSuchPass", "operator_count", "cannot be loaded"),
        ("no_such_module:OperatorCountPass", "operator_count", "cannot be loaded"),
        ("counting:NoPass", "operator_count", "which it is not"),
        ("counting:OperatorCountPass", "other_name", "which it is not"),
        ("counting:OperatorCountPass", "cost", "a second time"),
    ],
)
def test_an_announcement_that_does_not_hold_is_one_line(
    tmp_path: Path, value: str, name: str, said: str
) -> None:
    announce(tmp_path, value, name)
    done = run(tmp_path, "run", "model.onnx")
    assert done.returncode in {2, 3}
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
