"""One model analyzed in a process of its own, under limits of time and memory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nnea_graph.process.child import python_command

_ERROR_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Task:
    """A model to analyze; the report goes to ``report``. Limits of 0 are none."""

    model: str
    report: str
    options: tuple[str, ...] = ()
    seconds: float = 600.0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """Ending of a task: the exit code of ``nnea-graph run``, and the error in one line where there is one."""

    model: str
    exit_code: int
    error: str = ""


class ModelRun:
    """A task that runs. Its whole process group ends with it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._began = time.monotonic()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in ``_ended``
        command = [*python_command("nnea_graph"), "run", task.model, "--no-progress", "--force"]
        # findings of severity error are for the policy to judge
        command += ["--exit-zero", "--format", f"json={task.report}", *task.options]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,
        )

    def outcome(self) -> TaskOutcome | None:
        """The outcome, or None while the child runs within its limits."""
        code = self._process.poll()
        if code is not None:
            return self._ended(code)
        if self.task.seconds and time.monotonic() - self._began > self.task.seconds:
            return self._killed(f"not done after {self.task.seconds:g} seconds; raise --time-limit")
        used = _resident(self._process.pid) if self.task.memory_bytes else 0
        if used > self.task.memory_bytes > 0:
            return self._killed(
                f"it took more than {self.task.memory_bytes:,} bytes of memory; raise --memory-limit"
            )
        return None

    def kill(self) -> None:
        """End the child and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _killed(self, why: str) -> TaskOutcome:
        self.kill()
        self._said.close()
        return TaskOutcome(self.task.model, 2, why)

    def _ended(self, code: int) -> TaskOutcome:
        self.kill()  # whatever it left behind
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        self._said.close()
        if code < 0:
            return TaskOutcome(self.task.model, 2, f"the analysis was ended by {signal.Signals(-code).name}")
        if code == 0:
            return TaskOutcome(self.task.model, 0)
        error = lines[-1].removeprefix("nnea-graph: error: ") if lines else "no reason was given"
        return TaskOutcome(self.task.model, code, error[:_ERROR_CHARACTERS])


def run_task(task: Task) -> TaskOutcome:
    """Run a task to its end; an interruption ends the child too."""
    child = ModelRun(task)
    try:
        while (outcome := child.outcome()) is None:
            time.sleep(0.02)
    except BaseException:
        child.kill()
        raise
    return outcome


def _resident(group: int) -> int:
    """Resident bytes of a process group; 0 where the system does not tell."""
    total = 0
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[2]) == group:
                total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total
