"""Strengths of the links through weights, computed from the stored weights each time they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import ChannelTensor, DenseLink, Floats
from nnea_graph.channels.rule_context.model_view import ConstantView
from nnea_graph.graph.constants import CHUNK
from nnea_graph.ops.call import UnknownFactError

SPREAD_LIMIT = 1 << 26
"""Strengths of a layer whose sources are not its own channels: 512 MB."""


@dataclass(frozen=True, slots=True)
class StrengthBlock:
    """Weights of a layer: ``compute()`` gives sums of |w| of shape (groups, targets / groups, sources / groups)."""

    groups: int
    targets: int
    sources: int
    compute: Callable[[], Floats]


def weighed(block: StrengthBlock, activation: Floats | None) -> DenseLink:
    """The edges of a layer whose sources are its own channels."""

    def strength() -> Floats:
        found = block.compute()
        return found if activation is None else found * activation.reshape(block.groups, 1, -1)

    return DenseLink(block.groups, strength)


def spread(
    block: StrengthBlock, wanted: Sequence[int], dims: Sequence[int], source: ChannelTensor
) -> DenseLink:
    """The edges where the layer takes axes ``wanted`` (of these dims) for channels and the source has others.

    A source channel that lies within one of the layer's channels has its strength; one that runs through
    several of them has the sum of theirs.
    """
    if block.targets * source.count > SPREAD_LIMIT:
        raise UnknownFactError(
            f"{block.targets} x {source.count} strengths, limit {SPREAD_LIMIT}: channels and positions are mixed"
        )

    def strength() -> Floats:
        whole = _ungrouped(block.compute()).reshape(block.targets, *dims)
        across = tuple(1 + place for place, axis in enumerate(wanted) if axis not in source.axes)
        kept = [dim if axis in wanted else 1 for axis, dim in zip(source.axes, source.dims, strict=True)]
        summed = whole.sum(across).reshape(block.targets, *kept)
        full = np.broadcast_to(summed, (block.targets, *source.dims))
        return full.reshape(1, block.targets, source.count)

    return DenseLink(1, strength)


def _ungrouped(strength: Floats) -> Floats:
    """(targets, sources) with zeros between the groups."""
    groups, targets, sources = strength.shape
    if groups == 1:
        return np.asarray(strength[0])
    full = np.zeros((groups, targets, groups, sources), strength.dtype)
    every = np.arange(groups)
    full[every, :, every, :] = strength
    return full.reshape(groups * targets, groups * sources)


def magnitudes(values: NDArray[Any]) -> Floats:
    r"""\|w\| as floats."""
    floats = values if values.dtype.kind == "f" and values.itemsize >= 4 else values.astype(np.float32)
    return np.asarray(np.abs(floats))


def filter_sums(reader: ConstantView) -> Floats:
    """A filter bank (A, B, taps …) as (A, B): |w| summed over the taps, in float64 where there are several."""
    constant = reader.read()
    first, second, *taps = reader.shape
    count = prod(taps)
    if count == 1:
        return magnitudes(constant.array().reshape(first, second))
    row = max(1, second * count)
    step = max(1, CHUNK // row)
    sums = np.empty((first, second))
    for top in range(0, first, step):
        bottom = min(top + step, first)
        block = constant.payload.elements(top * row, bottom * row).reshape(bottom - top, second, count)
        np.sum(magnitudes(block), axis=2, dtype=np.float64, out=sums[top:bottom])
    return sums
