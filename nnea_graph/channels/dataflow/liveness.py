"""Determines which channels anything depends on: one walk back from the outputs of the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from nnea_graph.channels.dataflow.binary_ops import JOINING
from nnea_graph.channels.dataflow.elementwise import MOVING, SINGLE
from nnea_graph.channels.dataflow.lattice import Bools
from nnea_graph.channels.dataflow.linear_layers import Linear
from nnea_graph.channels.graph import Carry, ChannelGraph
from nnea_graph.graph import ModelGraph, OpNode

APART = MOVING | SINGLE | JOINING
"""Operators in which a channel of the output depends on the channels that are linked to it, and on no others."""
SIZES = frozenset({"Shape", "Size"})
"""Operators that read no number of a tensor."""


def channel_reads(
    graph: ModelGraph, channels: ChannelGraph, linears: Mapping[str, Linear]
) -> Mapping[str, Bools]:
    """Channels that an output of the model depends on, or that nothing can be said of, by tensor."""
    walk = _LivenessWalk(graph, channels, linears, {})
    for name in reversed(channels.order):
        read = np.full(channels.tensors[name].count, name in graph.outputs)
        for node in graph.consumers(name):
            read |= walk.read_by(node, name)
        walk.reads[name] = read
    return walk.reads


@dataclass(frozen=True, slots=True)
class _LivenessWalk:
    """``reads`` of all tensors behind."""

    graph: ModelGraph
    channels: ChannelGraph
    linears: Mapping[str, Linear]
    reads: dict[str, Bools]

    def read_by(self, node: OpNode, name: str) -> Bools:
        """Channels of a tensor that matter to one of its readers."""
        mine = self.linears.get(node.id)
        if mine is not None and mine.source == name and node.inputs.count(name) == 1:
            return used_inputs(mine, self.reads[mine.target])
        everything = np.ones(self.channels.tensors[name].count, np.bool_)
        if node.op_type in SIZES:
            return ~everything
        if node.op_type not in APART or node.domain:
            return everything
        read = np.zeros_like(everything)
        for output in _outputs(self.graph, node):
            links = [link for link in self.channels.into.get(output, ()) if link.source == name]
            if len(links) < node.inputs.count(name):
                return everything
            for link in links:
                if link.node != node.id or not isinstance(link.edges, Carry):
                    return everything
                there = link.edges.places >= 0
                np.logical_or.at(read, link.edges.places[there], self.reads[output][there])
        return read


def _outputs(graph: ModelGraph, node: OpNode) -> Iterable[str]:
    """Those that anything reads."""
    return (name for name in node.outputs if name and (graph.consumers(name) or name in graph.outputs))


def used_inputs(mine: Linear, live: Bools) -> Bools:
    """Inputs with a weight other than 0 to a channel that is read."""
    if live.all():
        return mine.facts.used
    used = np.zeros((mine.groups, mine.grid.inputs), np.bool_)
    owner = np.arange(live.size) * mine.groups // live.size
    for rows, inputs, block in mine.grid.blocks():
        other = (block != 0).any(2) & live[rows, None]
        np.logical_or.at(used[:, inputs], owner[rows], other)
    return used.reshape(-1)
