"""Values: bounds of channels, whether they are constant, which are equal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import Places
from nnea_graph.channels.paths.forward_pass import is_identity

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EPSILON = 1e-5
"""Of the sizes that are added up: more than float32 rounds away."""
MOST = 1 << 24
"""Elements of a constant operand, and of a weight that bounds are multiplied with, above which nothing is said."""


@dataclass(frozen=True, slots=True)
class ChannelValues:
    """Channels of a tensor with the same ``label`` are multiples of each other, at every place.

    Their ``factor``, never 0, says which: one is the other times the quotient of theirs, to within the rounding of
    the weights that make them. ``low`` and ``high`` bound all places. A ``constant`` channel has the same number
    everywhere, which is known where both bounds are that number.
    """

    label: Places
    factor: Floats
    low: Floats
    high: Floats
    constant: Bools

    @property
    def known(self) -> Bools:
        """Channels that are a number that is known."""
        return np.asarray(self.constant & (self.low == self.high))

    @property
    def equal(self) -> Places:
        """A number that is the same for channels that are equal."""
        return labels(self.label, self.factor.view(np.int64))

    def settled(self) -> ChannelValues:
        """Values as a function leaves them that keeps equal channels equal, but no other multiples."""
        return replace(self, label=self.equal, factor=np.ones(self.label.size))

    def signed(self) -> ChannelValues:
        """Values as a function leaves them of which positive multiples come out again, as of Relu."""
        return replace(
            self, label=labels(self.label, (self.factor < 0).astype(np.int64)), factor=np.abs(self.factor)
        )

    def take(self, places: Places) -> ChannelValues:
        """Channels of another tensor that come from these; nothing is known where the place is -1."""
        if is_identity(places, self.label.size):
            return self
        none = places < 0
        taken = ChannelValues(
            np.where(none, -1, self.label[places]),
            np.where(none, 1, self.factor[places]),
            np.where(none, -np.inf, self.low[places]),
            np.where(none, np.inf, self.high[places]),
            ~none & self.constant[places],
        )
        return replace(
            taken, label=labels(taken.label, _repeats(places), np.where(none, np.arange(none.size), -1))
        )


def unknown(count: int) -> ChannelValues:
    """Nothing is known."""
    return ChannelValues(
        np.arange(count),
        np.ones(count),
        np.full(count, -np.inf),
        np.full(count, np.inf),
        np.zeros(count, np.bool_),
    )


def labels(*columns: NDArray[np.int64]) -> Places:
    """A number for each distinct row of some columns."""
    rows = np.stack(columns, 1)
    return np.asarray(np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1), np.int64)


def _repeats(places: Places) -> Places:
    """Number of times that each place has come before: the positions that a flattened channel becomes are not equal."""
    order = np.argsort(places, kind="stable")
    ranked = places[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    lengths = np.diff(np.concatenate([starts, [places.size]]))
    counts = np.empty(places.size, np.int64)
    counts[order] = np.arange(places.size) - np.repeat(starts, lengths)
    return counts


def boundless(x: ChannelValues) -> ChannelValues:
    """The same without bounds."""
    return replace(x, low=np.full(x.low.size, -np.inf), high=np.full(x.high.size, np.inf))
