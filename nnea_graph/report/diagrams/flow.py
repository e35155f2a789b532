"""Lays out the flow diagram: layers and joins, how much of all flow runs between them, how used they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from nnea_graph.channels.graph import Carry, ChannelGraph
from nnea_graph.channels.paths.forward_pass import forward
from nnea_graph.channels.paths.link_flows import Flows, link_flows
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.channels import CHANNELS
from nnea_graph.passes.pathways import MARGINALS, PATH_ENDS, PATHWAYS
from nnea_graph.report.diagrams.boxes import OPERATOR, Boxes, BoxMember, by_utilization, joined_edges
from nnea_graph.report.diagrams.folding import Edge, fold
from nnea_graph.report.diagrams.model import FlowDiagram
from nnea_graph.report.facts import fact
from nnea_graph.report.schema.analysis import Report

_BOXES = 40


def flow_diagram(graph: ModelGraph, report: Report) -> FlowDiagram | None:
    """Flow by place; None where paths were not looked for or there are none."""
    found, channels, marginals = fact(graph, PATHWAYS), fact(graph, CHANNELS), fact(graph, MARGINALS)
    ends = fact(graph, PATH_ENDS)
    if found is None or channels is None or marginals is None or ends is None or not found.paths:
        return None
    flows = link_flows(channels, forward(channels, found.score, ends.sources), marginals)
    grouped = _Grouped(graph, channels)
    between: dict[Edge, float | None] = {**grouped.between(flows)}
    parts = grouped.parts()
    for name in ends.sinks:
        between[grouped.home[name], len(parts)] = float(marginals[name].sum())
        parts.append(BoxMember(name, "output", (), _shape(channels, name)))
    shapes, scopes = [part.shape for part in parts], [part.scope for part in parts]
    folded, how = fold(len(parts), between, shapes, scopes, _BOXES)
    sums = Boxes(report)
    boxes, low, high = by_utilization([sums.drawn([parts[place] for place in box]) for box in folded])
    return FlowDiagram(
        model=PurePath(graph.info.path).name,
        score=found.score,
        color="importance" if sums.of_importance else "weights",
        low=low,
        high=high,
        folding=how,
        boxes=boxes,
        edges=joined_edges(between, folded),
    )


class _Grouped:
    """Tensors of the channel graph by what makes them: a source, weights or a join, and all that only carries on.

    ``home`` is the number of each tensor's group; groups are in execution order.
    """

    def __init__(self, graph: ModelGraph, channels: ChannelGraph) -> None:
        self._graph = graph
        self._channels = channels
        self.home: dict[str, int] = {}
        self._heads: list[str] = []
        self._operators: list[dict[str, None]] = []
        for name in channels.order:
            self._take(name)

    def _take(self, name: str) -> None:
        links = self._channels.into.get(name, ())
        if len(links) == 1 and isinstance(links[0].edges, Carry):
            number = self.home[links[0].source]
        else:
            number = len(self._heads)
            self._heads.append(name)
            self._operators.append({})
        self.home[name] = number
        producer = self._graph.producer(name)
        made_by = [link.node for link in links] or ([producer.id] if producer else [])
        self._operators[number].update(dict.fromkeys(made_by))

    def parts(self) -> list[BoxMember]:
        """The groups."""
        last = {number: name for name, number in self.home.items()}
        stopped = {end.tensor: end.reason for end in self._channels.ends}
        notes = {
            self.home[name]: f"ends here: {reason}" for name, reason in stopped.items() if name in self.home
        }
        return [self._part(number, last[number], notes.get(number, "")) for number in range(len(self._heads))]

    def _part(self, number: int, last: str, note: str) -> BoxMember:
        head = self._heads[number]
        node = self._graph.producer(head)
        shape = _shape(self._channels, last)
        if node is None:
            return BoxMember(head, "input", tuple(self._operators[number]), shape)
        return BoxMember(
            node.scope or node.id, OPERATOR, tuple(self._operators[number]), shape, node.scope, note
        )

    def between(self, flows: Flows) -> Mapping[Edge, float]:
        """Flow from group to group."""
        found: dict[Edge, float] = {}
        for name in self._channels.order:
            for link, flow in zip(self._channels.into.get(name, ()), flows[name], strict=True):
                pair = self.home[link.source], self.home[name]
                if pair[0] != pair[1]:
                    found[pair] = found.get(pair, 0.0) + flow
        return found


def _shape(channels: ChannelGraph, tensor: str) -> str:
    count = channels.tensors[tensor].count
    return f"{count:,} channel{'' if count == 1 else 's'}"
