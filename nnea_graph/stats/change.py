"""How far outputs are from what they were: relative L2, SQNR, agreement of the class, accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Of all float outputs together, against the unaltered model's; None where it cannot be said.

    ``relative_l2`` is |y' - y| / |y|, ``sqnr_db`` the same in decibels (None where nothing changed).
    ``agreement`` is the share of places where the largest entry along the last axis is the same one, of the
    first float output with such an axis; ``accuracy`` the share of labels that it hits. ``reason`` says what is wrong.
    """

    relative_l2: float | None
    sqnr_db: float | None
    agreement: float | None
    accuracy: float | None
    reason: str = ""


class Comparison:
    """Adds up batches."""

    def __init__(self) -> None:
        self._noise = self._signal = 0.0
        self._places = self._alike = self._labels = self._hits = 0
        self._reason, self._reshaped = "", False

    def add(self, before: Sequence[Array], after: Sequence[Array], labels: Array | None) -> None:
        """Compare the float outputs of one batch."""
        if [each.shape for each in before] != [each.shape for each in after]:
            self._reason, self._reshaped = "the shapes of the outputs change", True
            return
        for one, other in zip(before, after, strict=True):
            self._add_distance(one, other)
        place = class_output(before)
        if place is None:
            return
        classes = chosen(after[place])
        self._places += classes.size
        self._alike += int(np.count_nonzero(classes == chosen(before[place])))
        if labels is not None and labels.size == classes.size:
            self._labels += labels.size
            self._hits += int(np.count_nonzero(classes.reshape(-1) == labels.reshape(-1)))

    def _add_distance(self, before: Array, after: Array) -> None:
        known = np.isfinite(before)
        one, other = before[known].astype(np.float64), after[known].astype(np.float64)
        if not np.isfinite(other).all():
            self._reason = "outputs are no longer finite"
            return
        self._signal += float(np.vdot(one, one))
        self._noise += float(np.vdot(other - one, other - one))

    def change(self) -> Change:
        """Over all batches so far."""
        known = not self._reason and self._signal > 0
        relative = math.sqrt(self._noise / self._signal) if known else None
        return Change(
            relative,
            -20 * math.log10(relative) if relative else None,
            self._alike / self._places if self._places and not self._reshaped else None,
            self._hits / self._labels if self._labels and not self._reshaped else None,
            self._reason,
        )


def float_outputs(outputs: Sequence[Any]) -> list[Array]:
    """The tensors of real numbers among a model's outputs."""
    return [each for each in outputs if isinstance(each, np.ndarray) and each.dtype.kind == "f"]


def class_output(outputs: Sequence[Array]) -> int | None:
    """The first output of rank 2 or more with more than one entry along its last axis."""
    fit = (place for place, each in enumerate(outputs) if each.ndim >= 2 and each.shape[-1] > 1)
    return next(fit, None)


def chosen(scores: Array) -> NDArray[np.int64]:
    """The entry of the largest score along the last axis; -1 where a NaN hides it."""
    best = scores.argmax(-1)
    return np.where(np.isnan(scores).any(-1), -1, best)
