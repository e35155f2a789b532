"""A session in a process of its own, for models that could take down the one that asks: limited, and killed in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

from numpy.typing import NDArray

from nnea_graph.errors import RunError
from nnea_graph.graph import Constant, Region, Stored
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.framing import packed, receive, send, text, unpacked
from nnea_graph.runtime.session.session import IsolationLimits

_MOST_ANSWER = 1 << 28
"""Bytes of sums and row numbers of one batch above which something is wrong."""

_GRACE = 1.0
"""Seconds in which onnxruntime may stop by itself, which leaves a better message."""


class IsolatedSession:
    """A model that another process has loaded; used as ``Session`` is."""

    def __init__(
        self, written: Written, outputs: Sequence[str], threads: int, limits: IsolationLimits
    ) -> None:
        """Start the process and let it make the session that observes the model.

        Raises:
            RunError: it cannot be started, does not take the model, or not within the limits.
        """
        regions = {name: _region(constant) for name, constant in written.stored.items()}
        self._limits = limits
        self._late = False
        self._process = _started({region.descriptor for region in regions.values()})
        self.close = weakref.finalize(self, _end, self._process)
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        arrays = {
            name: (region.descriptor, region.offset, region.dtype.code, list(written.stored[name].shape))
            for name, region in regions.items()
        }
        settings = {
            "outputs": list(outputs),
            "threads": threads,
            "memory_bytes": limits.memory_bytes,
            "arrays": arrays,
        }
        with self._limited(limits.seconds, "loading"):
            send(self._requests, text(settings))
            send(self._requests, written.proto.SerializeToString())
            self._answer()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def run(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str], seconds: float | None = None
    ) -> list[Any]:
        """The outputs in order; the process is ended if they are not there after so many seconds.

        Raises:
            RunError: an input is missing, an operator fails, the process dies, or the time is up.
        """
        content = packed(feeds)
        with self._limited(None if seconds is None else seconds + _GRACE, "running"):
            send(self._requests, text({"outputs": list(outputs), "seconds": seconds}))
            send(self._requests, content)
            found = self._answer()
        return [found[name] for name in outputs]

    def _answer(self) -> dict[str, NDArray[Any]]:
        """What the process says; its complaint as an error here."""
        complaint = receive(self._answers, _MOST_ANSWER).decode()
        if complaint:
            raise RunError(complaint)
        return unpacked(receive(self._answers, _MOST_ANSWER))

    @contextmanager
    def _limited(self, seconds: float | None, doing: str) -> Iterator[None]:
        """Kill the process when its time is up; its death is an error that says what it died of."""
        timer = threading.Timer(max(seconds or 0, 0), self._expire) if seconds is not None else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            yield
        except OSError as error:
            self._process.kill()
            raise RunError(self._death(doing)) from error
        finally:
            if timer:
                timer.cancel()
                timer.join()  # as long as it runs, it keeps the session, and so the process

    def _expire(self) -> None:
        self._late = True
        self._process.kill()

    def _death(self, doing: str) -> str:
        code = self._process.wait()
        if self._late:
            return f"the time for {doing} the model is up; raise the limit or shrink the input"
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return (
            f"{doing} the model has ended the process that did it ({how}), which may take"
            f" {self._limits.memory_bytes:,} bytes; the model is damaged or takes more"
        )


def _region(constant: Constant) -> Region:
    """Where another process finds a large constant."""
    region = constant.payload.region() if isinstance(constant.payload, Stored) else None
    if region is None:
        raise RunError(
            f"weight '{constant.name}' lies in one of too many files for the process that runs such models;"
            " save the model with its weights in one file"
        )
    return region


def _started(descriptors: set[int]) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise RunError("the model is run in another process only, and it is not known where Python is")
    # The same packages as here, but for the empty entry: nothing is imported from the current folder.
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "nnea_graph.runtime.session.isolated_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": paths},
            pass_fds=tuple(descriptors),
        )
    except OSError as error:
        raise RunError(f"the process that would run the model cannot be started: {error}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, and leave nothing behind."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        try:
            if pipe:
                pipe.close()
        except OSError:  # what it has not read is lost with it
            pass
