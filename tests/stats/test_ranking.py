"""The least of many scores are exactly so many; rank correlation is Spearman's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnea_graph.stats.ranking import least, rank_correlation


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 40))
def test_exactly_the_smallest_are_marked_and_of_equal_ones_the_first(numbers: list[int], count: int) -> None:
    count = min(count, len(numbers))
    expected = np.zeros(len(numbers), np.bool_)
    expected[np.argsort(np.array(numbers), kind="stable")[:count]] = True
    np.testing.assert_array_equal(least(np.array(numbers, np.float32), count), expected)


def test_numbers_that_are_not_finite_go_last() -> None:
    scores = np.array([[np.nan, 1], [np.inf, 0]])
    np.testing.assert_array_equal(least(scores, 2), [[False, True], [False, True]])
    assert least(scores, 4).all()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param([1, 2, 3, 4], [1, 4, 9, 16], 1.0, id="same-order"),
        pytest.param([1, 2, 3, 4], [9, 5, 2, 1], -1.0, id="reverse"),
        # Differences of rank 1, 1, 0, 0: 1 - 6 * 2 / (4 * 15).
        pytest.param([1, 2, 3, 4], [2, 1, 3, 4], 0.8, id="two-swapped"),
        # Ranks 0.5 0.5 2 against 0 1 2: covariance 1.5, variances 1.5 and 2.
        pytest.param([1, 1, 2], [1, 2, 3], 1.5 / 3**0.5, id="tie"),
        pytest.param([1, 1, 1], [1, 2, 3], None, id="all-the-same"),
    ],
)
def test_rank_correlation_is_spearmans(
    first: list[float], second: list[float], expected: float | None
) -> None:
    found = rank_correlation(first, second)
    assert found == (expected if expected is None else pytest.approx(expected))
