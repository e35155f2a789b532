"""Folds a long graph into fewer boxes, where it is narrow if possible, and never into a circle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

Edge = tuple[int, int]
Box = Sequence[int]
"""Places that are drawn as one, ascending."""

_DEEPEST = 16
"""Parts of a module's name that are told apart."""
_FEWEST = 4
"""A picture of fewer boxes says nothing about a graph that had to be folded."""


def fold(
    count: int, edges: Iterable[Edge], alike: Sequence[object], scopes: Sequence[str], limit: int
) -> tuple[list[Box], str]:
    """The places 0 to ``count`` - 1 in at most ``limit`` boxes, and how they were chosen ("" if each is alone).

    Tried in turn: each place alone; branches between two places that all else runs through (residual adds); blocks
    from one such place to the next; blocks joined while their ends are ``alike`` (stages); modules of the source as
    deep as possible; equal parts.

    Args:
        count: places, in execution order.
        edges: from an earlier place to a later one.
        alike: of each place, what makes it like its neighbor.
        scopes: of each place, its module, parts joined by dots.
        limit: most boxes.
    """
    if count <= limit:
        return [(place,) for place in range(count)], ""
    edges = list(edges)
    blocks = blocks_of(count, edges)
    for boxes, how in (
        (branches_of(blocks, edges), "by branch"),
        (blocks, "by block"),
        (_joined(blocks, alike), "by stage"),
        (_modules(scopes, limit), "by module"),
    ):
        if min(_FEWEST, limit) <= len(boxes) <= limit:
            return boxes, how
    size = -(-count // limit)
    return [range(first, min(first + size, count)) for first in range(0, count, size)], "in equal parts"


def blocks_of(count: int, edges: Iterable[Edge]) -> list[Box]:
    """Runs that end in a place which no edge passes by.

    >>> blocks_of(5, [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4)])
    [range(0, 1), range(1, 2), range(2, 4), range(4, 5)]
    """
    passing = [0] * (count + 1)
    for source, target in edges:
        if source < target:
            passing[source + 1] += 1
            passing[target] -= 1
    runs: list[Box] = []
    first, open_edges = 0, 0
    for place in range(count):
        open_edges += passing[place]
        if not open_edges:
            runs.append(range(first, place + 1))
            first = place + 1
    return [*runs, range(first, count)] if first < count else runs


def branches_of(blocks: Iterable[Box], edges: Iterable[Edge]) -> list[Box]:
    """The end of each block alone, and of the rest what hangs together; dead ends go with the first that goes on.

    >>> branches_of([range(0, 1), range(1, 5)], [(0, 1), (1, 2), (2, 4), (0, 3), (3, 4)])
    [[0], [1, 2], [3], [4]]
    """
    inner: dict[int, list[Edge]] = {}
    going_on: set[int] = set()
    blocks = list(blocks)
    home = {place: number for number, block in enumerate(blocks) for place in block}
    ends = {block[-1] for block in blocks}
    for source, target in edges:
        if home[source] == home[target] and target not in ends:
            inner.setdefault(home[source], []).append((source, target))
        elif target in ends and source not in ends:
            going_on.add(source)
    boxes = [
        box
        for number, block in enumerate(blocks)
        for box in _branches(block, inner.get(number, ()), going_on)
    ]
    return sorted(boxes, key=lambda box: box[-1])


def _branches(block: Box, edges: Iterable[Edge], going_on: set[int]) -> Iterator[Box]:
    """Connected parts of a block without its end, by union and find; then the end."""
    parent = {place: place for place in block[:-1]}

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    for source, target in edges:
        parent[root(target)] = root(source)
    alive = dict.fromkeys(root(place) for place in parent if place in going_on)
    first = next(iter(alive), None)
    members: dict[int, list[int]] = {}
    for place in parent:
        own = root(place)
        members.setdefault(own if own in alive or first is None else first, []).append(place)
    yield from members.values()
    yield [block[-1]]


def _joined(blocks: Sequence[Box], alike: Sequence[object]) -> list[Box]:
    """Neighbors whose ends are alike as one."""
    groups = [list(group) for _, group in groupby(blocks, key=lambda block: alike[block[-1]])]
    return [range(group[0][0], group[-1][-1] + 1) for group in groups]


def _modules(scopes: Sequence[str], limit: int) -> list[Box]:
    """Runs of places whose modules begin alike, as many parts of the name as the limit allows."""
    best: list[Box] = []
    deepest = max((scope.count(".") + 1 for scope in scopes), default=0)
    for depth in range(1, 1 + min(deepest, _DEEPEST)):
        heads = [".".join(scope.split(".", depth)[:depth]) for scope in scopes]
        starts = [0, *(place for place, (a, b) in enumerate(pairwise(heads), 1) if a != b), len(heads)]
        if len(starts) - 1 > limit:
            break
        best = [range(a, b) for a, b in pairwise(starts)]
    return best


def shared_module(scopes: Iterable[str]) -> str:
    """The module that all lie in, "" if there is none; those without any do not count.

    >>> shared_module(["encoder.0.attention.query", "", "encoder.0.output"])
    'encoder.0'
    """
    known = [scope.split(".") for scope in scopes if scope]
    if not known:
        return ""
    shared: list[str] = []
    for one, other in zip(min(known), max(known), strict=False):
        if one != other:
            break
        shared.append(one)
    return ".".join(shared)
