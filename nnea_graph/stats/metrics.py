"""Metrics: entropy, inequality, sparsity and coverage of a set of magnitudes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nnea_graph.stats.accumulator import THRESHOLDS, Accumulator
from nnea_graph.stats.histogram import LOWEST, STEPS, UNIT

Floats = NDArray[np.float64]

TOP_PERCENTS = (1, 5, 10, 20, 50)
REACH_PERCENTS = (50, 80, 90)


@dataclass(frozen=True, slots=True)
class DistributionMetrics:
    """Statistics of x = |w| over the ``count`` finite numbers, zeros included; None is undefined.

    With p = x / sum(x): ``entropy`` H = -sum(p ln p), in nats; ``normalized_entropy`` H / ln n;
    ``effective_weights`` exp(H); ``utilization`` exp(H) / n; ``redundancy`` 1 - H / ln n; ``hill_0``,
    ``hill_2`` and ``hill_inf`` the number of x > 0, 1 / sum(p^2) and 1 / max(p). H is within 1e-9,
    ``hill_2`` relatively within 2e-9; ``gini`` is within ``gini_bound``, at most 2^-16.
    ``mean``, ``std`` (over n) and ``max`` are of x, not of w; std^2 is within 2e-9 of the mean square.
    ``sparsity`` is the share of x strictly below each threshold, at "0" that of exact zeros; it is exact.
    ``lorenz`` is the share of sum(x) that the smallest 0, 1, ... 100 % of the numbers hold, parts of a number
    counting in proportion; ``top_share`` is what the largest 1 ... 50 % hold, ``reach`` the fraction that the
    largest need to hold 50, 80, 90 %. All three are of one curve, within ``curve_bound``, at most 2^-15.
    """

    count: int
    zeros: int
    nan: int
    inf: int
    entropy: float | None = None
    normalized_entropy: float | None = None
    effective_weights: float | None = None
    utilization: float | None = None
    redundancy: float | None = None
    gini: float | None = None
    gini_bound: float | None = None
    hill_0: float | None = None
    hill_2: float | None = None
    hill_inf: float | None = None
    mean: float | None = None
    std: float | None = None
    max: float | None = None
    sparsity: Mapping[str, float] | None = None
    top_share: Mapping[str, float] | None = None
    reach: Mapping[str, float] | None = None
    lorenz: tuple[float, ...] | None = None
    curve_bound: float | None = None


def metrics(acc: Accumulator) -> DistributionMetrics:
    """The statistics of what was counted; those of shares are None where there is nothing but zeros."""
    none = DistributionMetrics(acc.finite, acc.zeros, acc.nan, acc.inf)
    if not acc.finite:
        return none
    sparsity = _sparsity(acc)
    if acc.zeros == acc.finite:
        return replace(none, hill_0=0.0, mean=0.0, std=0.0, max=0.0, sparsity=sparsity)
    levels = _levels(acc)
    entropy = _entropy(levels, acc.finite)
    normalized = entropy / math.log(acc.finite) if acc.finite > 1 else None
    effective = min(math.exp(entropy), float(acc.finite - acc.zeros))
    gini, gini_bound = _gini(levels, acc)
    mean, std, hill_2, hill_inf = _moments(levels, acc)
    curve = _Curve.of(levels, acc)
    return replace(
        none,
        entropy=entropy,
        normalized_entropy=normalized,
        effective_weights=effective,
        utilization=effective / acc.finite,
        redundancy=None if normalized is None else 1 - normalized,
        gini=gini,
        gini_bound=gini_bound,
        hill_0=float(acc.finite - acc.zeros),
        hill_2=hill_2,
        hill_inf=hill_inf,
        mean=mean,
        std=std,
        max=acc.max,
        sparsity=sparsity,
        top_share={f"{percent}": 1 - curve.height(1 - percent / 100) for percent in TOP_PERCENTS},
        reach={f"{percent}": 1 - curve.place(1 - percent / 100) for percent in REACH_PERCENTS},
        lorenz=curve.lorenz(),
        curve_bound=curve.bound,
    )


def _sparsity(acc: Accumulator) -> dict[str, float]:
    names = ["0", *(f"{threshold:.0e}".replace("e-0", "e-") for threshold in THRESHOLDS)]
    return {name: number / acc.finite for name, number in zip(names, [acc.zeros, *acc.below], strict=True)}


@dataclass(frozen=True, slots=True)
class _Levels:
    """The cells that hold numbers, from small to large; lengths are in units of 2^``exponent``.

    Scaled so that the largest is between 1 and 2, nothing overflows, and what vanishes has no weight.
    All that is known of a cell's numbers is how many they are, their mean, and that they lie between two
    edges: its own, and the smallest and largest of all. Up to the mean it is ``rise``, from there ``room``.
    """

    exponent: int
    count: NDArray[np.int64]
    sums: Floats
    mean: Floats
    log: Floats
    rise: Floats
    room: Floats
    variance: Floats
    """The middle of what is possible: 0 to rise x room (Bhatia and Davis); off by at most width^2 / 8."""
    slack: Floats
    """Half the mean |x - y| that numbers at the edges alone would have; at most width / 4."""


def _levels(acc: Accumulator) -> _Levels:
    filled = np.flatnonzero(acc.cells.table[0] > 0)
    count, distance = acc.cells.table.take(filled, 1)
    number = filled + acc.cells.low
    binade = number >> STEPS
    step = number & ((1 << STEPS) - 1)
    low, top = int(binade[0]), int(binade[-1])
    exponent = top + LOWEST
    scale = np.ldexp(1.0, np.arange(low - top, 1))[binade - low]
    place = distance / count * 2.0**-UNIT
    mantissa = 1 + (step + place) * 2.0**-STEPS
    mean = mantissa * scale
    scale *= 2.0**-STEPS
    rise, room = place * scale, (1 - place) * scale
    rise[0] = min(rise[0], mean[0] - math.ldexp(acc.min, -exponent))
    room[-1] = min(room[-1], math.ldexp(acc.max, -exponent) - mean[-1])
    # A number alone is its mean. Means of float64 are rounded and may lie a hair outside.
    np.maximum(rise, 0, out=rise)
    np.maximum(room, 0, out=room)
    rise *= count > 1
    product, width = rise * room, rise + room
    slack = np.divide(product, width, out=np.zeros_like(width), where=width > 0)
    log = np.log(mantissa) + (binade - top) * math.log(2)
    return _Levels(exponent, count, count * mean, mean, log, rise, room, product / 2, slack)


def _entropy(levels: _Levels, count: int) -> float:
    """H from the cells, within 1e-9.

    With m and v the mean and variance of a cell's numbers and S their sum, their x ln x add up to
    S (ln m + v / 2m^2), but for a cubic term below 1e-13. As a cell is at most 2^-13 m wide, v / 2m^2 is
    known within 2^-30 < 9.4e-10.
    """
    sums = levels.sums
    total = float(sums.sum())
    spread = np.divide(levels.variance, levels.mean**2, out=np.zeros_like(sums), where=levels.variance > 0)
    entropy = float((sums / total * (math.log(total) - levels.log - spread / 2)).sum())
    return min(max(entropy, 0.0), math.log(count))


def _gini(levels: _Levels, acc: Accumulator) -> tuple[float, float]:
    """Gini and how far it can be off, at most 2^-16.

    Between cells the ranks are known. In a cell of k numbers sum_i (2i - k - 1) x_i = sum_ij |x_i - x_j| / 2.
    That is at least 0; and as it is convex in each number, it is at most what it would be with the same mean
    and all numbers at the edges, k^2 slack. The middle is taken. Where all are at the lower edge, both are 0.
    """
    count, slack = levels.count, levels.slack
    before = acc.zeros + np.cumsum(count) - count
    between = float(((2 * before + count - acc.finite) * levels.sums).sum())
    half = float((count.astype(np.float64) ** 2 * slack).sum()) / 2
    scale = acc.finite * float(levels.sums.sum())
    return (between + half) / scale, half / scale


def _moments(levels: _Levels, acc: Accumulator) -> tuple[float, float, float, float]:
    """Mean, standard deviation, and the Hill numbers 2 and infinity."""
    total = float(levels.sums.sum())
    peak = math.ldexp(acc.max, -levels.exponent)
    mean = min(total / acc.finite, peak)
    squares = float((levels.count * (levels.mean**2 + levels.variance)).sum())
    centered = (
        float((levels.count * ((levels.mean - mean) ** 2 + levels.variance)).sum()) + acc.zeros * mean**2
    )
    std = math.sqrt(centered / acc.finite)
    return (
        math.ldexp(mean, levels.exponent),
        math.ldexp(std, levels.exponent),
        total**2 / squares,
        total / peak,
    )


@dataclass(frozen=True, slots=True)
class _Curve:
    """The Lorenz curve, straight within a cell.

    The true curve lies below: the smallest t of a cell's k numbers fall short of t means by at most k slack,
    as when all are at the edges. The largest such part of the whole is ``bound``, at most 2^-15.
    """

    places: Floats
    heights: Floats
    bound: float

    @classmethod
    def of(cls, levels: _Levels, acc: Accumulator) -> _Curve:
        sums = np.cumsum(levels.sums)
        places = (acc.zeros + np.append(0, np.cumsum(levels.count))) / acc.finite
        bound = float((levels.count * levels.slack).max() / sums[-1])
        return cls(places, np.append(0, sums / sums[-1]), bound)

    def height(self, place: float) -> float:
        return float(np.interp(place, self.places, self.heights))

    def lorenz(self) -> tuple[float, ...]:
        """The heights at 0, 1, ... 100 %."""
        return tuple(np.interp(np.arange(101) / 100, self.places, self.heights).tolist())

    def place(self, height: float) -> float:
        return float(np.interp(height, self.heights, self.places))
