"""Streams that cannot be written, interruptions, little memory: one line, and an exit code that is true."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnea_graph.commands.cli import run_command_line

MODEL = Path(__file__).parents[2] / "models" / "digits_mlp.onnx"
COMMAND = [sys.executable, "-m", "nnea_graph"]


@pytest.mark.parametrize(
    "arguments", ["schema", "schema plan", "--help", "--version", "run --help", "passes", "help"]
)
def test_what_cannot_be_printed_is_an_error_in_one_line(arguments: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments.split()], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "nnea-graph: error: standard output cannot be written: No space left on device; give another place\n"
    )


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_messages_that_cannot_be_written_change_no_exit_code(tmp_path: Path, stderr: str) -> None:
    def code(arguments: str) -> int:
        line = f"exec {sys.executable} -m nnea_graph {arguments} {stderr}"
        return subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, stdout=subprocess.DEVNULL, check=False
        ).returncode

    assert code(f"annotate {MODEL} --no-run -o out.onnx") == 0
    assert (tmp_path / "out.onnx").stat().st_size > MODEL.stat().st_size
    assert code("run nothing.onnx") == 2
    assert code(f"run {MODEL} -v --no-run") == 0


def test_an_interruption_at_any_moment_is_one_line_and_130() -> None:
    delays = random.Random(0)
    for _ in range(12):
        with subprocess.Popen(
            [*COMMAND, "run", str(MODEL), "--format", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            time.sleep(delays.uniform(0.15, 1.0))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        if process.returncode == 0:  # it was done already
            assert out.endswith("}\n")
            continue
        if process.returncode == -signal.SIGINT or "site" in err:  # Python itself was not there yet
            continue
        assert (process.returncode, err) == (130, "nnea-graph: error: interrupted\n")


@pytest.mark.parametrize(
    ("raised", "said", "code"),
    [
        (ImportError("x.so: failed to map segment from shared object"), "out of memory", 2),
        (OSError(12, "Cannot allocate memory"), "out of memory", 2),
        (RuntimeError("can't start new thread"), "out of memory", 2),
        (MemoryError(), "out of memory", 2),
        (ValueError("mine"), "internal error: ValueError: mine", 3),
    ],
)
def test_what_the_system_refuses_is_no_internal_error(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: Exception,
    said: str,
    code: int,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("nnea_graph.commands.run.run_model", fails)
    assert run_command_line(["run", "model.onnx"]) == code
    assert said in capsys.readouterr().err


def test_an_import_that_an_interruption_broke_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt  # noqa: TRY301 - as a library does
        except KeyboardInterrupt:
            raise ImportError("numpy: initialization failed") from None

    monkeypatch.setattr("nnea_graph.commands.run.run_model", fails)
    assert run_command_line(["run", "model.onnx"]) == 130
    assert capsys.readouterr().err == "nnea-graph: error: interrupted\n"


@pytest.mark.parametrize("mebibytes", [320, 400])
def test_little_memory_is_no_internal_error(mebibytes: int) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20,) * 2)

    done = subprocess.run(
        [*COMMAND, "run", str(MODEL), "--format", "json"],
        capture_output=True, text=True, preexec_fn=limited, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1, 2}, done.stderr
    assert "Traceback" not in done.stderr
