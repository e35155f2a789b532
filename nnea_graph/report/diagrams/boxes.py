"""Boxes of a diagram: what operators that are drawn as one have together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

from nnea_graph.report.diagrams.folding import Box, Edge, shared_module
from nnea_graph.report.diagrams.model import DrawnBox, DrawnEdge, step
from nnea_graph.report.schema.analysis import Layer, Metrics, Node, Report
from nnea_graph.report.views.summary import share

OPERATOR = "operator"
_FOLDED = "folded"


@dataclass(frozen=True, slots=True)
class BoxMember:
    """What may be folded with its neighbors: ids of ``operators``, ``shape`` of what leaves it, its module."""

    name: str
    kind: str
    operators: tuple[str, ...]
    shape: str
    scope: str = ""
    note: str = ""


class Boxes:
    """Sums over operators; ``of_importance`` says whether utilization is of importance or of |w|."""

    def __init__(self, report: Report) -> None:
        self._nodes: Mapping[str, Node] = {node.id: node for node in report.nodes}
        self._layers: Mapping[str, Layer] = {layer.id: layer for layer in report.layers}
        self._macs = report.totals.macs
        self.of_importance = report.totals.statistics_of == "importance"

    def drawn(self, parts: Sequence[BoxMember]) -> DrawnBox:
        """One box for all of these, without a level."""
        ids = [operator for part in parts for operator in part.operators]
        nodes = [self._nodes[each] for each in ids if each in self._nodes]
        layers = [self._layers[each] for each in ids if each in self._layers]
        macs = _sum(node.macs if node.in_total else 0 for node in nodes)
        utilization = self._utilization(layers)
        types, weighted = Counter(node.op_type for node in nodes), {layer.op_type for layer in layers}
        return DrawnBox(
            name=parts[0].name if len(parts) == 1 else _name(parts),
            kind=parts[0].kind if len(parts) == 1 else _FOLDED,
            operators=sorted(types.items(), key=lambda item: (item[0] not in weighted, -item[1])),
            shape=parts[-1].shape,
            layers=len(layers),
            parameters=sum(layer.parameters for layer in layers),
            macs=macs,
            macs_share=share(macs, self._macs),
            utilization=utilization,
            step=None,
            note=parts[0].note if len(parts) == 1 else "",
        )

    def _utilization(self, layers: Iterable[Layer]) -> float | None:
        """Effective weights of all, as a part of their number; None where any is not known."""
        found = [self._metrics(layer) for layer in layers]
        known = [each for each in found if each is not None and each.effective_weights is not None]
        count = sum(each.count for each in known)
        if not count or len(known) < len(found):
            return None
        return sum(each.effective_weights or 0 for each in known) / count

    def _metrics(self, layer: Layer) -> Metrics | None:
        return layer.metrics if self.of_importance else layer.weight_metrics


def by_utilization(boxes: Sequence[DrawnBox]) -> tuple[list[DrawnBox], float, float]:
    """Boxes with their levels, between the tenths below the lowest and above the highest utilization."""
    known = [box.utilization for box in boxes if box.utilization is not None]
    low, high = floor(min(known, default=0) * 10) / 10, ceil(max(known, default=1) * 10) / 10
    return [_levelled(box, low, high) for box in boxes], low, high


def _levelled(box: DrawnBox, low: float, high: float) -> DrawnBox:
    if box.utilization is None:
        return box
    return replace(box, step=step(box.utilization - low, high - low))


def _sum(counts: Iterable[int | None]) -> int | None:
    """None where any is not known."""
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _name(parts: Sequence[BoxMember]) -> str:
    return shared_module(part.scope for part in parts) or f"{parts[0].name} … {parts[-1].name}"


def joined_edges(edges: Mapping[Edge, float | None], boxes: Sequence[Box]) -> list[DrawnEdge]:
    """Edges between boxes, what they carry added up; those within a box are gone."""
    home = {place: number for number, box in enumerate(boxes) for place in box}
    joined: dict[Edge, float | None] = {}
    for (source, target), flow in edges.items():
        pair = home[source], home[target]
        if pair[0] != pair[1]:
            before = joined.get(pair, 0.0)
            joined[pair] = None if flow is None or before is None else before + flow
    return [
        DrawnEdge(source, target, flow, 0 if flow is None else step(min(flow, 1.0), 1))
        for (source, target), flow in sorted(joined.items())
    ]
