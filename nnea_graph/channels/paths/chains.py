"""Chains: tensors that only carry on the channels of one other, followed in one hop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nnea_graph.channels.graph import Carry, ChannelGraph, Places
from nnea_graph.channels.paths.forward_pass import is_identity
from nnea_graph.channels.paths.shares import Vector


@dataclass(frozen=True, slots=True)
class Hop:
    """Channel i of a tensor is channel ``places[i]`` of ``base`` times ``gain[i]``; None: the same one, 1.

    A base is made by an operator with weights or by a join, or nothing leads into it.
    """

    base: str
    places: Places | None = None
    gain: Vector | None = None

    def channels(self, wanted: Places) -> Places:
        """Their channels at the base."""
        return wanted if self.places is None else self.places[wanted]

    def gains(self, wanted: Places) -> Vector:
        """The product of the gains on the way."""
        return np.ones(wanted.size) if self.gain is None else self.gain[wanted]


def hops(graph: ChannelGraph) -> Mapping[str, Hop]:
    """The hop of every tensor to the one where its chain begins; a hop along equal numbers shares its vectors."""
    found: dict[str, Hop] = {}
    for name in graph.order:
        links = graph.into.get(name, ())
        alone = links[0] if len(links) == 1 and name not in graph.sources else None
        if alone is None or not isinstance(alone.edges, Carry):
            found[name] = Hop(name)
            continue
        below = found[alone.source]
        gain = None if alone.gain is None else alone.gain.astype(np.float64)
        found[name] = _longer(below, alone.edges.places, gain, graph.tensors[alone.source].count)
    return found


def _longer(below: Hop, places: Places, gain: Vector | None, count: int) -> Hop:
    if gain is None and is_identity(places, count):
        return below
    if below.gain is not None:
        gain = below.gain[places] if gain is None else below.gain[places] * gain
    # -1 stays -1: nothing leads there, whatever its place at the base would be
    return Hop(below.base, np.where(places < 0, -1, below.channels(places)), gain)


def operators(graph: ChannelGraph, tensor: str, base: str) -> list[str]:
    """The operators between a tensor and the base of its chain, the last one first."""
    nodes = []
    while tensor != base:
        (link,) = graph.into[tensor]
        nodes.append(link.node)
        tensor = link.source
    return nodes
