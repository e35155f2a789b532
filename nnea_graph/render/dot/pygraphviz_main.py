"""``python -m nnea_graph.render.dot.pygraphviz_main svg``: DOT from stdin, picture to stdout."""

from __future__ import annotations

import sys


def main() -> None:
    """Draw once."""
    import pygraphviz  # noqa: PLC0415 - an extra

    graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
    sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))


if __name__ == "__main__":
    main()
