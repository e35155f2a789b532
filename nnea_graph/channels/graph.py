"""ChannelGraph: which channel of which tensor comes from which channels of others, and how strongly.

Vertices are (tensor, channel). Edges are never written out one by one: a ``Link`` holds those between two
tensors, dense (by groups) where an operator has weights, a list of places where it only carries channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChannelTensor:
    """A tensor seen as channels: its index along ``axes`` (ascending), raveled, is the channel.

    Without axes the whole tensor is one channel.
    """

    name: str
    axes: tuple[int, ...]
    dims: tuple[int, ...]

    @property
    def count(self) -> int:
        """Channels."""
        return prod(self.dims)

    @property
    def real(self) -> tuple[int, ...]:
        """The axes that tell channels apart: those longer than 1."""
        return tuple(axis for axis, dim in zip(self.axes, self.dims, strict=True) if dim != 1)


@dataclass(frozen=True, slots=True)
class DenseLink:
    """Every source channel of a group leads to every target channel of the same group.

    ``strength()`` reads the weights and gives s_ij >= 0 of shape (groups, targets / groups, sources / groups):
    the sum over all taps of |w| times a, the mean activation of the source channel (1 without data).
    """

    groups: int
    strength: Callable[[], Floats]


@dataclass(frozen=True, slots=True)
class Carry:
    """Target channel i comes from source channel ``places[i]``, or from none where that is -1."""

    places: Places


@dataclass(frozen=True, slots=True)
class Link:
    """The edges from one tensor to another through one operator.

    ``gain`` (one a target channel, None is 1 everywhere) is the share of this link where several links lead
    into the target: the gains of all links into a channel add up to 1 (0 where nothing leads there).
    ``mark`` says what was simplified ("recurrent: unrolled once", "gate: followed the value"), "" if nothing.
    """

    source: str
    target: str
    node: str
    edges: DenseLink | Carry
    gain: Floats | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """A place where channels could not be followed any further."""

    node: str
    tensor: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChannelGraph:
    """``order`` lists the tensors so that sources of links come before their targets.

    ``sources`` are tensors that nothing leads into (inputs, embeddings), ``sinks`` the model's outputs that are on
    the graph. ``covered`` are the operators with weights that lie on it, ``uncovered`` the others, with the reason.
    """

    tensors: Mapping[str, ChannelTensor]
    into: Mapping[str, tuple[Link, ...]]
    order: tuple[str, ...]
    sources: tuple[str, ...]
    sinks: tuple[str, ...]
    ends: tuple[End, ...] = ()
    covered: tuple[str, ...] = ()
    uncovered: Mapping[str, str] = field(default_factory=dict)
