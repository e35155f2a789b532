"""Shares: what part of a channel comes from which other, read from strengths in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import Carry, ChannelGraph, DenseLink, Floats, Link
from nnea_graph.errors import PassError

Score = Literal["flow", "importance"]
Vector = NDArray[np.float64]

BLOCK = 1 << 18
"""Strengths that are worked on at a time: 2 MB in float64, which stays in the cache of most processors."""


def blocks(groups: int, targets: int, sources: int) -> Iterator[tuple[slice, slice]]:
    """Slices of groups and of the targets in each, about ``BLOCK`` strengths at a time, in order."""
    whole = targets * sources
    if whole <= BLOCK:
        step = BLOCK // max(1, whole)
        yield from ((slice(first, first + step), slice(None)) for first in range(0, groups, step))
        return
    rows = max(1, BLOCK // sources)
    for group in range(groups):
        yield from ((slice(group, group + 1), slice(top, top + rows)) for top in range(0, targets, rows))


def finite(part: Floats) -> tuple[Vector, int]:
    """A float64 copy in which NaN and Inf are 0, no edge, and how many there were."""
    exact = part.astype(np.float64)
    if np.isfinite(exact.sum()):
        return exact, 0
    bad = ~np.isfinite(exact)
    exact[bad] = 0
    return exact, int(np.count_nonzero(bad))


def logarithm(values: Floats) -> Vector:
    """Natural logarithm, -inf for 0."""
    with np.errstate(divide="ignore"):
        return np.log(values, dtype=np.float64)


def factors(gain: Floats | None, totals: Vector) -> Vector:
    """Factors that a strength is multiplied with to give its edge's weight: gain / total, 0 where the total is 0."""
    gains = np.ones_like(totals) if gain is None else gain.astype(np.float64)
    return np.divide(gains, totals, out=np.zeros_like(totals), where=totals > 0)


class LinkShares:
    """The strengths of the links into one tensor, each read when first asked for and then kept."""

    def __init__(self, graph: ChannelGraph, tensor: str) -> None:
        self._graph = graph
        self._tensor = tensor
        self.links: tuple[Link, ...] = graph.into.get(tensor, ())
        self._read: dict[int, Floats] = {}

    def strength(self, index: int) -> NDArray[np.floating[Any]]:
        """Strengths of that link, which is dense: (groups, targets / groups, sources / groups).

        Raises:
            PassError: strengths of another shape, or a link that carries.
        """
        if index not in self._read:
            self._read[index] = self._checked(self.links[index])
        return self._read[index]

    def _checked(self, link: Link) -> Floats:
        if isinstance(link.edges, Carry):
            raise PassError(f"the link of '{link.node}' into '{self._tensor}' carries: it has no strengths")
        found = link.edges.strength()
        expected = self._shape(link, link.edges)
        if found.shape != expected:
            raise PassError(
                f"channels of '{link.node}': strengths of shape {found.shape} where {expected} are due"
            )
        return found

    def _shape(self, link: Link, dense: DenseLink) -> tuple[int, int, int]:
        targets, sources = (self._graph.tensors[name].count for name in (link.target, link.source))
        return dense.groups, targets // dense.groups, sources // dense.groups
