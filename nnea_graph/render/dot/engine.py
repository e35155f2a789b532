"""Turns DOT into pictures, with whatever graphviz there is, in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

_INSTALL = "install graphviz (apt-get install graphviz), or pip install 'nnea-graph[pictures]'"
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """``data`` is the picture, empty where ``reason`` says why there is none."""

    data: bytes
    reason: str = ""


def draw(dot: str, form: str = "svg", seconds: float = SECONDS) -> Drawing:
    """A picture in ``form`` (svg, png), by ``dot`` where it is installed, else by the engine in pygraphviz."""
    command = _engine(form)
    if not command:
        return Drawing(b"", f"no program to draw with: {_INSTALL}")
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command; the text goes in by stdin
            command,
            input=dot.encode("utf-8", "backslashreplace"),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Drawing(b"", f"graphviz took more than {seconds:g} s; draw the .dot file yourself")
    except OSError as error:
        return Drawing(b"", f"graphviz cannot be run: {error.strerror}; {_INSTALL}")
    if done.returncode or not done.stdout:
        lines = done.stderr.decode("utf-8", "replace").split("\n")
        return Drawing(b"", f"graphviz failed: {lines[0][:200] or done.returncode}")
    return Drawing(done.stdout)


def _engine(form: str) -> list[str]:
    """The command line, empty where there is no engine."""
    dot = shutil.which("dot")
    if dot:
        return [dot, f"-T{form}"]
    if find_spec("pygraphviz"):
        return [sys.executable, "-P", "-m", "nnea_graph.render.dot.pygraphviz_main", form]
    return []
