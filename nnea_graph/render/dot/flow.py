"""The flow diagram as DOT: layers from the top down, edges as wide as what runs through, colored by utilization."""

from __future__ import annotations

from nnea_graph.render.dot.boxes import box_attributes, edge_attributes, folding_lines
from nnea_graph.render.dot.style import INK, caption, digraph, scale
from nnea_graph.report.diagrams.model import FlowDiagram
from nnea_graph.report.units import percent

_USED = (
    "#dba565", "#e6bd87", "#efd3ab", "#f5e6cf", "#f4f2ea", "#dcece7", "#c3e2da", "#a6d5c9", "#8ac8b9",
)  # fmt: skip
"""Fills by utilization: brown is little, green is much."""
_INKS = (INK,) * len(_USED)
_WEIGHTS = {"importance": "|w| · mean |activation|", "weights": "|w|"}


def flow_dot(diagram: FlowDiagram) -> str:
    """DOT text."""
    picture = digraph("TB")
    picture.attr(nodesep="0.35", ranksep="0.32", label=_caption(diagram))
    for number, box in enumerate(diagram.boxes):
        picture.node(f"box_{number}", **box_attributes(box, _USED, _INKS))
    for edge in diagram.edges:
        picture.edge(f"box_{edge.source}", f"box_{edge.target}", **edge_attributes(edge))
    return str(picture.source)


def _caption(diagram: FlowDiagram) -> str:
    lines = [
        f"edges: share of all {diagram.score} that runs through",
        f"color: utilization exp(H)/n of {_WEIGHTS[diagram.color]}; white: not known or no weights",
        *folding_lines(diagram.folding, diagram.boxes),
    ]
    return caption(diagram.model, lines, scale(_USED, percent(diagram.low), percent(diagram.high)))
