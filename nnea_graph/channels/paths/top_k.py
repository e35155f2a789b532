"""Contest: the k best of many candidates that come in parts, in bounded memory, ties to the earlier path."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from nnea_graph.channels.graph import Places
from nnea_graph.channels.paths.shares import Vector

TIE = 1e-10
"""Logarithms of scores that are closer than this count as equal: more than rounding makes in 10,000 steps."""

ROOM = 1 << 19
"""Candidates that are held before the worst of them go."""


@dataclass(frozen=True, slots=True)
class PathCandidates:
    """Columns, one row a candidate: the path ``parent`` (its rank) made longer by an edge.

    The edge is number ``link`` of those into the path's first tensor and comes from channel ``entry`` of the tensor
    at ``order``; all three are -1 for a path that stays as it is. ``place`` and ``channel`` say where the path begins
    then, ``weight`` what its score is multiplied with, ``log`` the best score of a whole path that ends with it.
    """

    parent: Places
    order: Places
    entry: Places
    link: Places
    place: Places
    channel: Places
    weight: Vector
    log: Vector

    def take(self, rows: Places) -> Self:
        """These rows."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[PathCandidates]) -> Self:
        """All rows of all parts."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


_NO_PLACES, _NO_VALUES = np.zeros(0, np.int64), np.zeros(0)
NONE = PathCandidates(
    _NO_PLACES, _NO_PLACES, _NO_PLACES, _NO_PLACES, _NO_PLACES, _NO_PLACES, _NO_VALUES, _NO_VALUES
)


def leading(logs: Vector, k: int) -> Places:
    """Rows of the k largest, ascending; of equal ones the first.

    >>> leading(np.array([0.0, -1.0, 0.0, -2.0, -1.0]), 3).tolist()
    [0, 1, 2]
    """
    if logs.size <= k:
        return np.arange(logs.size)
    ranks = tie_ranks(logs)
    cut = np.partition(ranks, k - 1)[k - 1]
    sure, tied = np.flatnonzero(ranks < cut), np.flatnonzero(ranks == cut)
    return np.sort(np.concatenate([sure, tied[: k - sure.size]]))


def tie_ranks(logs: Vector) -> Places:
    """0 for the largest and all that tie with it, and so on down; a chain of ties is one tie."""
    if not logs.size:
        return np.zeros(0, np.int64)
    order = np.argsort(-logs, kind="stable")
    ranked = logs[order]
    ranks = np.empty(logs.size, np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(ranked[:-1] - ranked[1:] > TIE)])
    return ranks


class TopK:
    """Keeps the k best candidates. ``limit``: one with a smaller logarithm cannot be among them."""

    def __init__(self, k: int, standing: PathCandidates) -> None:
        self._k = k
        self._parts = [standing]
        self._held = standing.log.size
        self.limit = -np.inf

    def offer(self, more: PathCandidates) -> None:
        """Let more take part."""
        self._parts.append(more)
        self._held += more.log.size
        if self._held > ROOM + 2 * self._k:
            self.winners()

    def winners(self) -> PathCandidates:
        """The k best so far, in the order of their paths from the sink backward."""
        rows = PathCandidates.joined(self._parts)
        rows = rows.take(np.lexsort((rows.link, rows.entry, rows.order, rows.parent)))
        best = rows.take(leading(rows.log, self._k))
        self._parts, self._held = [best], best.log.size
        if self._held == self._k:
            self.limit = float(best.log.min()) - TIE
        return best
