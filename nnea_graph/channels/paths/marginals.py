"""Marginals: which part of all path mass runs through each channel."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from nnea_graph.channels.graph import Carry, ChannelGraph, Floats, Places
from nnea_graph.channels.paths.endpoints import Endpoints
from nnea_graph.channels.paths.forward_pass import Forward, is_identity, totals
from nnea_graph.channels.paths.scaled_floats import ScaledFloats
from nnea_graph.channels.paths.shares import LinkShares, Vector, blocks, finite


class Marginals:
    """Sums backward from the sinks, tensor by tensor in reverse order; forward × backward / mass is the marginal.

    For flow this is the probability that a walk backward from a random sink channel, following shares, comes
    through the channel, given that it arrives at a source. Over the channels of any cut they add up to 1.
    """

    def __init__(self, graph: ChannelGraph, reached: Forward, ends: Endpoints) -> None:
        self._graph = graph
        self._forward = reached
        self._mass = totals(reached, ends).mass
        self._pending: dict[str, ScaledFloats] = {}
        self.found: dict[str, Vector] = {}
        for name, channels in ends.sinks.items():
            start = np.zeros((1, graph.tensors[name].count))
            start[0, channels] = ends.weight
            self._add(name, ScaledFloats(start))

    def visit(self, tensor: str, reader: LinkShares) -> None:
        """Take what has come to a tensor, and send it on along the links into it."""
        walk = self._pending.pop(tensor, None)
        if walk is None or not self._mass.value:
            self.found[tensor] = np.zeros(self._graph.tensors[tensor].count)
            return
        sums = self._forward.reach[tensor].sums
        scale = sums.exponent + walk.exponent - self._mass.exponent
        self.found[tensor] = np.ldexp(sums.values[0] * walk.values[0] / self._mass.value, scale)
        if tensor in self._graph.sources:
            return
        for index, (link, factor) in enumerate(zip(reader.links, self._forward.factors[tensor], strict=True)):
            sent = walk if factor is None else ScaledFloats.normal(walk.values * factor, walk.exponent)
            count = self._graph.tensors[link.source].count
            if isinstance(link.edges, Carry):
                self._add(link.source, _carried_back(link.edges.places, sent, count))
            elif sent.values.any():
                self._add(link.source, _spread_back(reader.strength(index), sent))

    def _add(self, tensor: str, part: ScaledFloats) -> None:
        known = self._pending.get(tensor)
        self._pending[tensor] = part if known is None else known.plus(part)


def _carried_back(places: Places, sent: ScaledFloats, count: int) -> ScaledFloats:
    if is_identity(places, count):
        return sent
    there = places >= 0
    values = np.bincount(places[there], sent.values[0, there], count).astype(np.float64)
    return ScaledFloats.normal(values[None], sent.exponent)


def _spread_back(strength: Floats, sent: ScaledFloats) -> ScaledFloats:
    groups, targets, sources = strength.shape
    walk = sent.values.reshape(groups, 1, targets)
    values = np.zeros((groups, 1, sources))
    for group, rows in blocks(groups, targets, sources):
        values[group] += walk[group, :, rows] @ finite(strength[group, rows])[0]
    return ScaledFloats.normal(values.reshape(1, prod((groups, sources))), sent.exponent)


def channel_marginals(graph: ChannelGraph, reached: Forward, ends: Endpoints) -> Mapping[str, Vector]:
    """Marginals of every tensor, in float64; 0 where no path between the ends leads through."""
    marginals = Marginals(graph, reached, ends)
    for name in reversed(graph.order):
        marginals.visit(name, LinkShares(graph, name))
    return marginals.found
