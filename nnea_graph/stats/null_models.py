"""Null models: the utilization that weights without any training would have, and how far a layer is from it.

Utilization exp(H) / n of x = |w| depends on the shape of the distribution alone: with s = E x, r = E(x ln x) / s
it is s exp(-r) for large n. An initializer draws normal or uniform weights; Laplace weights are what decay towards
zero leaves of them. Exact zeros are kept: of n numbers with m not zero the null is m / n times that of m.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnea_graph.stats.channel_sums import ChannelSums
from nnea_graph.stats.metrics import DistributionMetrics

Floats = NDArray[np.float64]

DRAWS = 100
_GAMMA = 0.5772156649015329
"""Euler's constant."""
_FEWEST = 16
"""Weights below which the large-n formulas are too rough to compare with."""


@dataclass(frozen=True, slots=True)
class WeightFamily:
    """A distribution of x >= 0: E x, E(x ln x), E(x^2), E(x^2 ln x), E(x^2 (ln x)^2) and the Gini coefficient."""

    mean: float
    log_mean: float
    square: float
    square_log: float
    square_log2: float
    gini: float

    @property
    def utilization(self) -> float:
        """exp(H) / n for large n."""
        return self.mean * math.exp(-self.log_mean / self.mean)

    @property
    def spread(self) -> float:
        """Standard deviation of the influence of one draw on ln(utilization): the standard error times sqrt(n).

        By the delta method the influence is (1 + r) x / s - x ln x / s - 1.
        """
        ratio = self.log_mean / self.mean
        first = (1 + ratio) ** 2 * self.square - 2 * (1 + ratio) * self.square_log + self.square_log2
        return math.sqrt(first / self.mean**2 - 1)


def _family(first: tuple[float, float], second: tuple[float, float, float], gini: float) -> WeightFamily:
    """Family from E x^p and the derivatives of ln E x^p by p (one at p = 1, two at p = 2), and the Gini coefficient."""
    mean, slope = first
    square, rise, bend = second
    return WeightFamily(mean, mean * slope, square, square * rise, square * (rise * rise + bend), gini)


FAMILIES = {
    "half_normal": _family(
        (math.sqrt(2 / math.pi), (math.log(2) - _GAMMA) / 2),
        (1.0, (2 - _GAMMA - math.log(2)) / 2, (math.pi**2 / 2 - 4) / 4),
        math.sqrt(2) - 1,
    ),
    "uniform": _family((1 / 2, -1 / 2), (1 / 3, -1 / 3, 1 / 9), 1 / 3),
    "laplace": _family((1.0, 1 - _GAMMA), (2.0, 3 / 2 - _GAMMA, math.pi**2 / 6 - 5 / 4), 1 / 2),
}


@dataclass(frozen=True, slots=True)
class WeightNull:
    """Utilization that n weights with as many zeros would have if drawn from each family.

    ``nearest`` is the family that the measured utilization is closest to, ``gini`` what that family would have,
    ``standard_error`` that of its utilization at this n, and ``deviation`` the distance from it in these.
    """

    half_normal: float
    uniform: float
    laplace: float
    nearest: str
    gini: float
    standard_error: float
    deviation: float

    @property
    def utilization(self) -> float:
        """That of the nearest family."""
        return float(getattr(self, self.nearest))


def weight_null(count: int, zeros: int, utilization: float | None) -> WeightNull | None:
    """The nulls of a layer's |w|; None where too few weights are not zero.

    >>> found = weight_null(10_000, 0, 0.7529)
    >>> found.nearest, round(found.half_normal, 4), round(found.uniform, 4), round(found.laplace, 4)
    ('half_normal', 0.7529, 0.8244, 0.6552)
    """
    used = count - zeros
    if utilization is None or used < _FEWEST:
        return None
    share = used / count
    nulls = {name: share * family.utilization for name, family in FAMILIES.items()}
    nearest = min(nulls, key=lambda name: abs(nulls[name] - utilization))
    family, null = FAMILIES[nearest], nulls[nearest]
    error = null * family.spread / math.sqrt(used)
    return WeightNull(
        **nulls,
        nearest=nearest,
        gini=1 - share * (1 - family.gini),
        standard_error=error,
        deviation=(utilization - null) / error,
    )


def null_of(found: DistributionMetrics) -> WeightNull | None:
    """The nulls of what was measured of |w|."""
    return weight_null(found.count, found.zeros, found.utilization)


@dataclass(frozen=True, slots=True)
class ImportanceNull:
    """Utilization of importance if weights and activations knew nothing of each other.

    ``shuffled_activations`` is the mean over ``draws`` permutations of the activations over the input channels,
    ``standard_error`` the standard deviation of the draws, ``deviation`` the measured distance from the mean in
    these (None where all draws agree); ``shuffled_weights`` is the large-n value with the weights shuffled.
    """

    shuffled_activations: float
    shuffled_weights: float
    standard_error: float
    deviation: float | None
    draws: int


def importance_null(
    parts: Sequence[tuple[ChannelSums, Floats]], count: int, utilization: float | None, draws: int = DRAWS
) -> ImportanceNull | None:
    """The nulls of a layer's importance; None of more than one weight, and where nothing is above zero.

    Args:
        parts: the sums of each weight of the layer, and the activations that its channels meet.
        count: numbers of importance in the layer, zeros included.
        utilization: what was measured.
        draws: permutations, from a fixed seed.
    """
    if utilization is None or len(parts) != 1 or count < _FEWEST:
        return None
    sums, given = parts[0]
    activations = np.where(np.isfinite(given), given, 0.0)
    random = np.random.default_rng(0)
    entropies = [sums.entropy(random.permutation(activations)) for _ in range(draws)]
    found = np.array([math.exp(each) / count for each in entropies if each is not None])
    shuffled = _shuffled_weights(sums, activations, count)
    if shuffled is None or not len(found):
        return None
    mean, error = float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else 0.0
    apart = (utilization - mean) / error if error > _ROUNDING * mean else None
    return ImportanceNull(mean, shuffled, error, apart, len(found))


_ROUNDING = 1e-9
"""Relative differences of draws below this are the rounding of sums."""


def _shuffled_weights(sums: ChannelSums, activations: Floats, count: int) -> float | None:
    """Of independent factors ln exp(H) / n adds up: each is ln(mean) less the mean of x ln x by the mean of x."""
    used = activations > 0
    total, among = float(sums.s.sum()), int(used.sum())
    if not total or not among:
        return None
    a = activations[used] / activations[used].max()
    of_activations = (
        math.log(a.mean()) - float((a * np.log(a)).sum() / a.sum()) + math.log(among / len(activations))
    )
    of_weights = math.log(total / count) - float(sums.t.sum()) / total
    return math.exp(of_activations + of_weights)
