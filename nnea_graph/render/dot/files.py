"""The pictures of a model as files: the DOT text always, SVG where there is something to draw with."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from nnea_graph.render.dot.engine import draw
from nnea_graph.render.dot.flow import flow_dot
from nnea_graph.render.dot.operators import graph_dot
from nnea_graph.render.dot.pathways import pathways_dot
from nnea_graph.report.diagrams.all import Diagrams


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
