"""The least of many scores, and rank correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def least(scores: NDArray[Any], count: int) -> Bools:
    """Marks the ``count`` smallest scores, of equal ones the first; NaN counts as the largest.

    >>> least(np.array([3.0, 1.0, 1.0, 2.0]), 1).tolist()
    [False, True, False, False]
    """
    if count <= 0:
        return np.zeros(scores.shape, np.bool_)
    flat = scores.reshape(-1)
    if np.isnan(flat.min()):
        flat = np.nan_to_num(flat, nan=np.inf, posinf=np.inf)
    limit = np.partition(flat, count - 1)[count - 1]
    chosen = flat < limit
    equal = np.flatnonzero(flat == limit)
    chosen[equal[: count - np.count_nonzero(chosen)]] = True
    marked: Bools = chosen.reshape(scores.shape)
    return marked


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's, with mean ranks for equal values; None where either is the same throughout.

    >>> rank_correlation([1, 2, 3], [10, 30, 90])
    1.0
    """
    one, two = (ranks(np.asarray(values, np.float64)) for values in (first, second))
    one, two = one - one.mean(), two - two.mean()
    scale = float((one @ one) * (two @ two))
    return float(one @ two) / scale**0.5 if scale else None


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in ascending order from 0; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts + 1) / 2
    return means[inverse]
