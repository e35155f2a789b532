"""Records of what is observed of a running model, and the accumulators that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import TensorInfo

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Kind(StrEnum):
    """Kind of how much is asked for; ``ALL`` costs about twice the time of ``MEAN``."""

    MEAN = "mean"
    ALL = "all"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Observation:
    """A tensor to observe.

    Channels lie along ``axis`` (negative from the end); None takes the whole tensor as one channel.
    ``MEAN`` gives mean |x|; ``ALL`` also the mean, the second moment, max |x| and exact zeros; ``ROWS`` takes
    the tensor as indices into a table of ``rows`` rows and counts the use of each.
    Quantized tensors are observed as the numbers they stand for where the model says how, else as integers.
    """

    tensor: str
    axis: int | None = None
    kind: Kind = Kind.MEAN
    rows: int = 0


@dataclass(slots=True)
class ChannelStats:
    """Sums over samples and positions, one a channel; ``sum`` and later ones are None unless ``Kind.ALL``.

    ``count`` is the number of values that entered the sums, ``dropped`` of those left out, with all others of
    their channel and sample (of their batch, where the first axis is not kept apart), for a NaN or an infinity.
    """

    count: Counts
    dropped: Counts
    sum_abs: Floats
    sum: Floats | None = None
    sum_sq: Floats | None = None
    max_abs: Floats | None = None
    zeros: Counts | None = None

    @property
    def mean_abs(self) -> Floats:
        """Mean |x|; 0 where nothing was seen (``count`` tells)."""
        return self.sum_abs / np.maximum(self.count, 1)

    @property
    def second_moment(self) -> Floats | None:
        """Mean x², as ``mean_abs``."""
        return None if self.sum_sq is None else self.sum_sq / np.maximum(self.count, 1)

    @property
    def zero_share(self) -> Floats | None:
        """Share of exact zeros, as ``mean_abs``."""
        return None if self.zeros is None else self.zeros / np.maximum(self.count, 1)

    def merge(self, other: ChannelStats) -> None:
        """Add what another run of the same observation has seen."""
        self.count = self.count + other.count
        self.dropped = self.dropped + other.dropped
        self.sum_abs = self.sum_abs + other.sum_abs
        self.sum = _both(np.add, self.sum, other.sum)
        self.sum_sq = _both(np.add, self.sum_sq, other.sum_sq)
        self.max_abs = _both(np.maximum, self.max_abs, other.max_abs)
        self.zeros = _both(np.add, self.zeros, other.zeros)


def _both(join: np.ufunc, mine: NDArray[Any] | None, other: NDArray[Any] | None) -> NDArray[Any] | None:
    """Joined if both have it: half of the runs would be a wrong number."""
    if mine is None or other is None:
        return None
    joined: NDArray[Any] = join(mine, other)
    return joined


@dataclass(slots=True)
class Collected:
    """What was seen of a model: ``stats`` of observations of channels, ``rows`` uses of each row (int64).

    ``shapes`` are those of the observed tensors in the last run; ``refused`` says of each observation that
    could not be made why; ``batches`` were run. A branch that never ran leaves no entry in ``stats``.
    """

    stats: dict[Observation, ChannelStats] = field(default_factory=dict)
    rows: dict[Observation, Counts] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    refused: dict[Observation, str] = field(default_factory=dict)
    batches: int = 0

    def merge(self, other: Collected) -> None:
        """Add what was seen of the same model with other data."""
        for observation, stats in other.stats.items():
            mine = self.stats.setdefault(observation, stats)
            if len(mine.count) != len(stats.count):
                counts = f"{len(mine.count)} and {len(stats.count)}"
                self.refused[observation] = f"its channels are not the same in all batches: {counts}"
            elif mine is not stats:
                mine.merge(stats)
        for observation, uses in other.rows.items():
            before = self.rows.get(observation)
            self.rows[observation] = uses if before is None else before + uses
        self.shapes |= other.shapes
        self.refused |= other.refused
        for observation in self.refused:
            self.stats.pop(observation, None)
        self.batches += other.batches


Types = Mapping[str, TensorInfo]
