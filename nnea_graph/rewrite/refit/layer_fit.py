"""Fits layers on rows as they come: sums on one part of the data, the ridge and the verdict by another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nnea_graph.rewrite.refit.gram import Floats, Gram, WeightUpdate
from nnea_graph.rewrite.refit.layers import RefittableLayer
from nnea_graph.rewrite.refit.least_squares_form import Indices, channels_of

Array = NDArray[Any]
Kept = Mapping[tuple[str, int], NDArray[Any]]
"""By tensor and axis, the indices of the original that are left."""

RIDGES = (inf, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
"""Tried in turn, by the mean of the Gram matrix's diagonal; infinity changes the bias alone."""

BLOCK_BYTES = 32 << 20
"""Rows that are held at a time."""


@dataclass(frozen=True, slots=True)
class LayerFit:
    """``step`` is None where the layer stays as it is.

    Errors are of the held-out rows, relative to the original's output there (roots of sums of squares).
    """

    step: WeightUpdate | None
    ridge: float | None
    before: float | None
    after: float | None
    rows: int
    reason: str = ""

    @classmethod
    def nothing(cls, reason: str = "", rows: int = 0) -> LayerFit:
        """The layer was not solved."""
        return cls(None, None, None, None, rows, reason)


class Fitting:
    """One layer being fitted: two Gram matrices, and as much again while it is solved.

    At most ``rows`` rows of a batch are taken, drawn by ``seed``.
    """

    def __init__(self, layer: RefittableLayer, kept: Kept, rows: int, seed: int = 0) -> None:
        form = layer.form
        self.layer, self._rows = layer, rows
        self._cuts = {axis: indices for (name, axis), indices in kept.items() if name == layer.target.tensor}
        self._rng = np.random.default_rng([seed, crc32(layer.node.id.encode())])
        self._grams = [
            Gram(form.groups, form.columns, form.outputs, intercept=layer.bias is not None) for _ in range(2)
        ]
        self._signal = 0.0
        self.reason = ""

    def add(self, part: int, x: Array, before: Array, now: Array) -> None:
        """A batch of part 0 (to fit) or 1 (held out): the layer's input, and both networks' tensor at the target."""
        for axis, indices in self._cuts.items():
            before = before.take(indices, axis)
        form = self.layer.form
        count = form.count(x)
        if before.shape != now.shape or now.size != count * form.groups * form.outputs:
            self.reason = f"'{self.layer.target.tensor}' has not the shape that it should have"
            return
        chosen = self._chosen(count)
        size = max(1, BLOCK_BYTES // (8 * form.groups * (form.columns + 2 * form.outputs)))
        for start in range(0, len(chosen), size):
            block = chosen[start : start + size]
            with np.errstate(invalid="ignore", over="ignore"):  # ``fit`` looks at what came out
                wanted = channels_of(form, before, block)
                lacking = wanted - channels_of(form, now, block)
                self._grams[part].add(form.rows(x, block), self._behind(lacking))
                self._signal += float(np.square(wanted).sum()) if part else 0.0

    def _chosen(self, count: int) -> Indices:
        if count <= self._rows:
            return np.arange(count)
        return np.sort(self._rng.choice(count, self._rows, replace=False))

    def _behind(self, lacking: Floats) -> Floats:
        """Deficit that the layer's own output lacks: where a scale is 0, nothing."""
        gain = self._gain()
        return (
            lacking if gain is None else np.divide(lacking, gain, out=np.zeros_like(lacking), where=gain != 0)
        )

    def _gain(self) -> Floats | None:
        gain, form = self.layer.target.gain, self.layer.form
        if gain is None:
            return None
        return np.broadcast_to(gain, form.groups * form.outputs).reshape(form.groups, 1, form.outputs)

    def fit(self) -> LayerFit:
        """The step whose error on the held-out rows is least, solved again from all rows; none if none is less."""
        fitted, held = self._grams
        if self.reason or not (fitted.rows and held.rows):
            return LayerFit.nothing(self.reason or "no rows came", fitted.rows)
        if not (fitted.finite and held.finite and np.isfinite(self._signal)):
            return LayerFit.nothing("its activations are not finite", fitted.rows)
        before = self._error(held, None)
        ridge, after = self._best(fitted, held)
        if not after < before:
            return LayerFit(
                None, None, before, before, fitted.rows, "no step makes the held-out error smaller"
            )
        fitted.merge(held)
        return LayerFit(fitted.solved(ridge), ridge, before, after, fitted.rows)

    def _best(self, fitted: Gram, held: Gram) -> tuple[float, float]:
        """Searches from the strongest ridge on, as long as the held-out error falls."""
        best = inf, inf
        for ridge in RIDGES:
            error = self._error(held, fitted.solved(ridge))
            if error >= best[1]:
                break
            best = ridge, error
        return best

    def _error(self, gram: Gram, step: WeightUpdate | None) -> float:
        gain = self._gain()
        weights = 1.0 if gain is None else np.square(gain[:, 0])
        lacking = float((gram.error(step) * weights).sum())
        return float(np.sqrt(lacking / self._signal)) if self._signal else float(np.sqrt(lacking))
