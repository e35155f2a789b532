"""ChannelSums: per input channel, what the entropy of importance needs of the weights.

With importance x_ij = |w_ij| a_j, three sums a channel answer for every activation vector a at once:
s_j = sum_i |w_ij|, t_j = sum_i |w_ij| ln |w_ij|, q_j = sum_i w_ij^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChannelSums:
    """The sums ``s``, ``t`` and ``q``, one of each a channel; numbers that are not finite are left out."""

    s: Floats
    t: Floats
    q: Floats

    @classmethod
    def zeros(cls, channels: int) -> ChannelSums:
        """Sums of no weights yet."""
        return cls(np.zeros(channels), np.zeros(channels), np.zeros(channels))

    def update(self, chunk: NDArray[Any], first: int = 0) -> None:
        """Add a chunk of shape (rows, channels), whose first column is channel number ``first``."""
        x = np.abs(chunk.astype(np.float64))
        x[~np.isfinite(x)] = 0
        logs = np.log(x, out=np.zeros_like(x), where=x > 0)
        place = slice(first, first + x.shape[1])
        self.s[place] += x.sum(0)
        self.t[place] += (x * logs).sum(0)
        self.q[place] += (x * x).sum(0)

    def merge(self, other: ChannelSums) -> None:
        """Add the sums of other weights into the same channels."""
        self.s[:] += other.s
        self.t[:] += other.t
        self.q[:] += other.q

    def entropy(self, activations: Floats) -> float | None:
        """H of p = x / sum(x), in nats, for x_ij = |w_ij| a_j with a_j >= 0; None where all x are zero.

        As ln x = ln |w| + ln a: H = ln S - X / S with S = sum_j a_j s_j and X = sum_j a_j (t_j + s_j ln a_j).
        """
        used = (activations > 0) & (self.s > 0)
        if not used.any():
            return None
        a, s, t = _relative(activations[used]), self.s[used], self.t[used]
        total = float(a @ s)
        return max(math.log(total) - float(a @ (t + s * np.log(a))) / total, 0.0)

    def hill_2(self, activations: Floats) -> float | None:
        """1 / sum(p^2) of the same p; None where all x are zero."""
        used = (activations > 0) & (self.s > 0)
        if not used.any():
            return None
        a = _relative(activations[used])
        return float(a @ self.s[used]) ** 2 / float(a**2 @ self.q[used])


def _relative(activations: Floats) -> Floats:
    """Activations over the largest: p is the same, and no square leaves the range of float64."""
    relative: Floats = np.maximum(activations / activations.max(), np.finfo(np.float64).tiny)
    return relative
