"""Ends runs of onnxruntime whose time is up."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Deadlines:
    """One thread for all runs of the process: to start one for each takes longer than most runs."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: dict[int, tuple[float, Any]] = {}
        self._awake_at = math.inf
        self._thread: threading.Thread | None = None

    @contextmanager
    def ending(self, options: Any, seconds: float) -> Iterator[None]:
        """Set ``options.terminate``, which ends the run that they are of, if it takes so long."""
        if seconds <= 0:  # the run might be over before the thread wakes up
            options.terminate = True
        deadline = time.monotonic() + seconds
        with self._changed:
            self._running[id(options)] = deadline, options
            self._watch()
            if deadline < self._awake_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._running.pop(id(options), None)

    def _watch(self) -> None:
        """Start the thread; a process that was forked has none of its parent's."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._end_each, name="nnea-graph deadlines", daemon=True)
            self._thread.start()

    def _end_each(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for key, (deadline, options) in list(self._running.items()):
                    if deadline <= now:
                        options.terminate = True
                        del self._running[key]
                self._awake_at = min((deadline for deadline, _ in self._running.values()), default=math.inf)
                self._changed.wait(min(self._awake_at - now, threading.TIMEOUT_MAX))


DEADLINES = Deadlines()
