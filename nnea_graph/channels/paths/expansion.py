"""Expansion: the edges by which ways that begin at a tensor can go on, those with a chance only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnea_graph.channels.graph import Floats, Places
from nnea_graph.channels.paths.shares import BLOCK, Vector, finite, logarithm
from nnea_graph.channels.paths.top_k import ROOM, TopK


@dataclass(frozen=True, slots=True)
class Edges:
    """Way number ``way`` of those asked for, on from channel ``entry`` of the link's source with ``weight``."""

    way: Places
    entry: Places
    weight: Vector

    def where(self, keep: Places) -> Edges:
        """These rows, or those where a mask holds."""
        return Edges(self.way[keep], self.entry[keep], self.weight[keep])


def carried_edges(places: Places, factor: Vector | None, channels: Places) -> Edges:
    """The one edge into each of these channels, for those that have it."""
    weight = np.ones(channels.size) if factor is None else factor[channels]
    edges = Edges(np.arange(channels.size), places[channels], weight)
    return edges.where(np.flatnonzero(edges.entry >= 0))


def dense_edges(  # noqa: PLR0913 - what an edge's promise is made of
    strength: Floats, factor: Vector, best: Vector, *, channels: Places, products: Vector, contest: TopK
) -> Iterator[Edges]:
    """Edges into channels where ways of the given log products begin, in pieces; rows are read once a channel."""
    groups, targets, width = strength.shape
    onward = best.reshape(groups, width)
    rows, row_of = np.unique(channels, return_inverse=True)
    peak = np.full(rows.size, -np.inf)
    np.maximum.at(peak, row_of, products)
    by_row = np.argsort(row_of, kind="stable")
    first = np.searchsorted(row_of[by_row], np.arange(rows.size + 1))
    step = max(1, BLOCK // max(1, width))
    for top in range(0, rows.size, step):
        part = rows[top : top + step]
        group, row = np.divmod(part, targets)
        weights = finite(strength[group, row])[0] * factor[part][:, None]
        promise = logarithm(weights) + onward[group] + peak[top : top + step, None]
        at, column = np.nonzero((promise >= contest.limit) & (promise > -np.inf))
        ways = by_row[first[top] : first[min(top + step, rows.size)]]
        for way, edge in _pairs(ways, row_of[ways] - top, at, part.size):
            yield Edges(way, group[at[edge]] * width + column[edge], weights[at[edge], column[edge]])


def _pairs(ways: Places, row_of: Places, at: Places, rows: int) -> Iterator[tuple[Places, Places]]:
    """Every way with every edge of its row; ``at`` is the row of each edge, ascending."""
    first = np.searchsorted(at, np.arange(rows + 1))
    counts = np.diff(first)[row_of]
    total = np.cumsum(counts)
    cuts = np.searchsorted(total, np.arange(ROOM, int(total[-1]), ROOM)) if total.size else np.array([], int)
    for some in np.split(np.arange(ways.size), np.unique(cuts)):
        sizes = counts[some]
        ends = np.cumsum(sizes)
        inside = np.arange(int(sizes.sum())) - np.repeat(ends - sizes, sizes)
        yield np.repeat(ways[some], sizes), np.repeat(first[row_of[some]], sizes) + inside
