"""Largest difference of a model from its original, in units of the largest output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.engine.data import Batch
from nnea_graph.runtime.session.session import Session

LIMIT = 1e-6
"""What adding up in another order leaves in float32."""
_LAST_PLACES = 2
"""Units of the last place of an output's type, where that is coarser."""


@dataclass(slots=True)
class Difference:
    """``largest`` of any output, and the ``limit`` below which it is rounding."""

    largest: float = 0.0
    limit: float = LIMIT


def difference(original: Session, model: Session, batches: Iterable[Batch]) -> Difference:
    """Difference of two models on the same data.

    Raises:
        RunError: one of them cannot be run.
        DataError: the data cannot be read.
    """
    found, apart, scale = Difference(), dict[int, float](), dict[int, float]()
    for batch in batches:
        pairs = zip(_arrays(original.run(batch.feeds)), _arrays(model.run(batch.feeds)), strict=True)
        for place, (one, other) in enumerate(pairs):
            apart[place] = max(apart.get(place, 0.0), _apart(one, other))
            scale[place] = max(scale.get(place, 0.0), _most(one))
            if one.dtype.kind == "f":
                found.limit = max(found.limit, _LAST_PLACES * float(np.finfo(one.dtype).eps))
    for place, most in apart.items():
        found.largest = max(found.largest, most / scale[place] if most and scale[place] else most)
    return found


def _arrays(outputs: Sequence[Any]) -> Iterator[NDArray[Any]]:
    """All tensors; those of sequences one by one."""
    for each in outputs:
        if isinstance(each, list):
            yield from _arrays(each)
        else:
            yield np.asarray(each)


def _apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest difference; infinite where shapes differ, or where only one is a number."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return np.inf
    if one.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(one, other) else np.inf
    one, other = one.astype(np.float64), other.astype(np.float64)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        gap = np.abs(np.where(same, 0.0, one - other))
    return float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0))


def _most(values: NDArray[Any]) -> float:
    """The largest finite number."""
    if values.dtype.kind not in "fiub":
        return 0.0
    numbers = np.abs(values.astype(np.float64))
    return float(numbers[np.isfinite(numbers)].max(initial=0.0))
