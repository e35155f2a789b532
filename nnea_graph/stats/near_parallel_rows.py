"""Rows of a matrix that point in nearly the same direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Places = NDArray[np.int64]

THRESHOLD = 0.99
"""|cosine| from which two rows count as parallel."""
MOST_ROWS = 8192
"""Rows above which the pairs are too many."""
_SKETCH = 64
_MARGIN = 0.05
"""How far the cosine of sketches may be below: at 0.99, 64 random signs are off by 0.0025 (one sigma)."""
_BLOCK = 512
_SEED = 7
_TINY = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class Parallel:
    """``twin`` of each row is an earlier one that is parallel to it, -1 where there is none; ``cosine`` is theirs."""

    twin: Places
    cosine: NDArray[np.float64]


def parallel_rows(rows: Array, threshold: float = THRESHOLD) -> Parallel:
    """Finds for each row the earlier one that is nearest in direction, if |cosine| reaches the threshold.

    Rows longer than 64 are compared by random projections first, in blocks of 512: time grows with the square of
    the rows but not with their length. What is told was computed from the rows themselves.

    >>> parallel_rows(np.array([[1.0, 2], [2, -1], [-2, -4.01]])).twin.tolist()
    [-1, -1, 0]
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    usable = np.isfinite(lengths) & (lengths > 0)
    sketch = _sketch(np.where(usable[:, None], rows, 0))
    sketch /= np.maximum(np.sqrt(np.einsum("ij,ij->i", sketch, sketch)), _TINY)[:, None]
    twin, cosine = np.full(len(rows), -1), np.zeros(len(rows))
    for first in range(0, len(rows), _BLOCK):
        block = sketch[first : first + _BLOCK]
        near = np.abs(block @ sketch[: first + len(block)].T)
        # Only earlier rows: the triangle above the diagonal goes.
        near[:, first:][np.triu_indices(len(block))] = 0
        best = near.argmax(1)
        found = np.flatnonzero(near[np.arange(len(block)), best] >= threshold - _MARGIN)
        mine, theirs = first + found, best[found]
        exact = _cosines(rows[mine], rows[theirs], lengths[mine] * lengths[theirs])
        sure = np.abs(exact) >= threshold
        twin[mine[sure]], cosine[mine[sure]] = theirs[sure], exact[sure]
    return Parallel(twin, cosine)


def _sketch(rows: Array) -> NDArray[np.float32]:
    narrow = np.array(rows, np.float32)
    if rows.shape[1] <= _SKETCH:
        return narrow
    signs = np.random.default_rng(_SEED).choice(np.array([-1, 1], np.float32), (rows.shape[1], _SKETCH))
    return np.asarray(narrow @ signs)


def _cosines(one: Array, other: Array, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    dots: NDArray[np.float64] = np.einsum("ij,ij->i", one, other, dtype=np.float64)
    return dots / lengths
