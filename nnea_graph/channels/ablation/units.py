"""Places at which units are ablated, and the strength at which each channel is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from nnea_graph.channels.graph import Carry, ChannelGraph, Places
from nnea_graph.channels.paths.forward_pass import is_identity
from nnea_graph.channels.paths.path import ChannelPath
from nnea_graph.channels.paths.shares import LinkShares, Vector, finite
from nnea_graph.graph import ModelGraph


@dataclass(frozen=True, slots=True)
class AblatedUnits:
    """Units of ``tensor`` (ascending), which are taken out at ``place``, where they have the same numbers."""

    tensor: str
    place: str
    units: Places


def removals(graph: ModelGraph, channels: ChannelGraph, paths: Iterable[ChannelPath]) -> list[AblatedUnits]:
    """The units on the paths by tensor, in the order of the channel graph; the ends of paths are none."""
    units: dict[str, set[int]] = {}
    for path in paths:
        for unit in path.units[1:-1]:
            units.setdefault(unit.tensor, set()).add(unit.channel)
    return [
        AblatedUnits(tensor, last_place(graph, channels, tensor), np.array(sorted(units[tensor])))
        for tensor in channels.order
        if tensor in units
    ]


def last_place(graph: ModelGraph, channels: ChannelGraph, tensor: str) -> str:
    """The last tensor before which nothing but one operator after the other reads the channels, each for itself.

    For a layer's output that is what leaves its normalization and its activation function: a 0 before these
    would come out of them as another number.
    """
    following = _following(graph, channels, tensor)
    while following:
        tensor = following
        following = _following(graph, channels, tensor)
    return tensor


def _following(graph: ModelGraph, channels: ChannelGraph, tensor: str) -> str:
    """Result that the only reader makes of a tensor, channel by channel; "" where there is no such thing."""
    readers, producer = graph.consumers(tensor), graph.producer(tensor)
    if len(readers) != 1 or tensor in graph.outputs or producer is None or readers[0].body != producer.body:
        return ""
    for name in readers[0].outputs:
        links = channels.into.get(name, ())
        if len(links) != 1 or links[0].source != tensor or not isinstance(links[0].edges, Carry):
            continue
        count = channels.tensors[tensor].count
        if channels.tensors[name].count == count and is_identity(links[0].edges.places, count):
            return name
    return ""


def read_strengths(channels: ChannelGraph) -> Mapping[str, Vector]:
    """Sum of the strengths of all weights that read each channel, itself or carried on, by tensor.

    This is the importance of a unit as its readers see it: the sum of |w| (times mean |a| where that is known).
    """
    found = {name: np.zeros(channels.tensors[name].count) for name in channels.order}
    for name in reversed(channels.order):
        reader = LinkShares(channels, name)
        for index, link in enumerate(reader.links):
            if isinstance(link.edges, Carry):
                there = link.edges.places >= 0
                np.add.at(found[link.source], link.edges.places[there], found[name][there])
            else:
                found[link.source] += _column_sums(reader, index)
    return found


def _column_sums(reader: LinkShares, index: int) -> Vector:
    strength = reader.strength(index)
    sums: Vector = np.concatenate([finite(group)[0].sum(0) for group in strength])
    return sums
