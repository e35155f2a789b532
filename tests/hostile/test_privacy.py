"""Nothing goes over a network, and nothing is written outside the output folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "models"
MODEL, DATA = str(MODELS / "digits_cnn.onnx"), str(MODELS / "digits.npz")
COMMANDS = [
    pytest.param(["run", MODEL, "--data", DATA, "--samples", "20", "-o", "out", "-q"], id="run"),
    pytest.param(["prune", MODEL, "--plan-only", "--rounds", "2", "-q"], id="plan"),
    pytest.param(["annotate", MODEL, "-o", "out.onnx", "-q"], id="annotate"),
]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    temporary = home.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    return kept | {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"} | more


def ended_well(command: Sequence[str], folder: Path, given: dict[str, str]) -> None:
    done = subprocess.run(
        [*command], capture_output=True, text=True, cwd=folder, env=given, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("arguments", COMMANDS)
def test_nothing_is_written_at_home_or_left_in_the_temporary_folder(
    tmp_path: Path, arguments: list[str]
) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    ended_well([sys.executable, "-m", "nnea_graph", *arguments], work, environment(home))
    # Libraries of pictures keep a cache of the machine's fonts.
    assert [path for path in below(home) if "matplotlib" not in path and "fontconfig" not in path] == []
    assert below(tmp_path / "temporary") == []
    assert {path.name for path in work.iterdir()} <= {"out", "out.onnx"}


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_home_that_cannot_be_written_is_no_matter(tmp_path: Path, arguments: list[str]) -> None:
    """A file in its place: no user, not even root, makes a folder there."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.write_text("")
    work.mkdir()
    ended_well([sys.executable, "-m", "nnea_graph", *arguments], work, environment(home))


@pytest.mark.parametrize("arguments", COMMANDS)
def test_no_network_is_asked_for(tmp_path: Path, arguments: list[str]) -> None:
    """Every call for a socket of the internet, of all processes, is seen by strace."""
    if not shutil.which("strace"):
        pytest.skip("no strace here")
    log, home, work = tmp_path / "log", tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    traced = ["strace", "-f", "-qq", "-e", "trace=socket", "-o", str(log)]
    try:
        subprocess.run([*traced, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("strace is not allowed here")
    ended_well([*traced, sys.executable, "-m", "nnea_graph", *arguments], work, environment(home))
    assert "AF_INET" not in log.read_text()


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_machine_without_a_network_is_enough(tmp_path: Path, arguments: list[str]) -> None:
    alone = ["unshare", "-n", "-r"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("a network namespace of its own is not allowed here")
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    ended_well([*alone, sys.executable, "-m", "nnea_graph", *arguments], work, environment(home))
