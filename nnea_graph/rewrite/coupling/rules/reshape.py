"""Reshapes: axes that are cut or joined share factors, and one factor of each such block may lose indices.

A block are neighboring axes of the input and of the output that hold the same elements: 768 becomes 12 × 64.
Cut at every border of either side it is a product of factors (12, 64). If indices of one factor go (heads), what is
left is a tensor again; if indices of two go, it is not. Which factor that is, the rest of the model decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod

import numpy as np

from nnea_graph.rewrite.coupling.constraints import Option
from nnea_graph.rewrite.coupling.index_space import Axis, Indices
from nnea_graph.rewrite.coupling.op_context import CouplingContext, NotFollowedError, coupling

TAKEN_APART = "axes are cut or joined across these indices"

Block = tuple[list[Axis], list[Axis]]


@coupling("Reshape", "Flatten")
def reshape(site: CouplingContext) -> None:
    """Block by block."""
    x, y = site.name(0), site.out()
    before, after = known_dims(site, x), known_dims(site, y)
    for ins, outs in blocks(before, after):
        couple_block(site, [(x, axis) for axis in ins], [(y, axis) for axis in outs])


def known_dims(site: CouplingContext, tensor: str) -> list[int]:
    """Dims of a tensor, all of which must be known."""
    dims = site.dims(tensor)
    if None in dims:
        raise NotFollowedError(f"{site.node.op_type}: the shape of '{tensor}' is not known")
    return [dim for dim in dims if dim is not None]


def blocks(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Axes (but those of length 1) of both sides that hold the same elements, in the smallest blocks.

    >>> list(blocks([2, 6, 8], [2, 3, 2, 8]))
    [([0], [0]), ([1], [1, 2]), ([2], [3])]
    """
    left = [axis for axis, dim in enumerate(before) if dim != 1]
    right = [axis for axis, dim in enumerate(after) if dim != 1]
    while left or right:
        ins, outs = left[:1], right[:1]
        while prod(before[axis] for axis in ins) != prod(after[axis] for axis in outs):
            shorter = prod(before[axis] for axis in ins) < prod(after[axis] for axis in outs)
            side, taken = (left, ins) if shorter else (right, outs)
            if len(taken) == len(side):
                raise NotFollowedError("Reshape: its shapes hold different numbers of elements")
            taken.append(side[len(taken)])
        left, right = left[len(ins) :], right[len(outs) :]
        yield ins, outs


def couple_block(site: CouplingContext, ins: list[Axis], outs: list[Axis]) -> None:
    """The axes of one block."""
    spans = [span for side in (ins, outs) for span in _spans(site, side)]
    borders = sorted({border for _, start, stop in spans for border in (start, stop)})
    if len(borders) == 2:
        site.draft.same(ins[0], outs[0])
        return
    if any(longer % shorter for shorter, longer in pairwise(borders)):
        for axis, *_ in spans:
            site.pin(*axis, TAKEN_APART)
        return
    site.choose("reshape", [factor(site, spans, *pair) for pair in pairwise(borders)])


Span = tuple[Axis, int, int]
"""An axis and the products of the lengths up to it and with it."""


def _spans(site: CouplingContext, axes: list[Axis]) -> Iterator[Span]:
    start = 1
    for tensor, axis in axes:
        length = known_dims(site, tensor)[axis]
        yield (tensor, axis), start, start * length
        start *= length


def factor(site: CouplingContext, spans: Sequence[Span], low: int, high: int) -> Option:
    """Let the factor between two borders lose indices; axes without it stay whole."""
    option, first = Option(), None
    for axis, start, stop in spans:
        slots = site.draft.slots.of(axis)
        if not start <= low < stop:
            if slots is not None:
                option.pins.append((slots, f"{site.node.op_type}: {TAKEN_APART}"))
            continue
        if slots is None:
            raise NotFollowedError(f"{site.node.op_type}: an axis of '{axis[0]}' is too long to follow")
        rows = by_factor(slots, high // low, stop // high)
        option.needs.append(slots)
        option.edges.append((np.repeat(rows[:, 0], rows.shape[1]), rows.reshape(-1)))
        if first is not None:
            option.edges.append((first, rows[:, 0]))
        first = rows[:, 0]
    return option


def by_factor(slots: Indices, length: int, after: int) -> Indices:
    """The slots of an axis by their index along a factor with ``after`` indices behind it.

    >>> by_factor(np.arange(12), 2, 3).tolist()
    [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]]
    """
    return slots.reshape(-1, length, after).transpose(1, 0, 2).reshape(length, -1)


@coupling("DepthToSpace", "SpaceToDepth")
def pixel_shuffle(site: CouplingContext) -> None:
    """Channels of the narrow side are one factor of those of the deep side."""
    x, y, block = site.name(0), site.out(), int(site.call.attr("blocksize", 1))
    deep, narrow = (x, y) if site.node.op_type == "DepthToSpace" else (y, x)
    site.same(x, 0, y, 0)
    for tensor in (x, y):
        for axis in (2, 3):
            site.pin(tensor, axis, "positions are no channels")
    slots, channels = site.draft.slots.of((deep, 1)), site.dims(narrow)[1]
    if slots is None or channels is None:
        raise NotFollowedError(f"{site.node.op_type}: its channels are not known")
    crd = site.call.attr("mode", b"DCR") in (b"CRD", "CRD")
    rows = by_factor(slots, channels, block * block if crd else 1)
    site.draft.join(np.repeat(rows[:, 0], rows.shape[1]), rows.reshape(-1))
    single = site.draft.slots.of((narrow, 1))
    if single is None:
        site.pin(deep, 1, TAKEN_APART)
    else:
        site.draft.join(single, rows[:, 0])
