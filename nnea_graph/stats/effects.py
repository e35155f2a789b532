"""What an intervention does to a model's output: how far it moves, and whether the answers stay the same."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Effect:
    """``change`` is |y' - y| / |y| over all samples (L2); shares are between 0 and 1; None is not known.

    ``agreement`` is the share of answers (largest of the classes) that stay, ``accuracy`` that of right ones.
    """

    change: float | None
    agreement: float | None
    accuracy: float | None


@dataclass(slots=True)
class Tally:
    """Adds up an effect over batches; ``axes`` of the output are its classes."""

    axes: tuple[int, ...]
    moved: float = 0.0
    norm: float = 0.0
    same: int = 0
    answers: int = 0
    right: int = 0
    labelled: int = 0
    usable: bool = True

    def add(self, original: NDArray[Any], changed: NDArray[Any], labels: NDArray[Any] | None) -> None:
        """Compare the outputs of one batch: [samples, ...] each, and labels [samples]."""
        before, after = original.astype(np.float64), changed.astype(np.float64)
        if not (np.isfinite(before).all() and np.isfinite(after).all()):
            self.usable = False
            return
        self.moved += float(np.square(after - before).sum())
        self.norm += float(np.square(before).sum())
        expected, found = answers(before, self.axes), answers(after, self.axes)
        if expected is None or found is None:
            return
        self.same += int(np.count_nonzero(expected == found))
        self.answers += expected.size
        if labels is not None and labels.size == found.size:
            self.right += int(np.count_nonzero(found == labels.reshape(-1)))
            self.labelled += found.size

    def merge(self, other: Tally) -> None:
        """Add what another has seen."""
        for name in ("moved", "norm", "same", "answers", "right", "labelled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.usable = self.usable and other.usable

    def effect(self) -> Effect:
        """So far; nothing is known where an output was not finite."""
        if not self.usable:
            return Effect(None, None, None)
        change = sqrt(self.moved / self.norm) if self.norm else None
        return Effect(
            change if change is not None and isfinite(change) else None,
            self.same / self.answers if self.answers else None,
            self.right / self.labelled if self.labelled else None,
        )


def answers(output: NDArray[Any], axes: tuple[int, ...]) -> NDArray[np.int64] | None:
    """The number of the largest class at each place, flat; None where there are not two classes.

    >>> answers(np.array([[0.1, 0.9], [3.0, 2.0]]), (1,)).tolist()
    [1, 0]
    """
    if not axes or max(axes) >= output.ndim:
        return None
    moved = np.moveaxis(output, axes, range(-len(axes), 0))
    classes = moved.reshape(-1, int(np.prod([output.shape[axis] for axis in axes])))
    return classes.argmax(1) if classes.shape[1] > 1 else None
