"""``python -m nnea_graph`` and the ``nnea-graph`` command."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress

_INTERRUPTED = 130


def main() -> None:
    """Run the command line and leave with its exit code."""
    code = _code()
    if code == _INTERRUPTED:
        # CPython remembers an interruption inside exec(), where dataclasses are made, though it was caught, and would
        # end by the signal in place of the exit code; the next exec() makes it forget.
        exec("")  # noqa: S102
    sys.exit(code)


def _code() -> int:
    try:
        if not sys.warnoptions:  # of libraries, about their own affairs; python -W shows them
            warnings.simplefilter("ignore")
        from nnea_graph.commands.cli import run_command_line  # noqa: PLC0415 - argument errors must not cost imports

        return run_command_line(sys.argv[1:])
    except KeyboardInterrupt:  # while that was imported, or a message written
        with suppress(OSError):
            os.write(2, b"nnea-graph: error: interrupted\n")
        return _INTERRUPTED


if __name__ == "__main__":
    main()
