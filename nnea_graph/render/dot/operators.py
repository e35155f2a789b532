"""The operator graph as DOT: every operator with its shape, parameters and share of the work."""

from __future__ import annotations

from nnea_graph.render.dot.boxes import box_attributes, edge_attributes, folding_lines
from nnea_graph.render.dot.style import BLUES, ON_BLUES, PAPER, caption, digraph, scale
from nnea_graph.report.diagrams.model import OperatorDiagram

_FILLS = (PAPER, *BLUES[1:])


def graph_dot(diagram: OperatorDiagram) -> str:
    """DOT text."""
    picture = digraph("TB")
    picture.attr(nodesep="0.3", ranksep="0.3", label=_caption(diagram))
    for number, box in enumerate(diagram.boxes):
        picture.node(f"box_{number}", **box_attributes(box, _FILLS, ON_BLUES, by_type=True))
    for edge in diagram.edges:
        picture.edge(f"box_{edge.source}", f"box_{edge.target}", **edge_attributes(edge))
    return str(picture.source)


def _caption(diagram: OperatorDiagram) -> str:
    lines = ["operators: shape of the output, parameters, share of the MACs (color)"]
    lines += folding_lines(diagram.folding, diagram.boxes)
    if diagram.constant:
        lines.append(f"not drawn: {diagram.constant:,} operators that only compute constants")
    return caption(diagram.model, lines, scale(BLUES[1:], "little of the MACs", "most"))
