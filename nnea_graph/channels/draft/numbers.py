"""Data movement of any kind: run the operator on channel numbers and read off where each went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.draft.gains import Part
from nnea_graph.channels.graph import ChannelTensor, Places
from nnea_graph.ops.call import UnknownFactError

Numbers = NDArray[np.integer[Any]]

ELEMENT_LIMIT = 1 << 25
"""Numbers that are moved at a time: 128 MB."""

MOST_PHASES = 64
"""Channels that one channel may be made of by a pixel shuffle."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An output of a movement: its channel axes, their dims, and what each operand gives."""

    axes: tuple[int, ...]
    dims: tuple[int, ...]
    parts: tuple[Part, ...]


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
    """Where the numbers of each operand begin; 0 stands for what comes from none of them."""
    return list(accumulate((tensor.count for tensor in tensors), initial=1))[: len(tensors)]


def read_off(result: Numbers, tensors: Sequence[ChannelTensor], keep: Sequence[int] = ()) -> Moved:
    """Find the axes along which the numbers vary, operand by operand, and who gives each channel.

    ``keep`` are axes that are channels even if nothing varies along them. An axis along which the numbers only
    repeat is one of positions (pixel shuffle), as long as others tell the channels apart.
    """
    if result.size > ELEMENT_LIMIT and 0 not in result.strides:
        raise UnknownFactError(f"{result.size} elements to follow, limit {ELEMENT_LIMIT}")
    slim = result[tuple(slice(0, 1) if step == 0 else slice(None) for step in result.strides)]
    single = len(tensors) == 1 and (slim > 0).all()
    own = [slim] if single else [_own(slim, *pair) for pair in zip(firsts(tensors), tensors, strict=True)]
    varying = {axis for numbers in own for axis in range(slim.ndim) if _varies(numbers, axis)}
    periods = _periods(slim, varying, keep) if single else {}
    axes = tuple(sorted((varying - set(periods)) | set(keep)))
    others = tuple(axis for axis in range(result.ndim) if axis not in axes)
    parts = [
        _part(phase, tensor, others)
        for numbers, tensor in zip(own, tensors, strict=True)
        for phase in _phases(numbers, periods)
    ]
    return Moved(axes, tuple(slim.shape[axis] for axis in axes), tuple(parts))


def _periods(numbers: Numbers, varying: set[int], keep: Sequence[int]) -> dict[int, int]:
    """The axes along which the numbers repeat, with their periods, where these are positions."""
    found = {axis: period for axis in varying if (period := _period(numbers, axis)) < numbers.shape[axis]}
    enough = len(varying) > 1 or any(axis not in varying for axis in keep)
    return found if enough and prod(found.values()) <= MOST_PHASES else {}


def _period(numbers: Numbers, axis: int) -> int:
    """The smallest number of steps after which the numbers repeat along an axis."""
    moved = np.moveaxis(numbers, axis, 0)
    line = moved.reshape(len(moved), -1)[:, 0]
    for period in range(2, len(line) // 2 + 1):
        repeats = len(line) % period == 0 and (line[period:] == line[:-period]).all()
        if repeats and (moved[period:] == moved[:-period]).all():
            return period
    return len(line)


def _phases(numbers: Numbers, periods: dict[int, int]) -> Iterator[Numbers]:
    """The numbers at each combination of steps within the periods."""
    axes = sorted(periods)
    for steps in np.ndindex(*(periods[axis] for axis in axes)):
        at: list[slice] = [slice(None)] * numbers.ndim
        for axis, step in zip(axes, steps, strict=True):
            at[axis] = slice(step, step + 1)
        yield numbers[tuple(at)]


def _own(slim: Numbers, first: int, tensor: ChannelTensor) -> Numbers:
    """The numbers of one operand from 1 on, 0 elsewhere."""
    mine = (slim >= first) & (slim < first + tensor.count)
    return np.where(mine, slim - (first - 1), 0)


def _varies(numbers: Numbers, axis: int) -> bool:
    """Whether elements of the operand differ along an axis; those of others do not count."""
    if numbers.shape[axis] < 2:
        return False
    top = numbers.max(axis, keepdims=True)
    return bool(((numbers != top) & (numbers != 0)).any())


def _part(numbers: Numbers, tensor: ChannelTensor, others: tuple[int, ...]) -> Part:
    # Nothing varies along the other axes.
    places = numbers.max(others).reshape(-1).astype(np.int64) - 1
    weight = np.asarray((numbers > 0).mean(others), np.float64).reshape(-1)
    return Part(tensor, places, weight)
