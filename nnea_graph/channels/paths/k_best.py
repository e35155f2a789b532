"""Exact k best paths: a sweep from the sinks that knows the best way on from every channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Self

import numpy as np

from nnea_graph.channels.graph import Carry, ChannelGraph, Places
from nnea_graph.channels.paths.chains import hops
from nnea_graph.channels.paths.endpoints import Endpoints
from nnea_graph.channels.paths.expansion import Edges, carried_edges, dense_edges
from nnea_graph.channels.paths.forward_pass import Forward
from nnea_graph.channels.paths.scaled_floats import LN2
from nnea_graph.channels.paths.shares import LinkShares, Vector, logarithm
from nnea_graph.channels.paths.top_k import NONE, TIE, PathCandidates, TopK, leading, tie_ranks
from nnea_graph.errors import PassError


@dataclass(frozen=True, slots=True)
class PartialPaths:
    """Ends of paths, in the order of their (tensor, channel) from the sink backward; no one is the end of another.

    ``place`` and ``channel`` are where each begins, ``mantissa * 2**exponent`` is the product of its weights, ``log``
    the logarithm of the best score of a whole path that ends with it, ``step`` its row in the ``PathSteps``.
    """

    place: Places
    channel: Places
    mantissa: Vector
    exponent: Places
    log: Vector
    step: Places

    @property
    def products(self) -> Vector:
        """Logarithms of the products of the weights."""
        return logarithm(self.mantissa) + LN2 * self.exponent

    def take(self, rows: Places) -> Self:
        """These rows."""
        return type(self)(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(slots=True)
class PathSteps:
    """Origins of ways, one row a step: ``parent`` is the row of the step before it, toward the sink, -1 at it.

    The step goes through link number ``link`` of the tensor where its parent begins, from channel ``entry`` of the
    link's source, down the chain to ``channel`` of the tensor at ``place``. A sink's own step has link -1.
    """

    parent: list[Places] = field(default_factory=list)
    link: list[Places] = field(default_factory=list)
    entry: list[Places] = field(default_factory=list)
    place: list[Places] = field(default_factory=list)
    channel: list[Places] = field(default_factory=list)
    order: list[Places] = field(default_factory=list)
    count: int = 0

    def append(self, parent: Places, rows: PathCandidates) -> Places:
        """Row numbers of the new steps."""
        self.parent.append(parent)
        for name in ("link", "entry", "place", "channel", "order"):
            getattr(self, name).append(getattr(rows, name))
        first, self.count = self.count, self.count + parent.size
        return np.arange(first, self.count)


class KBestSearch:
    """Keeps the k most promising ways while it goes through the tensors in reverse order.

    The Viterbi sweep has left the best score of all paths into each channel, so what a way promises is no bound but
    the score of a path that exists. Ways end no path in common, hence whatever falls behind k of them cannot end one
    of the k best: the result is exact, ties included. Time O(edges into touched channels + k · tensors · log k),
    memory O(k · tensors).

    Ties (``contest.TIE``) go to the path that is first by its (place of the tensor in ``graph.order``, channel,
    number of the link) read from the sink backward.
    """

    def __init__(self, graph: ChannelGraph, reached: Forward, ends: Endpoints, k: int) -> None:
        self.graph = graph
        self._forward = reached
        self._k = k
        self.hops = hops(graph)
        self._rank = {name: place for place, name in enumerate(graph.order)}
        self.steps = PathSteps()
        self.ways = self._begin(ends)

    def _begin(self, ends: Endpoints) -> PartialPaths:
        names = sorted(ends.sinks, key=self._rank.__getitem__)
        parts = [
            self._candidates(name, -1, _whole(ends.sinks[name]), -np.ones(1, np.int64)) for name in names
        ]
        rows = PathCandidates.joined(parts) if parts else NONE
        rows = rows.take(np.flatnonzero(rows.log > -np.inf))
        rows = rows.take(leading(rows.log, self._k))
        mantissa, exponent = np.frexp(rows.weight)
        steps = self.steps.append(rows.parent, rows)
        return PartialPaths(rows.place, rows.channel, mantissa, exponent.astype(np.int64), rows.log, steps)

    def _candidates(self, tensor: str, link: int, edges: Edges, parents: Places) -> PathCandidates:
        """Edges from channels of a tensor with the way down its chain; ``log`` is without the parent's product."""
        hop, size = self.hops[tensor], edges.entry.size
        return PathCandidates(
            parent=parents[edges.way],
            order=np.full(size, self._rank[tensor]),
            entry=edges.entry,
            link=np.full(size, link),
            place=np.full(size, self._rank[hop.base]),
            channel=hop.channels(edges.entry),
            weight=edges.weight * hop.gains(edges.entry),
            log=logarithm(edges.weight) + self._forward.reach[tensor].best[edges.entry],
        )

    def visit(self, tensor: str, reader: LinkShares) -> None:
        """Make the ways that begin at a tensor longer by every link into it, and keep the k best of all."""
        ways = self.ways
        here = ways.place == self._rank[tensor]
        if tensor in self.graph.sources or not here.any():
            return
        contest = TopK(self._k, _standing(ways, np.flatnonzero(~here)))
        if ways.log.size == self._k:
            contest.limit = float(ways.log.min()) - TIE
        moving = np.flatnonzero(here)
        products = ways.products[moving]
        for index, link in enumerate(reader.links):
            for edges in self._edges(reader, index, ways.channel[moving], products, contest):
                rows = self._candidates(link.source, index, edges, moving)
                rows = replace(rows, log=rows.log + products[edges.way])
                contest.offer(rows.take(np.flatnonzero((rows.log >= contest.limit) & (rows.log > -np.inf))))
        self._advance(contest.winners())

    def _edges(
        self, reader: LinkShares, index: int, channels: Places, products: Vector, contest: TopK
    ) -> Iterable[Edges]:
        link = reader.links[index]
        factor = self._forward.factors[link.target][index]
        if isinstance(link.edges, Carry):
            return [carried_edges(link.edges.places, factor, channels)]
        if factor is None:
            raise PassError(f"channels of '{link.node}': weights without a factor")
        best = self._forward.reach[link.source].best
        return dense_edges(
            reader.strength(index), factor, best, channels=channels, products=products, contest=contest
        )

    def _advance(self, rows: PathCandidates) -> None:
        before, moved = self.ways, np.flatnonzero(rows.link >= 0)
        steps = before.step[rows.parent]
        steps[moved] = self.steps.append(steps[moved], rows.take(moved))
        mantissa, shift = np.frexp(before.mantissa[rows.parent] * rows.weight)
        exponent = before.exponent[rows.parent] + shift
        self.ways = PartialPaths(rows.place, rows.channel, mantissa, exponent, rows.log, steps)

    def ranked(self) -> PartialPaths:
        """The k best, when all tensors have been visited: by score, then by their order from the sink backward."""
        return self.ways.take(np.argsort(tie_ranks(self.ways.products), kind="stable"))


def _whole(channels: Places) -> Edges:
    return Edges(np.zeros(channels.size, np.int64), channels, np.ones(channels.size))


def _standing(ways: PartialPaths, rows: Places) -> PathCandidates:
    """Ways that stay as they are."""
    stay = np.full(rows.size, -1)
    return PathCandidates(
        parent=rows,
        order=stay,
        entry=stay,
        link=stay,
        place=ways.place[rows],
        channel=ways.channel[rows],
        weight=np.ones(rows.size),
        log=ways.log[rows],
    )
