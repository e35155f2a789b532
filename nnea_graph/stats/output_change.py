"""Defines how far outputs are from what they were: relative L2, SQNR, agreement of the class, accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import DataError

Array = NDArray[Any]
Axes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OutputChange:
    """Change of all outputs together, against the unaltered model's; None where it cannot be said.

    ``relative_l2`` is |y' - y| / |y|, ``sqnr_db`` the same in decibels (None where nothing changed).
    ``agreement`` is the share of answers (the largest of the classes) that stay, ``accuracy`` that of answers
    that are the label. ``reason`` says what is wrong.
    """

    relative_l2: float | None
    sqnr_db: float | None
    agreement: float | None
    accuracy: float | None
    reason: str = ""


@dataclass(slots=True)
class OutputComparison:
    """Adds up batches; ``axes`` of the first output are its classes, None takes the first output that has some."""

    axes: Axes | None = None
    noise: float = 0.0
    signal: float = 0.0
    answers: int = 0
    alike: int = 0
    labels: int = 0
    hits: int = 0
    reason: str = ""
    reshaped: bool = False

    def add(self, before: Sequence[Array], after: Sequence[Array], labels: Array | None) -> None:
        """Compare the outputs of one batch."""
        if [each.shape for each in before] != [each.shape for each in after]:
            self.reason, self.reshaped = "the shapes of the outputs change", True
            return
        for one, other in zip(before, after, strict=True):
            self._add_distance(one, other)
        place, axes = _classes_of(before) if self.axes is None else (0, self.axes)
        expected, found = (answers(each[place], axes) if each else None for each in (before, after))
        if expected is None or found is None:
            return
        self.answers += found.size
        self.alike += int(np.count_nonzero(found == expected))
        if labels is not None and labels.size == found.size:
            _check_labels(labels, math.prod(before[place].shape[axis] for axis in axes))
            self.labels += labels.size
            self.hits += int(np.count_nonzero(found == labels.reshape(-1)))

    def _add_distance(self, before: Array, after: Array) -> None:
        known = np.isfinite(before)
        one, other = before[known].astype(np.float64), after[known].astype(np.float64)
        if not np.isfinite(other).all():
            self.reason = "outputs are no longer finite"
            return
        self.signal += float(np.vdot(one, one))
        self.noise += float(np.vdot(other - one, other - one))

    def merge(self, other: OutputComparison) -> None:
        """Add what another has seen."""
        for name in ("noise", "signal", "answers", "alike", "labels", "hits"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reason = other.reason or self.reason
        self.reshaped = self.reshaped or other.reshaped

    def change(self) -> OutputChange:
        """Change over all batches so far."""
        known = not self.reason and 0 < self.signal < math.inf and self.noise < math.inf
        relative = math.sqrt(self.noise / self.signal) if known else None
        return OutputChange(
            relative,
            -20 * math.log10(relative) if relative else None,
            self.alike / self.answers if self.answers and not self.reshaped else None,
            self.hits / self.labels if self.labels and not self.reshaped else None,
            self.reason,
        )


def loss_kind(unaltered: OutputChange) -> str:
    """What a loss is measured by: ``accuracy`` where there are labels, ``agreement`` of classes, ``relative_l2``."""
    if unaltered.accuracy is not None:
        return "accuracy"
    return "agreement" if unaltered.agreement is not None else "relative_l2"


def loss(kind: str, unaltered: OutputChange, change: OutputChange) -> float | None:
    """The drop of accuracy or agreement, or the change itself; negative is a gain, None not known."""
    if kind == "relative_l2":
        return change.relative_l2
    before, after = getattr(unaltered, kind), getattr(change, kind)
    return None if after is None else before - after


def float_outputs(outputs: Sequence[Any]) -> list[Array]:
    """The tensors of real numbers among a model's outputs."""
    return [each for each in outputs if isinstance(each, np.ndarray) and each.dtype.kind == "f"]


def _check_labels(labels: Array, classes: int) -> None:
    """Raises a ``DataError`` for the first label that is no class."""
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise DataError(
            f"label {wrong.flat[0]} of the data is no class: the model has {classes:,}, 0 to {classes - 1:,}; "
            "number the labels so, or leave them out"
        )


def _classes_of(outputs: Sequence[Array]) -> tuple[int, Axes]:
    """The last axis of the first output of rank 2 or more with more than one entry along it."""
    fit = (place for place, each in enumerate(outputs) if each.ndim >= 2 and each.shape[-1] > 1)
    place = next(fit, None)
    return (0, ()) if place is None else (place, (outputs[place].ndim - 1,))


def answers(output: Array, axes: Axes) -> NDArray[np.int64] | None:
    """The number of the largest class at each place, flat; -1 where a NaN hides it; None without two classes.

    >>> answers(np.array([[0.1, 0.9], [3.0, 2.0], [np.nan, 0.0]]), (1,)).tolist()
    [1, 0, -1]
    """
    if not axes or max(axes) >= output.ndim:
        return None
    moved = np.moveaxis(output, axes, range(-len(axes), 0))
    count = math.prod(output.shape[axis] for axis in axes)
    if count < 2:
        return None
    classes = moved.reshape(-1, count)
    return np.where(np.isnan(classes).any(1), -1, classes.argmax(1))
