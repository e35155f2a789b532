"""Sets of channels that take as many from every group of a grouped convolution, made of sets that do not."""

from __future__ import annotations

from collections import Counter, defaultdict, deque

import numpy as np
from numpy.typing import NDArray

from nnea_graph.rewrite.coupling.index_space import Indices

Flags = NDArray[np.bool_]
Counts = tuple[int, ...]
"""How many channels of each group a set has."""

_TIMES = 4
"""Of sets that fit no others one by one, so many are tried together."""


def balanced(labels: Indices, free: Flags, rows: Indices) -> tuple[list[list[int]], list[int]]:
    """Sets that must become one, so that each has as many slots in every row, and those for which none are left.

    ``labels`` are the sets of all slots, ``free`` the slots that can go; ``rows`` ``[groups, slots]``. Sets of one row
    are put together with the next ones of the others; whatever then remains becomes one, where that is balanced.

    >>> balanced(np.array([0, 1, 2, 3]), np.ones(4, bool), np.array([[0, 1], [2, 3]]))
    ([[0, 2], [1, 3]], [])
    >>> balanced(np.array([0, 0, 2, 3]), np.ones(4, bool), np.array([[0, 1], [2, 3]]))
    ([[0, 2, 3]], [])
    """
    pools = _pools(labels, free, rows)
    joined: list[list[int]] = []
    for kind in sorted(pools, key=_order):
        while pools[kind] and (parts := _parts(kind, pools)) is not None:
            joined.extend(
                [pools[part].popleft() for part, count in parts.items() for _ in range(count)]
                for _ in range(min(len(pools[part]) // count for part, count in parts.items()))
            )
    rest = [(kind, name) for kind, names in pools.items() for name in names]
    total = np.sum([kind for kind, _ in rest], 0) if rest else np.zeros(1)
    names = sorted(name for _, name in rest)
    if (total == total[0]).all():
        return joined + ([names] if names else []), []
    return joined, names


def _pools(labels: Indices, free: Flags, rows: Indices) -> dict[Counts, deque[int]]:
    """The sets that are not balanced, by how many slots they have in each row, in the order of the slots."""
    counts: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        for name in labels[row[free[row]]].tolist():
            counts.setdefault(name, [0] * len(rows))[place] += 1
    pools: dict[Counts, deque[int]] = defaultdict(deque)
    for name, found in counts.items():
        if len(set(found)) > 1:
            pools[tuple(found)].append(name)
    return pools


def _order(kind: Counts) -> tuple[int, Counts]:
    """Sets of few rows first: they leave the others as they come."""
    return sum(1 for count in kind if count), tuple(-count for count in kind)


def _parts(kind: Counts, pools: dict[Counts, deque[int]]) -> Counter[Counts] | None:
    """Tells how many sets of each kind, this one among them, are balanced together; None where they are not found."""
    for times in range(1, _TIMES + 1):
        left = Counter({other: len(names) for other, names in pools.items() if names})
        parts = _filled(kind, left, times * max(kind))
        if parts is not None:
            return parts
    return None


def _filled(kind: Counts, left: Counter[Counts], level: int) -> Counter[Counts] | None:
    """Sets up to so many slots of each row, the next that fits each time."""
    total, parts, chosen = np.zeros(len(kind), np.int64), Counter[Counts](), kind
    while True:
        total += np.array(chosen)
        parts[chosen] += 1
        if (total == level).all():
            return parts
        fitting = [
            other for other in left if left[other] > parts[other] and (total + np.array(other) <= level).all()
        ]
        if not fitting:
            return None
        chosen = min(fitting, key=_order)
