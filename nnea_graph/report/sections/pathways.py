"""Describes the channel graph, the best paths on it, and what runs through each layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import exp, log
from sys import float_info

import numpy as np

from nnea_graph.channels.build.coverage import FollowedLayers, coverage
from nnea_graph.channels.graph import ChannelGraph, Places
from nnea_graph.channels.paths.path import ChannelPath
from nnea_graph.channels.paths.shares import Vector
from nnea_graph.channels.rule_context.computed_products import QUERY_KEY
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.passes.channels import CHANNELS, STRENGTHS
from nnea_graph.passes.pathways import MARGINALS, PATH_ENDS, PATHWAYS
from nnea_graph.report.facts import cost_of, count, fact
from nnea_graph.report.schema import pathways as schema
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.sections.path_validation import validation_of

MOST_CHANNELS = 10
"""Channels of a layer in the report."""


def channel_coverage(graph: ModelGraph) -> schema.ChannelCoverage | None:
    """Tells how much of the model lies on the channel graph; None where the pass did not run."""
    channels = fact(graph, CHANNELS)
    if channels is None:
        return None
    found = _coverage(graph, channels)
    ends = [schema.ChannelEnd(end.node, end.tensor, end.reason) for end in channels.ends]
    return schema.ChannelCoverage(
        layers=found.layers,
        covered_layers=found.covered_layers,
        uncovered=dict(channels.uncovered),
        macs=found.macs,
        covered_macs=found.covered_macs,
        query_key_macs=found.query_key_macs,
        mac_share=found.mac_share,
        inputs=list(channels.sources),
        outputs=[_output(channels, name) for name in graph.outputs],
        ends=[end for end in ends if end.reason != QUERY_KEY],
        query_key=[end for end in ends if end.reason == QUERY_KEY],
        marks=_marks(channels),
    )


def _coverage(graph: ModelGraph, channels: ChannelGraph) -> FollowedLayers:
    costs = {node.id: cost_of(graph, node) for node in graph}
    if not all(costs.values()):
        return coverage(channels)
    return coverage(channels, {name: count(cost, "macs") or 0 for name, cost in costs.items()})


def _output(channels: ChannelGraph, name: str) -> schema.ChannelOutput:
    return schema.ChannelOutput(name, channels.tensors[name].count if name in channels.sinks else None)


def _marks(channels: ChannelGraph) -> dict[str, int]:
    """Each simplification with the number of its operators, most frequent first."""
    places = {(link.mark, link.node) for links in channels.into.values() for link in links if link.mark}
    counts = Counter(mark for mark, _ in places)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def pathways_of(graph: ModelGraph) -> schema.Pathways | None:
    """The best paths; None where the pass did not run."""
    found, ends = fact(graph, PATHWAYS), fact(graph, PATH_ENDS)
    if found is None or ends is None:
        return None
    channels = graph[CHANNELS]
    on_paths = [node for node in graph if node.id in set(found.operators)]
    return schema.Pathways(
        score=found.score,
        strengths=fact(graph, STRENGTHS) or "weights",
        k=found.k,
        sources=_ends(channels, ends.sources),
        sinks=_ends(channels, ends.sinks),
        mass=found.mass,
        flow_covered=found.flow_covered,
        part_of_mass=found.part_of_mass,
        entropy=found.entropy,
        effective_paths=_exponential(found.entropy),
        operators=list(found.operators),
        operator_macs=_total(count(cost_of(graph, node), "macs") for node in on_paths),
        operator_bytes=_total(_bytes(graph, node) for node in on_paths),
        unusable=dict(found.unusable),
        paths=[_path(path) for path in found.paths],
        validation=validation_of(graph),
    )


def _ends(channels: ChannelGraph, chosen: Mapping[str, Places]) -> list[schema.PathEnd]:
    return [
        schema.PathEnd(
            name,
            places.size,
            int(places[0]) if places.size == 1 and channels.tensors[name].count > 1 else None,
        )
        for name, places in chosen.items()
    ]


def _exponential(entropy: float | None) -> float | None:
    return None if entropy is None or entropy > log(float_info.max) else exp(entropy)


def _total(parts: Iterable[int | None]) -> int | None:
    known = list(parts)
    return None if None in known else sum(part or 0 for part in known)


def _bytes(graph: ModelGraph, node: OpNode) -> int | None:
    cost = cost_of(graph, node)
    if cost is None or cost.work.bytes_read is None or cost.work.bytes_written is None:
        return None
    return cost.work.bytes_read + cost.work.bytes_written


def _path(path: ChannelPath) -> schema.Pathway:
    units = [schema.PathUnit(unit.node or None, unit.tensor, unit.channel) for unit in path.units]
    return schema.Pathway(path.score, path.log_score, path.share, units)


def with_flows(graph: ModelGraph, layers: Sequence[Layer]) -> list[Layer]:
    """The layers with what runs through their outputs, where that is known."""
    marginals = fact(graph, MARGINALS) or {}
    return [_with_flow(layer, graph.node(layer.id), marginals) for layer in layers]


def _with_flow(layer: Layer, node: OpNode, marginals: Mapping[str, Vector]) -> Layer:
    made = [marginals[name] for name in node.outputs if name in marginals]
    if not made:
        return layer
    most = max(made, key=lambda found: float(found.sum()))
    order = np.argsort(-most, kind="stable")[:MOST_CHANNELS]
    return replace(
        layer,
        flow=float(most.sum()),
        flow_channels=most.size,
        top_channels=[schema.ChannelFlow(int(at), float(most[at])) for at in order if most[at] > 0],
    )
