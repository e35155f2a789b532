"""Small channel graphs at random, and all their paths by plain enumeration in exact fractions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import Carry, ChannelGraph, ChannelTensor, DenseLink, Floats, Link, Places

Vertex = tuple[str, int]


def graph_of(
    counts: Mapping[str, int],
    links: list[Link],
    sinks: tuple[str, ...],
    sources: tuple[str, ...] | None = None,
) -> ChannelGraph:
    """Tensors in order with their channels; sources are those that nothing leads into unless told."""
    into = {name: tuple(link for link in links if link.target == name) for name in counts}
    return ChannelGraph(
        tensors={name: ChannelTensor(name, (1,), (count,)) for name, count in counts.items()},
        into={name: found for name, found in into.items() if found},
        order=tuple(counts),
        sources=tuple(name for name in counts if not into[name]) if sources is None else sources,
        sinks=sinks,
    )


def dense(
    source: str, target: str, strength: object, gain: object = None, *, groups: int = 1, node: str = ""
) -> Link:
    """Strengths as (targets, sources / groups)."""
    values = np.asarray(strength, np.float64)
    blocks = values.reshape(groups, values.shape[0] // groups, values.shape[1])
    return Link(source, target, node or f"{source}>{target}", DenseLink(groups, lambda: blocks), _gain(gain))


def carry(source: str, target: str, places: object, gain: object = None, node: str = "") -> Link:
    """Channels by place."""
    edges = Carry(np.asarray(places, np.int64))
    return Link(source, target, node or f"{source}>{target}", edges, _gain(gain))


def _gain(gain: object) -> Floats | None:
    return None if gain is None else np.asarray(gain, np.float64)


class Sampler:
    """Draws graphs with groups, joins, carries with gaps and repeats, several ends, zeros and many ties."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._alphabet = [[1], [0, 1, 1], [0, 1, 2, 3], [1, 2, 4], [0, 0, 1, 3]][seed % 5]

    def graph(self) -> ChannelGraph:
        rng = self._rng
        first = int(rng.integers(1, 3))
        counts = {f"t{index}": int(rng.choice([2, 3, 4, 6])) for index in range(first)}
        links: list[Link] = []
        for index in range(first, first + int(rng.integers(3, 8))):
            name = f"t{index}"
            counts[name] = int(rng.integers(1, 7))
            links += self._into(name, counts)
        names = list(counts)
        sinks = {names[-1], names[int(rng.integers(len(names)))]}
        return graph_of(counts, links, tuple(name for name in reversed(names) if name in sinks))

    def _into(self, name: str, counts: dict[str, int]) -> list[Link]:
        earlier = [other for other in counts if other != name]
        several = int(self._rng.choice([1, 1, 1, 2, 3]))
        recent = earlier[-3:]
        sources = [recent[int(self._rng.integers(len(recent)))] for _ in range(several)]
        gains = self._gains(several, counts[name])
        return [
            self._link(source, name, counts, gain, f"{name}.{index}")
            for index, (source, gain) in enumerate(zip(sources, gains, strict=True))
        ]

    def _gains(self, several: int, count: int) -> list[NDArray[np.float64] | None]:
        if several == 1 and self._rng.random() < 0.7:
            return [None]
        shares = {
            1: [[0.0], [0.5], [1.0], [1.0]],
            2: [[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]],
            3: [[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]],
        }
        rows = [shares[several][int(self._rng.integers(len(shares[several])))] for _ in range(count)]
        return list(np.array(rows).T)

    def _link(
        self, source: str, target: str, counts: dict[str, int], gain: NDArray[np.float64] | None, node: str
    ) -> Link:
        n, m = counts[source], counts[target]
        if self._rng.random() < 0.4:
            return carry(source, target, self._places(n, m), gain, node)
        groups = int(self._rng.choice([g for g in (1, 2, 3) if n % g == 0 and m % g == 0]))
        strength = self._rng.choice(self._alphabet, (m, n // groups))
        return dense(source, target, strength, gain, groups=groups, node=node)

    def _places(self, n: int, m: int) -> Places:
        if n == m and self._rng.random() < 0.4:
            return np.arange(n) if self._rng.random() < 0.5 else self._rng.permutation(n)
        lowest = -1 if self._rng.random() < 0.4 else 0
        return self._rng.integers(lowest, n, m)


@dataclass(frozen=True)
class WholePath:
    """``vertices`` from the sink backward, ``links`` between them by number."""

    vertices: tuple[Vertex, ...]
    links: tuple[int, ...]
    score: Fraction


class Enumeration:
    """All paths of a graph, one by one."""

    def __init__(self, graph: ChannelGraph, score: str) -> None:
        self.graph = graph
        self._score = score
        self._rank = {name: place for place, name in enumerate(graph.order)}
        self._edges = cache(self._edges_into)

    def _edges_into(self, vertex: Vertex) -> tuple[tuple[int, Vertex, Fraction], ...]:
        tensor, i = vertex
        found = []
        for number, link in enumerate(self.graph.into.get(tensor, ())):
            gain = Fraction(1) if link.gain is None else Fraction(float(link.gain[i]))
            for j, weight in self._plain(link, i):
                if gain * weight > 0:
                    found.append((number, (link.source, j), gain * weight))
        return tuple(found)

    def _plain(self, link: Link, i: int) -> Iterator[tuple[int, Fraction]]:
        if isinstance(link.edges, Carry):
            if link.edges.places[i] >= 0:
                yield int(link.edges.places[i]), Fraction(1)
            return
        values = link.edges.strength()
        group, row = divmod(i, values.shape[1])
        strengths = [Fraction(float(value)) for value in values[group, row]]
        everything = values if self._score == "importance" else values[group, row]
        total = sum((Fraction(float(value)) for value in everything.ravel()), Fraction(0))
        for column, strength in enumerate(strengths):
            if total:
                yield group * values.shape[2] + column, strength / total

    def paths(self, ends: Mapping[str, Places], starts: Mapping[str, Places]) -> list[WholePath]:
        """Best first; equal ones by (place of the tensor, channel, number of the link) from the sink backward."""
        begun = [
            WholePath(((name, int(channel)),), (), Fraction(1)) for name in ends for channel in ends[name]
        ]
        done = []
        while begun:
            path = begun.pop()
            tensor, channel = path.vertices[-1]
            if tensor in self.graph.sources:
                if channel in starts.get(tensor, ()):
                    done.append(path)
                continue
            begun += [
                WholePath((*path.vertices, vertex), (*path.links, number), path.score * weight)
                for number, vertex, weight in self._edges((tensor, channel))
            ]
        return sorted(done, key=lambda path: (-path.score, self._key(path)))

    def _key(self, path: WholePath) -> tuple[tuple[int, int, int], ...]:
        links = (-1, *path.links)
        return tuple(
            (self._rank[name], channel, link)
            for (name, channel), link in zip(path.vertices, links, strict=True)
        )

    def units(self, path: WholePath) -> tuple[tuple[str, int, str], ...]:
        """The vertices that stand for something, source first, written down from their definition."""
        forward = path.vertices[::-1]
        nodes = ["", *self._nodes(path)[::-1]]
        steps = [(*vertex, node) for vertex, node in zip(forward, nodes, strict=True)]
        kept = [step for step in steps if not self._only_carried(step[0])]
        if kept[-1] != steps[-1]:
            sink = steps[-1]
            if kept[-1][2] and kept[-1][1] == sink[1]:
                kept[-1] = (sink[0], sink[1], kept[-1][2])
            else:
                kept.append(sink)
        return tuple(kept)

    def _nodes(self, path: WholePath) -> list[str]:
        return [
            self.graph.into[tensor][number].node
            for (tensor, _), number in zip(path.vertices[:-1], path.links, strict=True)
        ]

    def _only_carried(self, tensor: str) -> bool:
        links = self.graph.into.get(tensor, ())
        return len(links) == 1 and isinstance(links[0].edges, Carry)
