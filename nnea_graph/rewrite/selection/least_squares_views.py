"""A family's readers as problems to take channels out of, and weights back in the form that a model stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.rewrite.refit.gram import Gram
from nnea_graph.rewrite.refit.least_squares_form import Form
from nnea_graph.rewrite.selection.consumers import ConsumerLayer
from nnea_graph.rewrite.selection.gram_statistics import GramStatistics
from nnea_graph.rewrite.selection.optimal_brain_surgeon import Floats, SurgeonProblem


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquaresView:
    """A reader with what it was given and its weights ``[groups, columns, outputs]``, ``mended`` or as they are."""

    reader: ConsumerLayer
    seen: GramStatistics
    weight: Floats
    mended: bool

    @property
    def gram(self) -> Gram:
        """Sums of products."""
        return self.seen.gram

    @property
    def mean_abs(self) -> Floats:
        """Mean |x| of every column."""
        return self.seen.sum_abs / max(self.gram.rows, 1)

    @property
    def mean(self) -> Floats:
        """Mean of every column."""
        return self.gram.x / max(self.gram.rows, 1)

    def second(self) -> Floats:
        """Sums of products, about the mean where there is a bias that makes up for it."""
        if not self.makes_up:
            return self.gram.xx
        return self.gram.xx - self.gram.rows * self.mean[:, :, None] * self.mean[:, None, :]

    @property
    def makes_up(self) -> bool:
        """Tells whether the reader has a bias that is solved again."""
        return self.reader.layer.bias is not None and self.mended

    def spread(self) -> Floats:
        """Standard deviation of every column."""
        diagonal = np.arange(self.gram.columns)
        variance = self.gram.xx[:, diagonal, diagonal] / max(self.gram.rows, 1) - self.mean**2
        return np.sqrt(np.maximum(variance, 0.0))


def view_of(reader: ConsumerLayer, seen: GramStatistics, *, refit: bool) -> LeastSquaresView:
    """View with the weights that the layer has; a ``refit`` solves those that can be changed."""
    weight = matrix_of(reader.layer.form, reader.layer.constant.array())
    return LeastSquaresView(reader, seen, weight, refit and not reader.layer.fixed)


def problems_of(view: LeastSquaresView) -> Iterator[tuple[int, SurgeonProblem]]:
    """One for each group, with its number, that has a column that can go, and an output that would stay without it.

    Errors are by the power of all outputs of the layer, so that layers can be added up.
    """
    second, reader = view.second(), view.reader
    power = float(np.einsum("gko,gkl,glo->", view.weight, second, view.weight, optimize=True))
    for group in range(view.gram.groups):
        columns, outputs = reader.columns[group], reader.outputs[group]
        alone = len(np.unique(columns)) == 1 and bool((outputs == columns[0]).all())
        if (columns >= 0).any() and not alone:
            scale = 1 / power if power > 0 else 0.0
            yield (
                group,
                SurgeonProblem(
                    second[group], view.weight[group], columns, outputs, scale, fixed=not view.mended
                ),
            )


def matrix_of(form: Form, stored: NDArray[Any]) -> Floats:
    """Stored weights as ``[groups, columns, outputs]``: ``form.difference`` the other way round."""
    shape = form.groups, form.columns, form.outputs
    factor = float(form.difference(np.ones(shape)).reshape(-1)[0])
    places = np.rint(form.difference(np.arange(stored.size, dtype=np.float64).reshape(shape)) / factor)
    found = np.empty(stored.size)
    found[places.astype(np.int64).reshape(-1)] = stored.reshape(-1).astype(np.float64) / factor
    return found.reshape(shape)
