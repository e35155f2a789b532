"""A process as it sees itself: standard input has requests, standard output nothing but answers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def answering() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The pipes of requests and answers, until nobody asks any more; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the main process, which ends this one
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        try:
            yield sys.stdin.buffer, answers
        except ConnectionError:
            return
