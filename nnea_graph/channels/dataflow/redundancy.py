"""Channels of a layer that can go: unread, constant or equal ones for nothing, others at a price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.dataflow.consumers import Followed
from nnea_graph.channels.dataflow.lattice import Bools, ChannelValues, Floats, labels
from nnea_graph.channels.dataflow.linear_layers import Linear
from nnea_graph.channels.dataflow.proportional_rows import proportional
from nnea_graph.channels.graph import Places
from nnea_graph.stats.near_parallel_rows import MOST_ROWS, parallel_rows

MOST_PARALLEL = 1 << 26
"""Weights above which rows are not compared in direction."""


@dataclass(frozen=True, slots=True)
class Redundant:
    """Channels by number, each in one list. The first four lists go without any change of the outputs.

    ``unread`` reach no output; ``dead`` are always 0 and ``constant`` another number; of ``cloned`` each is the channel
    in ``twins`` times the number in ``factors``. ``held`` are constant or cloned ones that others keep where they are,
    as ``held_by`` says. ``parallel`` have nearly the direction of an earlier channel; ``not_compared`` says why that
    is not known.
    """

    channels: int
    unread: Places
    dead: Places
    constant: Places
    cloned: Places
    twins: Places
    factors: Floats
    held: Places
    held_by: str
    parallel: Places
    not_compared: str

    @property
    def exact(self) -> Places:
        """All that go for nothing."""
        return np.sort(np.concatenate([self.unread, self.dead, self.constant, self.cloned]))


def redundant(
    mine: Linear, followed: Followed, values: Mapping[str, ChannelValues], read: Bools
) -> Redundant:
    """Redundancy of a layer's channels where its output is read."""
    count = mine.grid.rows
    places = np.arange(count)
    constant, zero = _constants(followed, values, count)
    twin, factor = _twins(followed, values, count)
    unread = ~read
    free = not followed.held and bool(followed.consumers)
    # Zeros at an edge are not the constant: a bias cannot stand for it there.
    padded = any(consumer.padded for consumer in followed.consumers)
    dead = zero & ~unread
    fixed = constant & ~zero & ~unread
    left = ~(unread | dead | fixed)
    cloned = (twin != places) & left & left[twin]
    movable = fixed & (not padded)
    stuck = cloned & bool(followed.fixed)
    kept = np.flatnonzero((dead | fixed | cloned) if not free else (fixed & ~movable) | stuck)
    none = np.zeros(count, np.bool_)
    dead, movable, cloned = (dead, movable, cloned & ~stuck) if free else (none, none, none)
    parallel, not_compared = _parallel(mine, left & ~cloned) if free else (places[:0], followed.held)
    return Redundant(
        count,
        np.flatnonzero(unread),
        np.flatnonzero(dead),
        np.flatnonzero(movable),
        np.flatnonzero(cloned),
        twin[cloned],
        factor[cloned] / factor[twin[cloned]],
        kept,
        followed.held or _why_held(followed, kept, stuck),
        parallel,
        not_compared,
    )


def _why_held(followed: Followed, kept: Places, stuck: Bools) -> str:
    if not len(kept):
        return ""
    return followed.fixed if stuck.any() else "the zeros at the edges of a convolution"


def _constants(followed: Followed, values: Mapping[str, ChannelValues], count: int) -> tuple[Bools, Bools]:
    """Channels that are a known number wherever a weight reads them, and those that are 0 there."""
    constant, zero = np.ones(count, np.bool_), np.ones(count, np.bool_)
    for consumer in followed.consumers:
        origin, known = followed.origins[consumer.source], values[consumer.source]
        mine = origin >= 0
        np.logical_and.at(constant, origin[mine], known.known[mine])
        np.logical_and.at(zero, origin[mine], (known.known & (known.low == 0))[mine])
    some = bool(followed.consumers)
    return constant & some, constant & zero & some


def _twins(followed: Followed, values: Mapping[str, ChannelValues], count: int) -> tuple[Places, Floats]:
    """First channel for each channel that it is the same multiple of wherever a weight reads them, itself mostly.

    With a factor for each: the multiple is the quotient of theirs.
    """
    columns: list[NDArray[np.int64]] = []
    factors: list[Floats] = []
    for consumer in followed.consumers:
        origin = followed.origins[consumer.source]
        order = np.argsort(origin, kind="stable")
        order = order[origin[order] >= 0]
        if (
            not count
            or order.size % count
            or (np.bincount(origin[order], minlength=count) * count != order.size).any()
        ):
            return np.arange(count), np.ones(count)
        factors += list(values[consumer.source].factor[order].reshape(count, -1).T)
        columns += list(values[consumer.source].label[order].reshape(count, -1).T)
        if consumer.groups > 1:  # what one group of a convolution reads, no other one can
            columns += list((order // consumer.grid.inputs).reshape(count, -1).T)
    if not columns:
        return np.arange(count), np.ones(count)
    label, factor = proportional(labels(*columns), np.stack(factors, 1))
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], np.int64), factor


def _parallel(mine: Linear, among: Bools) -> tuple[Places, str]:
    nothing = np.zeros(0, np.int64)
    if mine.groups > 1:
        return nothing, "its channels are in groups that read different inputs"
    if mine.grid.rows > MOST_ROWS or mine.grid.constant.size > MOST_PARALLEL:
        return nothing, f"more than {MOST_ROWS:,} channels or {MOST_PARALLEL:,} weights are not compared"
    if mine.bias is None:
        return nothing, "its bias is computed"
    weight = np.moveaxis(mine.grid.constant.array(), mine.grid.out_axis, 0).reshape(mine.grid.rows, -1)
    chosen = np.flatnonzero(among)
    rows = np.concatenate([weight[chosen], mine.bias[chosen, None].astype(weight.dtype)], 1)
    return chosen[parallel_rows(rows).twin >= 0], ""


@dataclass(frozen=True, slots=True)
class RemovedWork:
    """Weights and multiply-accumulates that go; MACs are None where they are not known."""

    bytes: int
    macs: int | None


def kept_share(mine: Linear, rows: Bools, inputs: Bools) -> float:
    """The part of a weight that is left of these rows and inputs, group by group."""
    kept = rows.reshape(mine.groups, -1).sum(1) * inputs.reshape(mine.groups, -1).sum(1)
    return float(kept.sum() / (rows.size * inputs.size / mine.groups))


def saving(
    gone: Mapping[str, Bools],
    linears: Mapping[str, Linear],
    followed: Mapping[str, Followed],
    costs: Mapping[str, tuple[int, int | None]],
) -> RemovedWork:
    """Work that goes with output channels of layers: their rows, and the columns of all that reads them.

    ``costs`` are bytes and MACs of each layer.
    """
    inputs = {name: np.zeros(mine.inputs, np.bool_) for name, mine in linears.items()}
    for name, channels in gone.items():
        for consumer in followed[name].consumers:
            origin = followed[name].origins[consumer.source]
            inputs[consumer.node.id] |= (origin >= 0) & channels[origin]
    size, macs, unknown = 0.0, 0.0, False
    for name, mine in linears.items():
        rows = gone.get(name, np.zeros(mine.grid.rows, np.bool_))
        if not rows.any() and not inputs[name].any():
            continue
        share = 1 - kept_share(mine, ~rows, ~inputs[name])
        nbytes, count = costs[name]
        size += share * nbytes
        unknown, macs = unknown or count is None, macs + share * (count or 0)
    return RemovedWork(round(size), None if unknown else round(macs))
