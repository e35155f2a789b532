"""Taking channels out against least squares solved from scratch."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.rewrite.selection.optimal_brain_surgeon import SurgeonProblem, eliminate

Floats = NDArray[np.float64]
RNG = np.random.default_rng(0)
NOBODY = np.full(3, -1)


def correlated(rows: int, columns: int) -> Floats:
    return RNG.standard_normal((rows, columns)) @ RNG.standard_normal((columns, columns))


def lacking(x: Floats, weight: Floats, gone: list[int]) -> float:
    """What is left of the outputs' power when the columns are gone and the others solved again."""
    stays = [column for column in range(x.shape[1]) if column not in gone]
    wanted = x @ weight
    solved, *_ = np.linalg.lstsq(x[:, stays], wanted)
    return float(np.square(wanted - x[:, stays] @ solved).sum())


def test_errors_and_weights_are_those_of_least_squares() -> None:
    x, weight = correlated(200, 8), RNG.standard_normal((8, 3))
    problem = SurgeonProblem(x.T @ x, weight, np.repeat(np.arange(4), 2), NOBODY)
    found = eliminate([problem], 4, [1, 2, 3], ridge=1e-12)
    for count in (1, 2, 3):
        gone = [column for place in found.order[:count] for column in (2 * place, 2 * place + 1)]
        assert found.errors[count - 1] == pytest.approx(lacking(x, weight, gone), rel=1e-6)
        solved = found.weights[count][0]
        assert not solved[gone].any()
        assert np.square(x @ weight - x @ solved).sum() == pytest.approx(lacking(x, weight, gone), rel=1e-6)


def test_the_first_to_go_is_the_cheapest_of_all() -> None:
    x, weight = correlated(200, 6), RNG.standard_normal((6, 3))
    found = eliminate([SurgeonProblem(x.T @ x, weight, np.arange(6), NOBODY)], 6, [1], ridge=1e-12)
    assert found.order == [min(range(6), key=lambda column: lacking(x, weight, [column]))]


def test_the_twin_of_a_channel_goes_for_nothing_where_scores_one_by_one_would_keep_both() -> None:
    x = RNG.standard_normal((100, 3))
    x[:, 1] = x[:, 0]
    weight = np.array([[5.0], [5.0], [1.0]])
    found = eliminate([SurgeonProblem(x.T @ x, weight, np.arange(3), np.full(1, -1))], 3, [1], ridge=1e-9)
    assert found.order[0] in {0, 1}
    assert found.errors[0] == pytest.approx(0.0, abs=1e-4)


def test_outputs_that_go_with_a_channel_are_nobodys_loss() -> None:
    x, weight = correlated(200, 3), RNG.standard_normal((3, 3))
    weight[0, 0] = 100.0  # channel 0 is read by its own output alone
    weight[0, 1:] = 0.0
    found = eliminate([SurgeonProblem(x.T @ x, weight, np.arange(3), np.arange(3))], 3, [1])
    assert found.order == [0]
    assert found.errors[0] == pytest.approx(0.0, abs=1e-6)


def test_a_given_order_is_kept_and_costs_what_it_costs() -> None:
    x, weight = correlated(300, 4), RNG.standard_normal((4, 3))
    found = eliminate(
        [SurgeonProblem(x.T @ x, weight, np.arange(4), NOBODY)], 4, [3], [2, 0, 3, 1], ridge=1e-12
    )
    assert found.order == [2, 0, 3]
    assert found.errors[-1] == pytest.approx(lacking(x, weight, [0, 2, 3]), rel=1e-6)


def test_greedy_is_near_the_best_of_all_subsets() -> None:
    x, weight = correlated(400, 8), RNG.standard_normal((8, 3))
    found = eliminate([SurgeonProblem(x.T @ x, weight, np.arange(8), NOBODY)], 8, [4], ridge=1e-12)
    best = min(lacking(x, weight, list(gone)) for gone in combinations(range(8), 4))
    average = np.mean([lacking(x, weight, list(gone)) for gone in combinations(range(8), 4)])
    assert best <= found.errors[-1] * (1 + 1e-9)
    assert found.errors[-1] < best + 0.1 * (average - best)


def test_fixed_weights_lack_all_that_is_gone_together() -> None:
    x, weight = correlated(200, 8), RNG.standard_normal((8, 3))
    found = eliminate(
        [SurgeonProblem(x.T @ x, weight, np.repeat(np.arange(4), 2), NOBODY, fixed=True)], 4, [3]
    )
    for count in (1, 2, 3):
        gone = [column for place in found.order[:count] for column in (2 * place, 2 * place + 1)]
        assert found.errors[count - 1] == pytest.approx(np.square(x[:, gone] @ weight[gone]).sum())
    stays = [column for column in range(8) if column not in gone]
    assert np.array_equal(found.weights[3][0][stays], weight[stays])
    assert not found.weights[3][0][gone].any()
