"""Criteria of what a channel is worth: named ways to put the groups of a family in an order, the least first.

``reconstruction`` is by what the readers lack when the group is gone and all else is solved again (elimination.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from nnea_graph.rewrite.selection.least_squares_views import LeastSquaresView
from nnea_graph.rewrite.selection.optimal_brain_surgeon import Floats

CRITERIA = ("reconstruction", "spread", "importance", "magnitude", "random")
DEFAULT = "reconstruction"


@dataclass(frozen=True, slots=True)
class GroupCandidates:
    """The ``count`` groups of a family by place, with its readers as ``views``."""

    name: str
    count: int
    views: Sequence[LeastSquaresView]
    seed: int = 0


def by_importance(candidates: GroupCandidates) -> list[int]:
    """|w| mean |a|, summed over what reads the group, by the sum of each reader."""
    return _ranked(candidates, lambda view: magnitudes(view) * view.mean_abs)


def by_magnitude(candidates: GroupCandidates) -> list[int]:
    """|w|, summed over what reads the group, by the sum of each reader."""
    return _ranked(candidates, magnitudes)


def by_spread(candidates: GroupCandidates) -> list[int]:
    """Standard deviation of the activation times the norm of what reads it: what no bias makes up for."""
    return _ranked(candidates, lambda view: view.spread() * np.linalg.norm(view.weight, axis=2))


def by_chance(candidates: GroupCandidates) -> list[int]:
    """Drawn by the seed and the name of the family."""
    rng = np.random.default_rng([candidates.seed, crc32(candidates.name.encode())])
    return [int(place) for place in rng.permutation(candidates.count)]


_ORDERS: Mapping[str, Callable[[GroupCandidates], list[int]]] = {
    "spread": by_spread,
    "importance": by_importance,
    "magnitude": by_magnitude,
    "random": by_chance,
}


def order_of(criterion: str, candidates: GroupCandidates) -> list[int] | None:
    """All places, the one that goes first in front; None leaves it to the elimination: by ``reconstruction``."""
    return _ORDERS[criterion](candidates) if criterion in _ORDERS else None


def magnitudes(view: LeastSquaresView) -> Floats:
    """Sum of |w| that reads each column."""
    total: Floats = np.abs(view.weight).sum(2)
    return total


def _ranked(candidates: GroupCandidates, score: Callable[[LeastSquaresView], Floats]) -> list[int]:
    worth = np.zeros(candidates.count)
    for view in candidates.views:
        found, owners = score(view).reshape(-1), view.reader.columns.reshape(-1)
        whole = float(found.sum()) or 1.0
        there = owners >= 0
        worth += np.bincount(owners[there], found[there], candidates.count) / whole
    return [int(place) for place in np.argsort(worth, kind="stable")]
