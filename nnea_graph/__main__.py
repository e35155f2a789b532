"""``python -m nnea_graph`` and the ``nnea-graph`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from nnea_graph.cli import run_command_line  # noqa: PLC0415 - argument errors must not cost imports

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
