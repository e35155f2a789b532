"""Pathways: the k best paths between chosen ends, what they carry of all, and the marginals, in two sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, fsum
from typing import Protocol

from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.channels.paths.endpoints import Endpoints
from nnea_graph.channels.paths.forward_pass import Forward, totals
from nnea_graph.channels.paths.k_best import KBestSearch
from nnea_graph.channels.paths.marginals import Marginals
from nnea_graph.channels.paths.path import BackPointers, ChannelPath
from nnea_graph.channels.paths.shares import LinkShares, Score, Vector


@dataclass(frozen=True, slots=True)
class BestPaths:
    """``paths`` are the ``k`` best, or all if there are fewer; best first.

    ``mass`` is the sum of the shares of all paths between the ends, ``log_mass`` its natural logarithm: for flow 1
    where every sink channel is led to from the sources only. ``flow_covered`` is the sum of the shares of ``paths``
    and ``part_of_mass`` that sum / mass. ``entropy`` (nats) is of the parts of mass of all paths, so exp of it is
    their effective number. ``operators`` are those that ``paths`` run through. ``unusable`` counts the strengths
    that are NaN or Inf and so no edges, by operator. None is what has no value, as there is no path.
    """

    score: Score
    k: int
    paths: tuple[ChannelPath, ...]
    mass: float
    log_mass: float | None
    flow_covered: float
    part_of_mass: float | None
    entropy: float | None
    operators: tuple[str, ...]
    unusable: Mapping[str, int]


class Visitor(Protocol):
    """Works on the links into each tensor, in reverse order."""

    def visit(self, tensor: str, reader: LinkShares) -> None:
        """Do its work on one tensor."""
        ...


def sweep_back(graph: ChannelGraph, visitors: Iterable[Visitor]) -> None:
    """Let all visitors see every tensor in reverse order; strengths that several ask for are read once."""
    visitors = tuple(visitors)
    for name in reversed(graph.order):
        reader = LinkShares(graph, name)
        for visitor in visitors:
            visitor.visit(name, reader)


def pathways(
    graph: ChannelGraph, reached: Forward, ends: Endpoints, score: Score, k: int
) -> tuple[BestPaths, Mapping[str, Vector]]:
    """The k best paths, and the marginals of every tensor; ``reached`` is the sweep from the same sources and score."""
    search, marginals = KBestSearch(graph, reached, ends, k), Marginals(graph, reached, ends)
    sweep_back(graph, (search, marginals))
    return summary(search, reached, ends, score, k), marginals.found


def best_paths(graph: ChannelGraph, reached: Forward, ends: Endpoints, score: Score, k: int) -> BestPaths:
    """The k best paths alone: reads only the layers and rows that they come by."""
    search = KBestSearch(graph, reached, ends, k)
    sweep_back(graph, (search,))
    return summary(search, reached, ends, score, k)


def summary(search: KBestSearch, reached: Forward, ends: Endpoints, score: Score, k: int) -> BestPaths:
    """Result of a finished search, beside all that there is."""
    ways, trail = search.ranked(), BackPointers(search.graph, search.hops, search.steps)
    paths = tuple(trail.path(ways, row, ends.weight) for row in range(ways.log.size))
    whole = totals(reached, ends)
    any_path = whole.mass.value > 0
    return BestPaths(
        score=score,
        k=k,
        paths=paths,
        mass=float(whole.mass),
        log_mass=whole.mass.log if any_path else None,
        flow_covered=fsum(path.share for path in paths),
        part_of_mass=fsum(exp(path.log_score - whole.mass.log) for path in paths) * ends.weight
        if any_path
        else None,
        entropy=whole.entropy,
        operators=trail.operators(ways) if paths else (),
        unusable=dict(reached.unusable),
    )
