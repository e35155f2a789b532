"""Data movement of any kind: run the operator on channel numbers and read off where each went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.draft.gains import Part
from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.ops.call import UnknownFactError

Numbers = NDArray[np.integer[Any]]

ELEMENT_LIMIT = 1 << 25
"""Numbers that are moved at a time: 128 MB."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An output of a movement: its channel axes, their dims, and what each operand gives."""

    axes: tuple[int, ...]
    dims: tuple[int, ...]
    parts: tuple[Part, ...]


def numbered(tensor: ChannelTensor, shape: Sequence[int], first: int) -> Numbers:
    """The number of the channel that each element belongs to, from ``first`` on; takes no memory."""
    dims = [1] * len(shape)
    for axis, dim in zip(tensor.axes, tensor.dims, strict=True):
        dims[axis] = dim
    numbers = np.arange(first, first + tensor.count, dtype=np.int32).reshape(dims)
    return np.broadcast_to(numbers, shape)


def firsts(tensors: Sequence[ChannelTensor]) -> list[int]:
    """Where the numbers of each operand begin; 0 stands for what comes from none of them."""
    return list(accumulate((tensor.count for tensor in tensors), initial=1))[: len(tensors)]


def read_off(result: Numbers, tensors: Sequence[ChannelTensor], keep: Sequence[int] = ()) -> Moved:
    """Find the axes along which the numbers vary, operand by operand, and who gives each channel.

    ``keep`` are axes that are channels even if nothing varies along them.
    """
    if result.size > ELEMENT_LIMIT and 0 not in result.strides:
        raise UnknownFactError(f"{result.size} elements to follow, limit {ELEMENT_LIMIT}")
    slim = result[tuple(slice(0, 1) if step == 0 else slice(None) for step in result.strides)]
    single = len(tensors) == 1 and (slim > 0).all()
    own = [slim] if single else [_own(slim, *pair) for pair in zip(firsts(tensors), tensors, strict=True)]
    varying = {axis for numbers in own for axis in range(slim.ndim) if _varies(numbers, axis)}
    axes = tuple(sorted(varying | set(keep)))
    others = tuple(axis for axis in range(result.ndim) if axis not in axes)
    parts = [_part(numbers, tensor, others) for numbers, tensor in zip(own, tensors, strict=True)]
    return Moved(axes, tuple(slim.shape[axis] for axis in axes), tuple(parts))


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
    places = numbers.max(others).reshape(-1).astype(np.int64) - 1
    weight = np.asarray((numbers > 0).mean(others), np.float64).reshape(-1)
    return Part(tensor, places, weight)
