"""Turns DOT into pictures, with whatever graphviz there is, in a process of its own.

``python -m nnea_graph.render.dot.engine svg`` is that process where pygraphviz draws: DOT in, picture out.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec

from nnea_graph.process.child import completed, python_command
from nnea_graph.render.dot.flow import flow_dot
from nnea_graph.render.dot.operators import graph_dot
from nnea_graph.render.dot.pathways import pathways_dot
from nnea_graph.report.diagrams import Diagrams

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
        done = completed(command, dot.encode("utf-8", "backslashreplace"), seconds)
    except TimeoutError:
        return Drawing(b"", f"graphviz took more than {seconds:g} s; draw the .dot file yourself")
    except OSError as error:
        return Drawing(b"", f"graphviz cannot be run: {error.strerror}; {_INSTALL}")
    if done.returncode or not done.stdout:
        return Drawing(b"", f"graphviz failed: {_said(done.stderr) or done.returncode}")
    return Drawing(done.stdout)


def _said(stderr: bytes) -> str:
    """The first line; of a traceback the last one, which is the error."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1 if lines[0].startswith("Traceback") else 0][:200]


def _engine(form: str) -> list[str]:
    """The command line, empty where there is no engine."""
    dot = shutil.which("dot")
    if dot:
        return [dot, f"-T{form}"]
    if find_spec("pygraphviz"):
        return python_command("nnea_graph.render.dot.engine", form)
    return []


def dot_texts(diagrams: Diagrams, *, accents: bool = False) -> Mapping[str, str]:
    """DOT by name of the picture."""
    found = {}
    if diagrams.paths is not None:
        found["pathways"] = pathways_dot(diagrams.paths, accents=accents)
    if diagrams.flow is not None:
        found["flow"] = flow_dot(diagrams.flow)
    if diagrams.operators is not None:
        found["graph"] = graph_dot(diagrams.operators)
    return found


def picture_files(diagrams: Diagrams, *, accents: bool = False) -> tuple[dict[str, str], str]:
    """Texts by file name, and in one line why there is not every picture, "" if there is."""
    texts = dot_texts(diagrams, accents=accents)
    with ThreadPoolExecutor(max(1, len(texts))) as pool:
        drawings = dict(zip(texts, pool.map(draw, texts.values()), strict=True))
    files = {f"{name}.dot": text for name, text in texts.items()}
    files |= {f"{name}.svg": each.data.decode("utf-8") for name, each in drawings.items() if each.data}
    missing = {name: each.reason for name, each in drawings.items() if each.reason}
    if not missing:
        return files, ""
    names = ", ".join(f"{name}.svg" for name in missing)
    return files, f"not drawn: {names}: {next(iter(missing.values()))}"


def main() -> None:
    """Draw once, with pygraphviz."""
    import pygraphviz  # noqa: PLC0415 - an extra

    graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
    sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))


if __name__ == "__main__":
    main()
