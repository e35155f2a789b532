"""The composite action and the pre-commit hook do what their files say: their shell lines are run here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POLICY = 'version = 1\n[budget]\nmacs = "<= 1M"\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "models" / "digits_cnn.onnx", tmp_path / "a.onnx")
    shutil.copy(ROOT / "models" / "digits_mlp.onnx", tmp_path / "b.onnx")
    (tmp_path / "nnea-policy.toml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    script = Path(sys.executable).with_name("nnea-graph")
    if not script.exists():
        pytest.skip("nnea-graph is not installed beside Python")
    return os.environ | {
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
    }


def test_the_action_fails_where_a_model_fails_and_writes_its_results(place: Path) -> None:
    text = (ROOT / ".github" / "actions" / "audit" / "action.yml").read_text(encoding="utf-8")
    script = re.findall(r"run: \|\n((?:        .*\n)+)", text)[-1]
    inputs = {"PATHS": "a.onnx b.onnx", "POLICY": "nnea-policy.toml", "SARIF": "nnea.sarif"}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=place,
        env=environment(place) | inputs,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "::error file=a.onnx,line=1,title=nnea-graph (NNEA901)::macs" in done.stdout
    assert "b.onnx" in (place / "summary.md").read_text(encoding="utf-8")
    assert (place / "nnea.sarif").is_file()


def test_the_hook_takes_file_names(place: Path) -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entry = re.findall(r"entry: (.*)", text)[0].split()
    command = [*entry, "a.onnx", "b.onnx"]
    done = subprocess.run(
        command, cwd=place, env=environment(place), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "PASSED" in done.stdout
