"""A session in a process of its own, for models that could take down the one that asks: limited, and killed in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from nnea_graph.errors import RunError
from nnea_graph.graph import Constant, Region, Stored
from nnea_graph.process.child import Child
from nnea_graph.process.framing import packed, text, unpacked
from nnea_graph.runtime.export.to_onnx import Written
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
        descriptors = {region.descriptor for region in regions.values()}
        try:
            self._child = Child("nnea_graph.runtime.session.isolated_worker", descriptors)
        except OSError as error:
            raise RunError(f"the process that would run the model cannot be started: {error}") from error
        self.close = self._child.close
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
            self._child.send(text(settings))
            self._child.send(written.proto.SerializeToString())
            self._answer()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._child.pid

    def run(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str], seconds: float | None = None
    ) -> list[Any]:
        """The outputs in order; the process is ended if they are not there after so many seconds.

        Raises:
            RunError: an input is missing, an operator fails, the process dies, or the time is up.
        """
        content = packed(feeds)
        with self._limited(None if seconds is None else seconds + _GRACE, "running"):
            self._child.send(text({"outputs": list(outputs), "seconds": seconds}))
            self._child.send(content)
            found = self._answer()
        return [found[name] for name in outputs]

    def _answer(self) -> dict[str, NDArray[Any]]:
        """Answer that the process says; its complaint as an error here."""
        complaint = self._child.receive(_MOST_ANSWER).decode()
        if complaint:
            raise RunError(complaint)
        return unpacked(self._child.receive(_MOST_ANSWER))

    @contextmanager
    def _limited(self, seconds: float | None, doing: str) -> Iterator[None]:
        """Kill the process when its time is up; its death is an error that says what it died of."""
        try:
            with self._child.within(seconds):
                yield
        except TimeoutError as error:
            raise RunError(
                f"the time for {doing} the model is up; raise the limit or shrink the input"
            ) from error
        except ChildProcessError as error:
            raise RunError(
                f"{doing} the model has ended the process that did it ({error}), which may take"
                f" {self._limits.memory_bytes:,} bytes; the model is damaged or takes more"
            ) from error


def _region(constant: Constant) -> Region:
    """Finds where another process finds a large constant."""
    region = constant.payload.region() if isinstance(constant.payload, Stored) else None
    if region is None:
        raise RunError(
            f"weight '{constant.name}' lies in one of too many files for the process that runs such models;"
            " save the model with its weights in one file"
        )
    return region
