"""Data movement along single axes: which index of the output is which of the input, by moving the indices alone."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from nnea_graph.rewrite.coupling.index_space import Indices
from nnea_graph.rewrite.coupling.op_context import CouplingContext, NotFollowedError, coupling

PICKED = "picked out by position"


@coupling("Transpose")
def transpose(site: CouplingContext) -> None:
    """Axes change places."""
    x, y = site.name(0), site.out()
    order = site.call.attr("perm") or list(range(site.rank(x)))[::-1]
    for axis, source in enumerate(order):
        site.same(x, int(source), y, axis)


@coupling("Squeeze", "Unsqueeze")
def squeeze(site: CouplingContext) -> None:
    """Axes of length 1 go or come; the others stay in order."""
    x, y = site.name(0), site.out()
    long = x if site.rank(x) > site.rank(y) else y
    short = y if long == x else x
    dropped = _axes(site, long)
    kept = [axis for axis in range(site.rank(long)) if axis not in dropped]
    if len(kept) != site.rank(short):
        raise NotFollowedError(f"{site.node.op_type}: its axes are not known")
    for axis, other in enumerate(kept):
        site.same(short, axis, long, other)


def _axes(site: CouplingContext, long: str) -> set[int]:
    """Axes from the second input, below opset 13 from the attribute; Squeeze without any drops every 1."""
    listed = site.ints(1) if site.name(1) else site.call.attr("axes")
    if listed is None and site.node.op_type == "Squeeze" and not site.name(1):
        listed = [axis for axis, dim in enumerate(site.dims(long)) if dim == 1]
    if listed is None:
        raise NotFollowedError(f"{site.node.op_type}: its axes are not known")
    return {int(axis) % site.rank(long) for axis in listed}


@coupling("Concat")
def concat(site: CouplingContext) -> None:
    """One after the other along an axis."""
    y = site.out()
    rank = site.rank(y)
    joined = int(site.call.attr("axis", 1)) % rank
    start = 0
    for name in site.node.inputs:
        _others(site, name, y, joined)
        length = site.dims(name)[joined]
        if length is None:
            raise NotFollowedError(f"Concat: the length of '{name}' is not known")
        _part(site, (y, joined), (name, joined), np.arange(start, start + length))
        start += length


@coupling("Split")
def split(site: CouplingContext) -> None:
    """Cut along an axis."""
    x = site.name(0)
    axis = int(site.call.attr("axis", 0)) % site.rank(x)
    lengths = [site.dims(name)[axis] for name in site.node.outputs]
    if None in lengths:
        raise NotFollowedError("Split: its lengths are not known")
    sizes = [length for length in lengths if length is not None]
    for start, length, name in zip(accumulate([0, *sizes]), sizes, site.node.outputs, strict=False):
        _others(site, x, name, axis)
        _part(site, (x, axis), (name, axis), np.arange(start, start + length))


@coupling("Slice")
def cut(site: CouplingContext) -> None:
    """A run of indices; with steps they would not stay a run."""
    x, y = site.name(0), site.out()
    known = len(site.node.inputs) < 2 or all(
        site.ints(index) is not None for index in range(1, len(site.node.inputs)) if site.name(index)
    )
    axes = _cut_axes(site)
    if axes is None:
        raise NotFollowedError("Slice: its axes are not known")
    _others(site, x, y, *axes)
    if not known:
        _pin(site, axes, "bounds that the data decide")
        return
    starts, ends, steps = (site.listed(at, name) for at, name in ((1, "starts"), (2, "ends"), (4, "steps")))
    for place, axis in enumerate(axes):
        length, step = site.dims(x)[axis], steps[place] if steps else 1
        if length is None or step != 1:
            _pin(site, [axis], "steps over indices" if step != 1 else "its length is not known")
            continue
        places = np.arange(length)[slice(starts[place], ends[place])]
        if len(places) == length:
            site.same(x, axis, y, axis)
        else:
            _part(site, (x, axis), (y, axis), places)


def _cut_axes(site: CouplingContext) -> list[int] | None:
    rank = site.rank(site.name(0))
    if len(site.node.inputs) < 2:
        starts = site.call.attr("starts") or ()
        return [int(axis) % rank for axis in site.call.attr("axes") or range(len(starts))]
    if site.name(3):
        listed = site.ints(3)
        return None if listed is None else [axis % rank for axis in listed]
    length = site.dims(site.name(1))[0]
    return None if length is None else list(range(length))


@coupling("Pad")
def pad(site: CouplingContext) -> None:
    """Wider or narrower at both ends; what is filled in comes from nowhere."""
    x, y = site.name(0), site.out()
    mode = site.call.attr("mode", b"constant")
    amounts = pad_amounts(site)
    for axis in range(site.rank(x)):
        length, wide = site.dims(x)[axis], site.dims(y)[axis]
        if amounts is not None and not any(amounts[axis]):
            site.same(x, axis, y, axis)
        elif amounts is None or length is None or wide is None or mode not in (b"constant", "constant"):
            _pin(site, [axis], "indices that are copied from others")
        else:
            places = np.arange(wide) - amounts[axis][0]
            places[(places < 0) | (places >= length)] = -1
            site.draft.moved((x, axis), (y, axis), places)


def pad_amounts(site: CouplingContext) -> list[tuple[int, int]] | None:
    """Indices added before and after along each axis, None where the data decide."""
    rank = site.rank(site.name(0))
    given = (
        site.ints(1) if len(site.node.inputs) > 1 else site.call.attr("pads") or site.call.attr("paddings")
    )
    axes = site.ints(3) if site.name(3) else list(range(rank))
    if given is None or axes is None:
        return None
    amounts = [(0, 0)] * rank
    for place, axis in enumerate(axes):
        amounts[axis % rank] = (int(given[place]), int(given[place + len(axes)]))
    return amounts


@coupling("Expand")
def expand(site: CouplingContext) -> None:
    """Repeats axes of length 1."""
    site.broadcast(site.name(0), site.out())


@coupling("Tile")
def tile(site: CouplingContext) -> None:
    """Whole copies one after the other: an index goes from all of them."""
    x, y = site.name(0), site.out()
    for axis, (length, wide) in enumerate(zip(site.dims(x), site.dims(y), strict=True)):
        if length is None or wide is None:
            _pin(site, [axis], "copies whose number is not known")
        elif length > 1:
            site.draft.moved((x, axis), (y, axis), np.arange(wide) % length)


@coupling("Gather")
def gather(site: CouplingContext) -> None:
    """Known positions are followed; what the data look up stays whole."""
    x, indices, y = site.name(0), site.name(1), site.out()
    axis = int(site.call.attr("axis", 0)) % site.rank(x)
    extra = site.rank(indices)
    for other in range(site.rank(x)):
        if other != axis:
            site.same(x, other, y, other if other < axis else other + extra - 1)
    chosen = site.ints(1) if site.constant(1) else None
    length = site.dims(x)[axis]
    if chosen is None or length is None or extra > 1:
        site.pin(x, axis, "looked up by the data" if chosen is None else PICKED)
        for place in range(extra):
            site.same(indices, place, y, axis + place)
    elif extra == 0:
        site.pin(x, axis, PICKED)
    else:
        site.draft.moved((x, axis), (y, axis), np.asarray(chosen) % length)


def _others(site: CouplingContext, x: str, y: str, *axes: int) -> None:
    """All axes but these stay as they are."""
    for axis in range(site.rank(x)):
        if axis not in axes:
            site.same(x, axis, y, axis)


def _part(site: CouplingContext, whole: tuple[str, int], part: tuple[str, int], places: Indices) -> None:
    """Index j of the part is ``places[j]`` of the whole."""
    site.draft.moved(whole, part, places)


def _pin(site: CouplingContext, axes: list[int], reason: str) -> None:
    for axis in axes:
        site.pin(site.name(0), axis, reason)
        site.pin(site.out(), axis, reason)
