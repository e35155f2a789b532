"""Data movement of any kind: run the operator on channel numbers and read off where each went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import ChannelTensor, Places
from nnea_graph.channels.rule_context.join_shares import JoinShare
from nnea_graph.ops.call import UnknownFactError

Numbers = NDArray[np.integer[Any]]

ELEMENT_LIMIT = 1 << 25
"""Numbers that are moved at a time: 128 MB."""

OPERANDS_LIMIT = 1 << 26
"""Numbers of all operands together, as each is looked at by itself."""

WIDE = 1 << 16
"""Channels above which positions that stay the same for long are not told apart."""

MOST_PHASES = 64
"""Channels that one channel may be made of by a pixel shuffle."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An output of a movement: its channel axes, their dims, and what each operand gives."""

    axes: tuple[int, ...]
    dims: tuple[int, ...]
    parts: tuple[JoinShare, ...]


def numbered(
    tensor: ChannelTensor, shape: Sequence[int], first: int, copies: Places | None = None
) -> Numbers:
    """The number of the channel that each element belongs to, from ``first`` on; takes no memory.

    With ``copies`` the number of the first channel that is the same, 0 where there is none.
    """
    dims = [1] * len(shape)
    for axis, dim in zip(tensor.axes, tensor.dims, strict=True):
        dims[axis] = dim
    numbers = np.arange(first, first + tensor.count, dtype=np.int32)
    if copies is not None:
        numbers = np.where(copies >= 0, copies + first, 0).astype(np.int32)
    return np.broadcast_to(numbers.reshape(dims), shape)


def firsts(tensors: Sequence[ChannelTensor]) -> list[int]:
    """Finds where the numbers of each operand begin; 0 stands for what comes from none of them."""
    return list(accumulate((tensor.count for tensor in tensors), initial=1))[: len(tensors)]


def read_off(
    result: Numbers, tensors: Sequence[ChannelTensor], keep: Sequence[int] = (), *, coarse: bool = False
) -> Moved:
    """Find the axes along which the numbers vary, operand by operand, and who gives each channel.

    ``keep`` are axes that are channels even if nothing varies along them. An axis along which the numbers only
    repeat is one of positions (pixel shuffle), as long as others tell the channels apart; where there would be
    too many channels, or with ``coarse``, so is one along which they stay the same for long.
    """
    if result.size > ELEMENT_LIMIT and 0 not in result.strides:
        raise UnknownFactError(f"{result.size} elements to follow, limit {ELEMENT_LIMIT}")
    slim = _slim(result, keep)
    if len(tensors) * slim.size > OPERANDS_LIMIT:
        raise UnknownFactError(f"{len(tensors)} operands of {slim.size} channels to tell apart")
    single = len(tensors) == 1 and bool((slim > 0).all())
    own = [slim] if single else [_own(slim, *pair) for pair in zip(firsts(tensors), tensors, strict=True)]
    varying = {axis for numbers in own for axis in range(slim.ndim) if _varies(numbers, axis)}
    stops = _stops(slim, varying, keep, coarse=coarse) if single else {}
    axes = tuple(sorted((varying - set(stops)) | set(keep)))
    others = tuple(axis for axis in range(result.ndim) if axis not in axes)
    parts = [
        _part(phase, tensor, others)
        for numbers, tensor in zip(own, tensors, strict=True)
        for phase in _phases(numbers, stops)
    ]
    return Moved(axes, tuple(slim.shape[axis] for axis in axes), tuple(parts))


def _slim(result: Numbers, keep: Sequence[int]) -> Numbers:
    """One step along each axis along which nothing can vary."""
    thin = [step == 0 and axis not in keep for axis, step in enumerate(result.strides)]
    return result[tuple(slice(0, 1) if each else slice(None) for each in thin)]


def _stops(numbers: Numbers, varying: set[int], keep: Sequence[int], *, coarse: bool) -> dict[int, list[int]]:
    """The axes that are positions though the numbers vary along them, with one step for each different number."""
    free = varying - set(keep)
    found = {axis: list(range(period)) for axis in free if (period := _period(numbers, axis))}
    if coarse or prod(numbers.shape[axis] for axis in varying - set(found)) > WIDE:
        runs = {axis: _runs(numbers, axis) for axis in free - set(found)}
        found |= {axis: steps for axis, steps in runs.items() if 2 * len(steps) <= numbers.shape[axis]}
    enough = bool(keep) or (len(varying) > 1 and (len(found) < len(varying) or numbers.ndim > 3))
    return found if enough and prod(map(len, found.values())) <= MOST_PHASES else {}


def _period(numbers: Numbers, axis: int) -> int:
    """The number of steps after which the numbers repeat along an axis, 0 if they do not."""
    moved = np.moveaxis(numbers, axis, 0)
    line = moved.reshape(len(moved), -1)[:, 0]
    for period in range(2, len(line) // 2 + 1):
        repeats = len(line) % period == 0 and (line[period:] == line[:-period]).all()
        if repeats and (moved[period:] == moved[:-period]).all():
            return period
    return 0


def _runs(numbers: Numbers, axis: int) -> list[int]:
    """Finds where the numbers change along an axis."""
    moved = np.moveaxis(numbers, axis, 0)
    changes = (moved[1:] != moved[:-1]).reshape(len(moved) - 1, -1).any(1)
    return [0, *(int(step) + 1 for step in np.flatnonzero(changes))]


def _phases(numbers: Numbers, stops: dict[int, list[int]]) -> Iterator[Numbers]:
    """The numbers at each combination of steps along the axes of positions."""
    axes = sorted(stops)
    for steps in product(*(stops[axis] for axis in axes)):
        at: list[slice] = [slice(None)] * numbers.ndim
        for axis, step in zip(axes, steps, strict=True):
            at[axis] = slice(step, step + 1)
        yield numbers[tuple(at)]


def _own(slim: Numbers, first: int, tensor: ChannelTensor) -> Numbers:
    """The numbers of one operand from 1 on, 0 elsewhere."""
    mine = (slim >= first) & (slim < first + tensor.count)
    return np.where(mine, slim - (first - 1), 0)


def _varies(numbers: Numbers, axis: int) -> bool:
    """Tells whether elements of the operand differ along an axis; those of others do not count."""
    if numbers.shape[axis] < 2:
        return False
    top = numbers.max(axis, keepdims=True)
    return bool(((numbers != top) & (numbers != 0)).any())


def _part(numbers: Numbers, tensor: ChannelTensor, others: tuple[int, ...]) -> JoinShare:
    # Nothing varies along the other axes.
    places = numbers.max(others, initial=0).reshape(-1).astype(np.int64) - 1
    elements = max(1, numbers.size // max(1, places.size))
    weight = (numbers > 0).sum(others).reshape(-1) / elements
    return JoinShare(tensor, places, weight)
