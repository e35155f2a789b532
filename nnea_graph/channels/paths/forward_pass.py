"""The sweep from the sources: the best path into every channel, the sum over all of them, and their entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from nnea_graph.channels.graph import Carry, ChannelGraph, Floats, Places
from nnea_graph.channels.paths.endpoints import Endpoints
from nnea_graph.channels.paths.scaled_floats import Amount, ScaledFloats
from nnea_graph.channels.paths.shares import LinkShares, Score, Vector, blocks, factors, finite, logarithm

SMALLEST_LOG = -1e3
"""Below the logarithm of any positive float."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Links that lead into each channel of a tensor.

    ``best`` is the logarithm of the best path's score, -inf where there is no path. ``sums`` has two rows: the
    sum of all paths' scores x, and the sum of x ln x.
    """

    best: Vector
    sums: ScaledFloats


@dataclass(frozen=True, slots=True)
class Forward:
    """``factors`` turn strengths and places into weights, one a link; ``unusable`` counts NaN and Inf by operator."""

    reach: Mapping[str, Reach]
    factors: Mapping[str, tuple[Vector | None, ...]]
    unusable: Mapping[str, int]


def forward(graph: ChannelGraph, score: Score, sources: Mapping[str, Places]) -> Forward:
    """Sweep over all links once, in O(edges) time and memory for one layer's strengths and a few vectors a tensor.

    Viterbi's algorithm in log space, and sums and entropy by the same recursion (Li & Eisner 2009, the expectation
    semiring).
    """
    reach: dict[str, Reach] = {}
    known: dict[str, tuple[Vector | None, ...]] = {}
    unusable: dict[str, int] = {}
    for name in graph.order:
        count = graph.tensors[name].count
        if name in graph.sources:
            reach[name] = _start(count, sources.get(name))
            continue
        reader = LinkShares(graph, name)
        parts = [_part(reader, index, score, reach) for index in range(len(reader.links))]
        known[name] = tuple(part.factor for part in parts)
        reach[name] = reduce(_joined, (part.reach for part in parts)) if parts else _start(count, None)
        for link, part in zip(reader.links, parts, strict=True):
            if part.unusable:
                unusable[link.node] = unusable.get(link.node, 0) + part.unusable
    return Forward(reach, known, unusable)


@dataclass(frozen=True, slots=True)
class _Part:
    """Mass that comes through one link."""

    reach: Reach
    factor: Vector | None
    unusable: int = 0


def _part(reader: LinkShares, index: int, score: Score, reach: Mapping[str, Reach]) -> _Part:
    link = reader.links[index]
    if isinstance(link.edges, Carry):
        return _carried(link.edges.places, link.gain, reach[link.source])
    return _weighted(reader.strength(index), link.gain, score, reach[link.source])


def _start(count: int, channels: Places | None) -> Reach:
    """Paths of score 1 that begin in these channels."""
    best = np.full(count, -np.inf)
    sums = np.zeros((2, count))
    if channels is not None:
        best[channels] = 0
        sums[0, channels] = 1
    return Reach(best, ScaledFloats(sums))


def _joined(one: Reach, other: Reach) -> Reach:
    return Reach(np.maximum(one.best, other.best), one.sums.plus(other.sums))


def is_identity(places: Places, count: int) -> bool:
    """Tells whether channels keep their numbers, all of them."""
    return places.size == count and bool((places == np.arange(count)).all())


def _carried(places: Places, gain: Floats | None, source: Reach) -> _Part:
    if gain is None and is_identity(places, source.best.size):
        return _Part(source, None)  # the same vectors: long chains of element-wise operators cost nothing
    nowhere = places < 0
    best, sums = source.best[places], source.sums.values[:, places]
    best[nowhere] = -np.inf
    sums[:, nowhere] = 0
    factor = None if gain is None else gain.astype(np.float64)
    reach = Reach(best, ScaledFloats.normal(sums, source.sums.exponent))
    return _Part(reach if factor is None else _times(reach, factor), factor)


def _times(reach: Reach, factor: Vector) -> Reach:
    """Every path into channel i is longer by an edge of weight ``factor[i]``."""
    logs = logarithm(factor)
    mass, spread = reach.sums.values
    longer = np.stack([factor * mass, factor * (spread + np.maximum(logs, SMALLEST_LOG) * mass)])
    return Reach(reach.best + logs, ScaledFloats.normal(longer, reach.sums.exponent))


def _weighted(strength: Floats, gain: Floats | None, score: Score, source: Reach) -> _Part:
    groups, targets, width = strength.shape
    totals, best = np.empty((groups, targets)), np.empty((groups, targets))
    sums = np.empty((2, groups, targets))
    before = source.best.reshape(groups, 1, width)
    mass, spread = source.sums.values.reshape(2, groups, width, 1)
    bad = 0
    for group, rows in blocks(*strength.shape):
        part, unusable = finite(strength[group, rows])
        logs = logarithm(part)
        bad += unusable
        totals[group, rows] = part.sum(-1)
        best[group, rows] = (logs + before[group]).max(-1, initial=-np.inf)
        sums[0, group, rows] = (part @ mass[group])[..., 0]
        np.maximum(logs, SMALLEST_LOG, out=logs)  # 0 ln 0 = 0, not NaN
        np.multiply(logs, part, out=logs)
        sums[1, group, rows] = (part @ spread[group] + logs @ mass[group])[..., 0]
    flat = totals.ravel() if score == "flow" else np.full(totals.size, totals.sum())
    factor = factors(gain, flat)
    reach = Reach(best.ravel(), ScaledFloats.normal(sums.reshape(2, -1), source.sums.exponent))
    return _Part(_times(reach, factor), factor, bad)


@dataclass(frozen=True, slots=True)
class PathMass:
    """``mass`` is the sum of the shares of all paths; ``entropy`` is theirs as parts of it, in nats, None without."""

    mass: Amount
    entropy: float | None


def totals(reached: Forward, ends: Endpoints) -> PathMass:
    """Mass and entropy of all paths between the ends."""
    parts = [
        ScaledFloats(np.sum(sums.values[:, channels], axis=1, keepdims=True) * ends.weight, sums.exponent)
        for name, channels in ends.sinks.items()
        for sums in [reached.reach[name].sums]
    ]
    if not parts:
        return PathMass(Amount(0.0, 0), None)
    whole = reduce(ScaledFloats.plus, parts)
    mass = Amount.of(float(whole.values[0, 0]), whole.exponent)
    if not mass.value:
        return PathMass(mass, None)
    mean = float(whole.values[1, 0] / whole.values[0, 0]) + float(np.log(ends.weight))
    return PathMass(mass, max(0.0, mass.log - mean))
