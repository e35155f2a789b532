"""Lays out the operators of a model as the report describes them, folded where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nnea_graph.report.diagrams.boxes import OPERATOR, Boxes, BoxMember, joined_edges
from nnea_graph.report.diagrams.folding import Edge, fold
from nnea_graph.report.diagrams.model import DrawnBox, OperatorDiagram, step
from nnea_graph.report.schema.analysis import Dim, Node, Report

_MOST = 400
"""Operators, inputs and outputs that are drawn one by one."""
_BOXES = 120


def operator_diagram(report: Report) -> OperatorDiagram:
    """Operators that inputs lead to; those that only compute constants are counted, not drawn."""
    nodes = _fed(report)
    inputs = [BoxMember(each.name, "input", (), _shape(each.shape)) for each in report.model.inputs]
    outputs = [BoxMember(each.name, "output", (), _shape(each.shape)) for each in report.model.outputs]
    parts = [*inputs, *(_part(node) for node in nodes), *outputs]
    edges: dict[Edge, float | None] = dict.fromkeys(_edges(report, nodes, len(inputs)))
    limit = _MOST if len(parts) <= _MOST else _BOXES
    shapes, scopes = [part.shape for part in parts], [part.scope for part in parts]
    folded, how = fold(len(parts), edges, shapes, scopes, limit)
    sums = Boxes(report)
    boxes = [sums.drawn([parts[place] for place in box]) for box in folded]
    top = max((box.macs_share or 0.0 for box in boxes), default=0.0)
    return OperatorDiagram(
        model=report.model.path,
        folding=how,
        constant=len(report.nodes) - len(nodes),
        boxes=[_levelled(box, top) for box in boxes],
        edges=joined_edges(edges, folded),
    )


def _fed(report: Report) -> list[Node]:
    """The operators that read an input of the model, or what was made of one."""
    fed = {each.name for each in report.model.inputs}
    owners = {branch.path: branch.owner for branch in report.branches}
    fed_bodies: set[str] = set()
    found = []
    for node in report.nodes:
        if fed.isdisjoint(node.inputs) and node.id not in fed_bodies:
            continue
        fed.update(name for name in node.outputs if name)
        if node.body in owners:
            fed_bodies.add(owners[node.body])
        found.append(node)
    return found


def _part(node: Node) -> BoxMember:
    return BoxMember(
        node.id, OPERATOR, (node.id,), _shape(node.shapes[0] if node.shapes else None), node.scope
    )


def _shape(shape: Sequence[Dim] | None) -> str:
    if shape is None:
        return "shape unknown"
    return "×".join("?" if dim is None else str(dim) for dim in shape) or "scalar"


def _edges(report: Report, nodes: Sequence[Node], first: int) -> list[Edge]:
    """From what makes a tensor to what reads it, and from the last operator of a body to the owner of the body."""
    made = {each.name: place for place, each in enumerate(report.model.inputs)}
    number = {node.id: place for place, node in enumerate(nodes, first)}
    last = {node.body: place for place, node in enumerate(nodes, first)}
    edges = [
        (last[branch.path], number[branch.owner])
        for branch in report.branches
        if branch.path in last and branch.owner in number
    ]
    for place, node in enumerate(nodes, first):
        edges += [(made[name], place) for name in dict.fromkeys(node.inputs) if name in made]
        made |= {name: place for name in node.outputs if name}
    ends = enumerate(report.model.outputs, first + len(nodes))
    return edges + [(made[each.name], place) for place, each in ends if each.name in made]


def _levelled(box: DrawnBox, top: float) -> DrawnBox:
    return replace(box, step=step(box.macs_share or 0.0, top))
