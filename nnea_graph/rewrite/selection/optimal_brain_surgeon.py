"""Takes channels out of layers one after the other, and mends each time what is left: the optimal brain surgeon.

For a layer with outputs X W, taking the columns B of X away costs tr(W_B' [(H^-1)_BB]^-1 W_B) with H = X'X if the
other weights are solved again, and they become W - (H^-1)_:B [(H^-1)_BB]^-1 W_B (Hassibi, Stork 1993; for structures
Kurtic, Frantar, Alistarh 2023).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

_AT_ONCE = 1 / 128
"""Of the groups, what is taken out before the costs are told again: one of small families."""


@dataclass(slots=True, eq=False)
class SurgeonProblem:
    """One group of a layer's outputs: ``second`` is X'X (columns squared), ``weight`` columns by outputs.

    ``columns`` and ``outputs`` are the places of what can go, -1 for what stays; errors count times ``scale``.
    ``fixed`` weights are not solved again.
    """

    second: Floats
    weight: Floats
    columns: Indices
    outputs: Indices
    scale: float = 1.0
    fixed: bool = False


@dataclass(slots=True)
class Eliminated:
    """``order`` are the places as they went; ``errors`` what all layers lack after each, by the scale of each.

    ``weights`` are those of every problem after ``counts`` have gone.
    """

    order: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    weights: dict[int, list[Floats]] = field(default_factory=dict)


def eliminate(
    problems: Sequence[SurgeonProblem],
    places: int,
    counts: Sequence[int],
    order: Sequence[int] | None = None,
    ridge: float = 1e-4,
) -> Eliminated:
    """Take out the cheapest place each time, or in a given ``order``, until the largest of ``counts`` are out.

    Costs places x columns^2 a layer; ``ridge`` is by the mean of the diagonal.

    >>> same = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> problem = SurgeonProblem(same, np.array([[1.0], [1.0], [1.0]]), np.arange(3), np.full(1, -1))
    >>> found = eliminate([problem], 3, [1])
    >>> found.order, round(found.errors[0], 3), found.weights[1][0].round(2).tolist()
    ([0], 0.0, [[0.0], [2.0], [1.0]])
    """
    states = [_Fixed(problem) if problem.fixed else _Solved(problem, ridge) for problem in problems]
    found, wanted, most = Eliminated(), set(counts), max(counts, default=0)
    left = np.ones(places, np.bool_)
    if 0 in wanted:
        found.weights[0] = [state.weight.copy() for state in states]
    error = 0.0
    while len(found.order) < most:
        until = min(count for count in wanted if count > len(found.order))
        step = min(max(1, int(places * _AT_ONCE)), until - len(found.order))
        costs = np.zeros(places)
        for state in states:
            costs += state.costs(places)
        if order is None:
            free = np.flatnonzero(left)
            chosen = free[np.argsort(costs[free], kind="stable")[:step]]
        else:
            chosen = np.array(order[len(found.order) : len(found.order) + step])
        left[chosen] = False
        for state in states:
            state.remove(chosen)
        for place in chosen.tolist():
            error += float(costs[place])
            found.order.append(place)
            found.errors.append(error)
        if len(found.order) in wanted:
            found.weights[len(found.order)] = [state.weight.copy() for state in states]
    return found


class _SurgeonState(ABC):
    """The weights that are left of a problem, by the places that can still go."""

    def __init__(self, problem: SurgeonProblem) -> None:
        self._problem = problem
        self.weight = problem.weight.copy()
        self._blocks = _blocks(problem.columns)

    def costs(self, places: int) -> Floats:
        """Costs that each place that is left would cost."""
        costs = np.zeros(places)
        outputs = self._problem.outputs
        for owners, columns in self._blocks:
            weight = self.weight[columns]
            own = outputs[None, None, :] == owners[:, None, None]
            if own.any():
                weight = np.where(own, 0.0, weight)
            costs[owners] += self._cost(columns, weight)
        return costs * self._problem.scale

    def remove(self, chosen: Indices) -> None:
        """Take columns out, and outputs of the same groups."""
        self._lose_outputs(np.isin(self._problem.outputs, chosen))
        columns = np.flatnonzero(np.isin(self._problem.columns, chosen))
        if not len(columns):
            return
        self._lose_columns(columns)
        self.weight[columns] = 0.0
        self._blocks = [
            (owners[keep], places[keep])
            for owners, places in self._blocks
            for keep in [~np.isin(owners, chosen)]
            if keep.any()
        ]

    @abstractmethod
    def _cost(self, columns: Indices, weight: Floats) -> Floats:
        """Cost of each row of ``columns`` with its weights, those to outputs that go with it left out."""

    @abstractmethod
    def _lose_columns(self, columns: Indices) -> None: ...

    def _lose_outputs(self, gone: Flags) -> None:
        self.weight[:, gone] = 0.0


class _Solved(_SurgeonState):
    """State with the inverse of its Gram matrix, of the columns that are left."""

    def __init__(self, problem: SurgeonProblem, ridge: float) -> None:
        super().__init__(problem)
        diagonal = np.arange(len(problem.second))
        system = problem.second.copy()
        mean = float(np.trace(system)) / max(len(system), 1)
        system[diagonal, diagonal] += ridge * mean or 1.0
        self._inverse = np.linalg.inv(system)

    def _cost(self, columns: Indices, weight: Floats) -> Floats:
        inverse = self._inverse[columns[:, :, None], columns[:, None, :]]
        cost: Floats = np.einsum("nbo,nbo->n", weight, np.linalg.solve(inverse, weight))
        return cost

    def _lose_columns(self, columns: Indices) -> None:
        block = self._inverse[np.ix_(columns, columns)]
        gain = np.linalg.solve(block, self._inverse[columns]).T
        self.weight -= gain @ self.weight[columns]
        self._inverse -= gain @ self._inverse[columns]
        self._inverse[columns], self._inverse[:, columns] = 0.0, 0.0


class _Fixed(_SurgeonState):
    """With the products of its Gram matrix and of the weights that are gone: errors add up, and are not mended."""

    def __init__(self, problem: SurgeonProblem) -> None:
        super().__init__(problem)
        self._lacking = np.zeros_like(self.weight)

    def _cost(self, columns: Indices, weight: Floats) -> Floats:
        second = self._problem.second[columns[:, :, None], columns[:, None, :]]
        cost: Floats = np.einsum("nbo,nbo->n", weight, second @ weight + 2 * self._lacking[columns])
        return cost

    def _lose_columns(self, columns: Indices) -> None:
        self._lacking += self._problem.second[:, columns] @ self.weight[columns]

    def _lose_outputs(self, gone: Flags) -> None:
        super()._lose_outputs(gone)
        self._lacking[:, gone] = 0.0


def _blocks(columns: Indices) -> list[tuple[Indices, Indices]]:
    """Places and the columns of each, those with as many columns together."""
    order = np.argsort(columns, kind="stable")
    owners, starts, sizes = np.unique(columns[order], return_index=True, return_counts=True)
    there = owners >= 0
    owners, starts, sizes = owners[there], starts[there], sizes[there]
    return [
        (owners[mine], order[starts[mine][:, None] + np.arange(size)])
        for size in np.unique(sizes).tolist()
        for mine in [sizes == size]
    ]
