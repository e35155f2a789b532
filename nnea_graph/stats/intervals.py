"""Intervals of shares and of differences between two models on the same samples: what a sample of this size can tell.

Wilson, "Probable inference, the law of succession, and statistical inference", 1927; McNemar, "Note on the sampling
error of the difference between correlated proportions", 1947; Newcombe, "Improved confidence intervals for the
difference between binomial proportions based on paired data", 1998 (method 10).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_BOOTSTRAPS = 1_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and what it may be: ``low`` to ``high``, at 95 %."""

    value: float
    low: float
    high: float

    def holds(self, number: float) -> bool:
        """Tells whether the number is one of the possible."""
        return self.low <= number <= self.high


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(hits: int, samples: int, confidence: float = CONFIDENCE) -> Interval | None:
    """The interval of a share by Wilson's score; None of no samples.

    >>> wilson(64, 64).low > 0.94, wilson(0, 10).low
    (True, 0.0)
    """
    if samples <= 0:
        return None
    share, z = hits / samples, _z(confidence)
    scale = 1 + z * z / samples
    middle = (share + z * z / (2 * samples)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples**2))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == samples else min(1.0, middle + half)
    return Interval(share, low, high)


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Samples by whether the first and the second model have them right."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def samples(self) -> int:
        """All of them."""
        return self.both + self.first_only + self.second_only + self.neither

    @classmethod
    def of(cls, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> PairedCounts:
        """Count two rows of answers, right or wrong."""
        both = int(np.count_nonzero(first & second))
        return cls(
            both,
            int(np.count_nonzero(first)) - both,
            int(np.count_nonzero(second)) - both,
            int(np.count_nonzero(~first & ~second)),
        )


def paired_difference(counts: PairedCounts, confidence: float = CONFIDENCE) -> Interval | None:
    """Tells how much better the first is than the second, as a share of the samples (Newcombe's method 10).

    Its ends come of the two Wilson intervals, corrected for how alike the answers are.

    >>> found = paired_difference(PairedCounts(60, 2, 1, 1))
    >>> round(found.value, 4), found.holds(0.0)
    (0.0156, True)
    """
    samples = counts.samples
    first = wilson(counts.both + counts.first_only, samples, confidence)
    second = wilson(counts.both + counts.second_only, samples, confidence)
    if first is None or second is None:
        return None
    phi = _likeness(counts)
    value = first.value - second.value
    down, up = first.value - first.low, second.high - second.value
    low = value - math.sqrt(max(0.0, down**2 - 2 * phi * down * up + up**2))
    down, up = second.value - second.low, first.high - first.value
    high = value + math.sqrt(max(0.0, down**2 - 2 * phi * down * up + up**2))
    return Interval(value, max(-1.0, low), min(1.0, high))


def _likeness(counts: PairedCounts) -> float:
    """The correlation of both rows of answers, its numerator corrected for continuity."""
    first, second = counts.both + counts.first_only, counts.both + counts.second_only
    samples = counts.samples
    scale = first * (samples - first) * second * (samples - second)
    if not scale:
        return 0.0
    cross = counts.both * counts.neither - counts.first_only * counts.second_only
    corrected = max(cross - samples / 2, 0.0) if cross > 0 else float(cross)
    return corrected / math.sqrt(scale)


def mcnemar(counts: PairedCounts) -> float:
    """The probability of so uneven a split of the samples that only one model has right, were both as good (exact).

    >>> round(mcnemar(PairedCounts(90, 9, 1, 0)), 4)
    0.0215
    """
    apart, fewer = counts.first_only + counts.second_only, min(counts.first_only, counts.second_only)
    if not apart:
        return 1.0
    tail = sum(math.comb(apart, number) for number in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**apart))


def bootstrap_difference(
    first: NDArray[np.float64], second: NDArray[np.float64], seed: int = 0, confidence: float = CONFIDENCE
) -> Interval | None:
    """The mean of first - second over samples, its interval by resampling the pairs."""
    if not len(first):
        return None
    apart = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    random = np.random.default_rng(seed)
    means = [float(random.choice(apart, len(apart)).mean()) for _ in range(_BOOTSTRAPS)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(apart.mean()), float(low), float(high))


def smallest_provable_loss(samples: int) -> float:
    """The loss that so many samples can exclude at best: when both models answer alike on every one of them."""
    perfect = wilson(samples, samples)
    return 1.0 if perfect is None else 1 - perfect.low


def samples_needed(loss: float, discordant: float = 0.0) -> int:
    """Number of samples: about how many samples an interval needs to end below ``loss``, were both models equally good.

    Args:
        loss: what is to be excluded, as a share.
        discordant: the share of samples that only one of them has right.

    >>> samples_needed(0.005)
    765
    """
    z = _z(CONFIDENCE)
    by_none = z * z * (1 - loss) / loss
    by_some = z * z * discordant / loss**2
    return math.ceil(max(by_none, by_some))
