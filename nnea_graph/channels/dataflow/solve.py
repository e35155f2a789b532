"""One walk along the channel graph that finds what is known of each channel.

Nothing is said that could be wrong on any input: where a rule is missing a channel has no bounds, is not constant,
and is equal to no other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnea_graph.channels.dataflow.binary_ops import JOINING, joined
from nnea_graph.channels.dataflow.context import DataflowContext, Rule
from nnea_graph.channels.dataflow.elementwise import POINTWISE
from nnea_graph.channels.dataflow.lattice import ChannelValues, unknown
from nnea_graph.channels.dataflow.linear_layers import LINEAR, Linear
from nnea_graph.channels.dataflow.weighted_sums import weighted
from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.errors import ModelError
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.static.result import StaticFacts

_RULES: dict[str, Rule] = {**POINTWISE, **dict.fromkeys(JOINING, joined), **dict.fromkeys(LINEAR, weighted)}


def channel_values(
    graph: ModelGraph, found: StaticFacts, channels: ChannelGraph, linears: Mapping[str, Linear]
) -> Mapping[str, ChannelValues]:
    """Values of every tensor on the channel graph."""
    scene = DataflowContext(graph, found, channels, linears, {})
    for name in channels.order:
        links = channels.into.get(name, ())
        node = graph.producer(name)
        rule = _RULES.get(node.op_type) if node is not None and not node.domain else None
        known = None
        if rule is not None and node is not None and links and all(link.node == node.id for link in links):
            known = _told(rule, scene, node, name)
        count = channels.tensors[name].count
        scene.values[name] = known if known is not None and known.label.size == count else unknown(count)
    return scene.values


def _told(rule: Rule, scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    """Statement of a rule; nothing where a constant that it asks for cannot be computed, or is too large to be."""
    try:
        with np.errstate(all="ignore"):  # of what is not finite nothing is told
            return rule(scene, node, name)
    except ModelError:
        return None
