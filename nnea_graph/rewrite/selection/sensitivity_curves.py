"""Loss that each family can spare: the model is run with more and more of its channels gone, the others as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.rewrite.selection.criteria import GroupCandidates
from nnea_graph.rewrite.selection.least_squares_views import LeastSquaresView, problems_of
from nnea_graph.rewrite.selection.optimal_brain_surgeon import Floats, eliminate
from nnea_graph.runtime.perturb.repeated_runs import Rerun
from nnea_graph.runtime.perturb.weight_override import Slot
from nnea_graph.stats.output_change import OutputChange

SHARES = (0.125, 0.25, 0.5, 0.75, 0.875)
"""Of a family's groups, what is taken out for a measurement."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """So many groups of a family gone, and what that changed on data that nothing was fitted on."""

    removed: int
    change: OutputChange

    @property
    def noise(self) -> float:
        """Power of the change of the outputs by theirs: of several families it adds up; infinite if not known."""
        relative = self.change.relative_l2
        return float("inf") if relative is None else relative**2


@dataclass(frozen=True)
class Curve:
    """``order`` are the places of a family's groups, the first to go in front; ``points`` are what was measured.

    ``errors`` tell, for every number gone, what the readers themselves lack: they say how to read between the points.
    """

    order: tuple[int, ...]
    errors: tuple[float, ...]
    points: tuple[CurvePoint, ...]

    def noise(self, removed: int) -> float:
        """Measured, or between the two nearest measurements."""
        return self._noises[removed]

    @cached_property
    def _noises(self) -> list[float]:
        """Noises by the number that is gone."""
        lacking = np.array([0.0, *self.errors]) + 1e-12 * np.arange(len(self.errors) + 1)
        places = lacking[[0, *(point.removed for point in self.points)]]
        heights = np.array([0.0, *np.maximum.accumulate([point.noise for point in self.points])])
        with np.errstate(invalid="ignore"):  # a change that is not known is infinite
            between = np.interp(lacking, places, heights)
            beyond = heights[-1] * lacking / max(places[-1], 1e-300)
        found = np.where(lacking <= places[-1], between, beyond)
        return [float(each) for each in np.where(np.isnan(found), np.inf, found)]


def measured_curve(candidates: GroupCandidates, order: Sequence[int] | None, rerun: Rerun) -> Curve:
    """Run the model with an eighth to seven eighths of a family gone, those of its readers mended that are to be.

    Raises:
        RunError: the model cannot be run so.
    """
    count = candidates.count
    counts = sorted({min(max(round(share * count), 1), count - 1) for share in SHARES} - {0})
    problems = [(view, group, problem) for view in candidates.views for group, problem in problems_of(view)]
    found = eliminate([problem for _, _, problem in problems], count, [*counts, count], order)
    points = []
    for gone in counts:
        mended: dict[LeastSquaresView, dict[int, Floats]] = {view: {} for view in candidates.views}
        for (view, group, _), weight in zip(problems, found.weights[gone], strict=True):
            mended[view][group] = weight
        altered: dict[Slot, NDArray[Any]] = {}
        for view, weights in mended.items():
            altered |= altered_by(view, found.order[:gone], weights if view.mended else {})
        change = rerun.change(altered)
        if change is not None:
            points.append(CurvePoint(gone, change))
    return Curve(tuple(found.order), tuple(found.errors), tuple(points))


def altered_by(
    view: LeastSquaresView, gone: Sequence[int], mended: Mapping[int, Floats]
) -> dict[Slot, NDArray[Any]]:
    """A reader's constants without these places: zeros, or where weights are ``mended``, these and a bias to match."""
    layer = view.reader.layer
    weight = np.where(np.isin(view.reader.columns, gone)[:, :, None], 0.0, view.weight)
    for group, values in mended.items():
        weight[group] = values
    found = {view.reader.weight: layer.form.difference(weight).astype(layer.dtype)}
    bias, slot = layer.bias, view.reader.bias
    if bias is not None and slot is not None and mended:
        missing = np.einsum("gk,gko->go", view.mean, view.weight - weight).reshape(-1)
        values = bias.stored(bias.values + missing / bias.factor)
        found[slot] = values.reshape(view.reader.bias_shape).astype(layer.dtype)
    return found
