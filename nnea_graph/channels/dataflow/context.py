"""Scene: what the rules for values of channels look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nnea_graph.channels.dataflow.lattice import ChannelValues
from nnea_graph.channels.dataflow.linear_layers import Linear
from nnea_graph.channels.graph import Carry, ChannelGraph
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.static.result import StaticFacts


@dataclass(frozen=True, slots=True)
class DataflowContext:
    """State that the rules look at; ``values`` are those of the tensors before."""

    graph: ModelGraph
    found: StaticFacts
    channels: ChannelGraph
    linears: Mapping[str, Linear]
    values: dict[str, ChannelValues]


Rule = Callable[[DataflowContext, OpNode, str], ChannelValues | None]
"""What is known of the channels of one output of an operator; None where that is nothing."""


def carried(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    """The channels of the first input, as the only link of a tensor leads them on."""
    links = scene.channels.into[name]
    if len(links) != 1 or links[0].source != node.inputs[0] or not isinstance(links[0].edges, Carry):
        return None
    return scene.values[links[0].source].take(links[0].edges.places)
