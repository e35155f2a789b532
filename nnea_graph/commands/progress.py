"""One line on stderr, written over again, that says what is being done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nnea_graph.commands.messages import say


class ProgressLine:
    """The line; a pass, if there is one, stands in front."""

    def __init__(self) -> None:
        self._pass = ""

    def tell(self, name: str, place: int, count: int) -> None:
        """A pass begins."""
        self._pass = f"[{place + 1}/{count}] {name} "
        self.write("")

    def write(self, text: str) -> None:
        """It is so far."""
        say(f"\r\x1b[2K{self._pass}{text}")


@contextmanager
def progress(*, shown: bool) -> Iterator[ProgressLine | None]:
    """The line meanwhile, only on a terminal; nothing is left of it."""
    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    try:
        yield ProgressLine()
    finally:
        say("\r\x1b[2K")
