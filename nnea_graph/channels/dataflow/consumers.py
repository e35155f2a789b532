"""Follows the channels of a tensor to the weights that read them, through all that takes each by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np

from nnea_graph.channels.dataflow.binary_ops import JOINING
from nnea_graph.channels.dataflow.linear_layers import Linear
from nnea_graph.channels.dataflow.liveness import APART, SIZES
from nnea_graph.channels.graph import Carry, ChannelGraph, Places
from nnea_graph.graph import ModelGraph, OpNode

_PRECISE = 32
"""Bits of weights that take sums without a change of the outputs."""


@dataclass(slots=True)
class Followed:
    """``origins`` say of each channel of a tensor on the way which one of the first tensor it is, -1 none.

    ``consumers`` read them. ``held`` says why a channel cannot go by itself, "" if it can; ``fixed`` why the weights
    that read it cannot be added to others.
    """

    origins: dict[str, Places]
    consumers: list[Linear] = field(default_factory=list)
    held: str = ""
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class Follower:
    """``constant`` are the tensors that are; ``place`` is the number of each operator in the order of execution."""

    graph: ModelGraph
    channels: ChannelGraph
    linears: Mapping[str, Linear]
    constant: Collection[str]
    place: Mapping[str, int]

    def follow(self, tensor: str) -> Followed:
        """Follows every way until it has ended at a weight."""
        followed = Followed({tensor: np.arange(self.channels.tensors[tensor].count)})
        waiting: list[int] = []
        order: dict[int, OpNode] = {}
        self._announce(followed, tensor, waiting, order)
        seen: set[int] = set()
        while waiting and not followed.held:
            place = heappop(waiting)
            if place not in seen:
                seen.add(place)
                for made in self._through(followed, order[place]):
                    self._announce(followed, made, waiting, order)
        return followed

    def _announce(
        self, followed: Followed, tensor: str, waiting: list[int], order: dict[int, OpNode]
    ) -> None:
        if tensor in self.graph.outputs:
            followed.held = "it is an output of the model"
        for node in self.graph.consumers(tensor):
            heappush(waiting, self.place[node.id])
            order[self.place[node.id]] = node

    def _through(self, followed: Followed, node: OpNode) -> list[str]:
        """The tensors in which the channels go on."""
        mine = self.linears.get(node.id)
        if mine is not None and mine.source in followed.origins and node.inputs.count(mine.source) == 1:
            if mine.groups > 1 and mine.grid.inputs == 1:
                # Each row reads one channel, and can only go with it.
                each = mine.grid.rows // mine.groups
                followed.origins[mine.target] = np.repeat(followed.origins[mine.source], each)
                return [mine.target]
            followed.consumers.append(mine)
            followed.fixed = followed.fixed or self._fixed(mine)
            return []
        if node.op_type in SIZES:
            return []
        if node.domain or node.op_type not in APART:
            followed.held = f"'{node.id}' ({node.op_type}) reads them all"
            return []
        if node.op_type in JOINING and not self._alone(followed, node):
            followed.held = f"they meet others at '{node.id}' ({node.op_type})"
            return []
        return [name for name in node.outputs if name and self._carry(followed, node, name)]

    def _fixed(self, mine: Linear) -> str:
        name = next((name for name in mine.node.inputs if name in self.constant), "")
        if name not in self.graph.constants:
            return f"the weights of '{mine.node.id}' are computed"
        if len(self.graph.consumers(name)) > 1:
            return f"the weights of '{mine.node.id}' are tied"
        if mine.grid.constant.dtype.bits < _PRECISE:
            return f"the weights of '{mine.node.id}' would be rounded"
        return ""

    def _alone(self, followed: Followed, node: OpNode) -> bool:
        """Tells whether an operator puts these channels together with nothing but constants and themselves."""
        computed = [name for name in node.inputs if name and name not in self.constant]
        if any(name not in followed.origins for name in computed):
            return False
        mine = [followed.origins[name] for name in computed]
        return all(np.array_equal(each, mine[0]) for each in mine[1:])

    def _carry(self, followed: Followed, node: OpNode, name: str) -> bool:
        links = [link for link in self.channels.into.get(name, ()) if link.source in followed.origins]
        if not links:
            if self.graph.consumers(name) or name in self.graph.outputs:
                followed.held = f"they cannot be followed through '{node.id}' ({node.op_type})"
            return False
        origin = np.full(self.channels.tensors[name].count, -1)
        for link in links:
            if not isinstance(link.edges, Carry):
                followed.held = f"they cannot be followed through '{node.id}' ({node.op_type})"
                return False
            places = link.edges.places
            origin = np.where(places >= 0, followed.origins[link.source][places], origin)
        followed.origins[name] = origin
        return True
