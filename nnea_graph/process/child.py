"""Processes as the one that starts them sees them: talked to in frames, killed in time, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, cast

from nnea_graph.process.framing import Bytes, receive, send

_LAST_SECONDS = 1.0
"""In which a process may end by itself once it has stopped to answer, which leaves its own code."""


class Child:
    """A module of this package at work in a process of its own, which ends with this object.

    Args:
        module: what is run; it answers in frames, see ``serving.answering``.
        descriptors: open files that it can read.
        environment: variables that it has besides those of this process.
        pipe_bytes: what waits in its pipes, where that is not as usual.
        keeps_errors: whether what it prints as an error can be read afterwards, in ``last_error``.

    Raises:
        OSError: it cannot be started; so do all methods that talk to it once it has died.
    """

    def __init__(
        self,
        module: str,
        descriptors: Iterable[int] = (),
        *,
        environment: Mapping[str, str] | None = None,
        pipe_bytes: int = -1,
        keeps_errors: bool = False,
    ) -> None:
        self._errors = tempfile.TemporaryFile() if keeps_errors else None  # noqa: SIM115 - it lives as long as this
        self._process = subprocess.Popen(  # noqa: S603 - a module of this package
            python_command(module),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors or subprocess.DEVNULL,
            env=_environment(environment or {}),
            pass_fds=tuple(descriptors),
            pipesize=pipe_bytes,
        )
        self.close = weakref.finalize(self, _end, self._process, self._errors)
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def send(self, *parts: Bytes) -> None:
        """Write one frame."""
        send(self._requests, *parts)

    def receive(self, most: int) -> bytearray:
        """Read one frame of so many bytes at most."""
        return receive(self._answers, most)

    @contextmanager
    def within(self, seconds: float | None) -> Iterator[None]:
        """Kill the process when its time is up.

        Raises:
            TimeoutError: it was.
            ChildProcessError: the process has ended by itself; the message is the signal or the code.
        """
        late = threading.Event()
        timer = None if seconds is None else threading.Timer(max(seconds, 0), self._expire, [late])
        if timer:
            timer.daemon = True
            timer.start()
        try:
            yield
        except OSError as error:
            code = self._ended()
            if late.is_set():
                raise TimeoutError(f"{seconds} s are over") from error
            raise ChildProcessError(signal.Signals(-code).name if code < 0 else f"code {code}") from error
        finally:
            if timer:
                timer.cancel()
                timer.join()  # as long as it runs, it keeps this object, and so the process

    def last_error(self) -> str:
        """The last line that it has printed as an error, "" if none is kept."""
        if self._errors is None:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def kill(self) -> None:
        """End it at once: whoever waits for an answer gets an error."""
        self._process.kill()

    def _ended(self) -> int:
        """Exit status, waited for or forced: the pipes close before the process is gone."""
        try:
            return self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def _expire(self, late: threading.Event) -> None:
        late.set()
        self.kill()


def _end(process: subprocess.Popen[bytes], errors: IO[bytes] | None) -> None:
    """End it, and leave nothing behind."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, errors):
        if pipe:
            pipe.close()


def completed(command: Sequence[str], content: bytes, seconds: float) -> subprocess.CompletedProcess[bytes]:
    """Output that a program makes of its input.

    Raises:
        TimeoutError: it takes longer.
        OSError: it cannot be started.
    """
    try:
        return subprocess.run(  # noqa: S603 - a fixed command; the content goes in by stdin
            command, input=content, capture_output=True, env=_environment({}), timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{seconds:g} s are over") from error


def python_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this package.

    Raises:
        FileNotFoundError: it is not known where Python is.
    """
    if not sys.executable:
        raise FileNotFoundError("it is not known where Python is")
    return [sys.executable, "-P", "-m", module, *arguments]


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """The same packages as here, but for the empty entry: nothing is imported from the current folder."""
    return os.environ | dict(more) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
