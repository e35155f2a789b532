"""Runs ``nnea-graph`` as a user would, and holds its promises against what it did."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto

SECONDS = 20.0
"""Of processor time: other work on the machine is not the program's."""
_PATIENCE = 5
MEMORY = 1 << 30
_SERVER = Path(__file__).with_name("server.py")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    peak_bytes: int

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.stdout)
        return report

    def rules(self) -> list[str]:
        return [finding["rule"] for finding in self.report["findings"]]

    def node(self, node_id: str) -> dict[str, Any]:
        found: dict[str, Any] = next(node for node in self.report["nodes"] if node["id"] == node_id)
        return found


class Program:
    """The command line, in a process of its own for each run; ``folder`` is where it runs."""

    def __init__(self, server: subprocess.Popen[str], folder: Path) -> None:
        self._server = server
        self.folder = folder

    def __call__(
        self, *arguments: str | Path, file_size: int | None = None, may_run: bool = False
    ) -> Outcome:
        """Run it, static passes only unless it ``may_run``; fails if it takes longer than any input may."""
        out, err = self.folder / ".stdout", self.folder / ".stderr"
        static = arguments[:1] == ("run",) and not may_run
        command = {
            "arguments": [*map(str, arguments), *(["--no-run"] if static else [])],
            "folder": str(self.folder),
            "seconds": _PATIENCE * SECONDS,
            "stdout": str(out),
            "stderr": str(err),
            "file_size": file_size,
        }
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(command) + "\n")
        self._server.stdin.flush()
        result = json.loads(self._server.stdout.readline())
        assert not result["killed"], f"not done after {_PATIENCE * SECONDS} seconds: {arguments}"
        assert result["seconds"] < SECONDS, f"took {result['seconds']} seconds: {arguments}"
        return Outcome(result["code"], _text(out), _text(err), result["seconds"], result["peak_bytes"])

    def run(self, model: ModelProto | bytes | Path, *options: str, name: str = "model.onnx") -> Outcome:
        """``nnea-graph run`` on a model, JSON to stdout; what every input must keep is checked."""
        path = model if isinstance(model, Path) else self.save(model, name)
        outcome = self("run", path, "--format", "json", *options)
        check(outcome, path)
        return outcome

    def refuses(self, model: ModelProto | bytes | Path, *said: str, options: Sequence[str] = ()) -> str:
        """The one line of an error that names the file and says all of that."""
        outcome = self.run(model, *options)
        assert outcome.code == 2, outcome
        for part in (*said, "model.onnx" if not isinstance(model, Path) else model.name):
            assert part in outcome.stderr, outcome.stderr
        return outcome.stderr

    def reports(self, model: ModelProto | bytes | Path, *options: str, code: int = 0) -> Outcome:
        """A report in spite of everything."""
        outcome = self.run(model, *options)
        assert outcome.code == code, outcome.stderr
        return outcome

    def save(self, model: ModelProto | bytes, name: str = "model.onnx") -> Path:
        path = self.folder / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path


def check(outcome: Outcome, path: Path) -> None:
    """What holds for every input: an error in one line and no data, or a whole report and no error."""
    assert outcome.code in {0, 1, 2}, outcome
    assert "Traceback" not in outcome.stderr
    size = path.stat().st_size if path.is_file() else 0
    assert outcome.peak_bytes < MEMORY + 2 * size, f"{outcome.peak_bytes:,} bytes at the peak"
    if outcome.code == 2:
        assert outcome.stdout == ""
        assert outcome.stderr.startswith("nnea-graph: error: ")
        assert outcome.stderr.count("\n") == 1
        assert outcome.stderr[:-1].isprintable(), outcome.stderr
        assert len(outcome.stderr) < 5000
    else:
        assert outcome.stderr == ""
        report = json.loads(outcome.stdout, parse_constant=_no_constant)
        # A pass that crashes ends as a finding, which is right for other people's passes, not for ours.
        assert [each for each in report["passes"] if each["status"] != "ok"] == []


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} in a report")


@contextmanager
def serving(*imported: str) -> Iterator[subprocess.Popen[str]]:
    """The server; modules are ``imported`` there for all runs."""
    with subprocess.Popen(
        [sys.executable, str(_SERVER), *imported], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield server
        assert server.stdin
        server.stdin.close()
