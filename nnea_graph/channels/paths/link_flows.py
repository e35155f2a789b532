"""Flows: which part of all path mass runs through each link."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnea_graph.channels.graph import Carry, ChannelGraph
from nnea_graph.channels.paths.forward_pass import Forward
from nnea_graph.channels.paths.scaled_floats import ScaledFloats
from nnea_graph.channels.paths.shares import LinkShares, Vector, finite

Flows = Mapping[str, tuple[float, ...]]
"""By tensor, for each link into it the part of all path mass that comes through."""


def link_flows(graph: ChannelGraph, reached: Forward, marginals: Mapping[str, Vector]) -> Flows:
    """Flow through a channel, divided among its links as what they bring; strengths are read at joins only."""
    return {name: _divided(LinkShares(graph, name), reached, marginals[name]) for name in graph.order}


def _divided(reader: LinkShares, reached: Forward, marginal: Vector) -> tuple[float, ...]:
    if len(reader.links) < 2:
        return tuple(float(marginal.sum()) for _ in reader.links)
    parts = [_brought(reader, index, reached) for index in range(len(reader.links))]
    top = max(part.exponent for part in parts)
    levels = [np.ldexp(part.values, part.exponent - top) for part in parts]
    whole = np.sum(levels, axis=0)
    share = np.divide(marginal, whole, out=np.zeros_like(marginal), where=whole > 0)
    return tuple(float((level * share).sum()) for level in levels)


def _brought(reader: LinkShares, index: int, reached: Forward) -> ScaledFloats:
    """The sum of the scores of all paths that enter each target channel by one link."""
    link = reader.links[index]
    source = reached.reach[link.source].sums
    mass = source.values[0]
    if isinstance(link.edges, Carry):
        brought = np.where(link.edges.places >= 0, mass[link.edges.places], 0)
    else:
        groups = zip(reader.strength(index), mass.reshape(link.edges.groups, -1), strict=True)
        brought = np.concatenate([finite(strength)[0] @ part for strength, part in groups])
    factor = reached.factors[link.target][index]
    return ScaledFloats(brought if factor is None else brought * factor, source.exponent)
