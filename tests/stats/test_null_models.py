"""Null models against random draws and brute force in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnea_graph.stats.channel_sums import ChannelSums
from nnea_graph.stats.null_models import FAMILIES, importance_null, weight_null

DRAW = {
    "half_normal": lambda random, n: np.abs(random.standard_normal(n)),
    "uniform": lambda random, n: random.random(n),
    "laplace": lambda random, n: np.abs(random.laplace(size=n)),
}


def utilization(x: np.ndarray) -> float:
    p = x[x > 0] / x.sum()
    return math.exp(-(p * np.log(p)).sum()) / x.size


@pytest.mark.parametrize("family", DRAW)
def test_the_null_and_its_standard_error_are_those_of_random_draws(family: str) -> None:
    random, n = np.random.default_rng(1), 4_000
    drawn = np.array([utilization(DRAW[family](random, n)) for _ in range(1_000)])
    null = weight_null(n, 0, FAMILIES[family].utilization)
    assert null is not None
    assert null.nearest == family
    assert null.utilization == pytest.approx(drawn.mean(), abs=4e-4)
    assert null.standard_error == pytest.approx(drawn.std(), rel=0.08)


@pytest.mark.parametrize("family", DRAW)
def test_the_gini_of_a_family_is_that_of_random_draws_with_zeros(family: str) -> None:
    random, n = np.random.default_rng(2), 100_000
    x = DRAW[family](random, n)
    x[: n // 4] = 0
    null = weight_null(n, n // 4, utilization(x))
    assert null is not None
    ranks = 2 * np.arange(1, n + 1) - n - 1
    assert null.gini == pytest.approx((ranks * np.sort(x)).sum() / (n * x.sum()), abs=3e-3)
    assert null.nearest == family
    assert abs(null.deviation) < 4


def test_random_weights_are_within_four_standard_errors_and_trained_shapes_are_not() -> None:
    random = np.random.default_rng(3)
    x = np.abs(random.standard_normal(50_000))
    null = weight_null(x.size, 0, utilization(x))
    assert null is not None
    assert abs(null.deviation) < 4
    heavy = np.exp(1.5 * random.standard_normal(50_000))
    null = weight_null(heavy.size, 0, utilization(heavy))
    assert null is not None
    assert null.nearest == "laplace"
    assert null.deviation < -50


@pytest.mark.parametrize(("count", "zeros", "value"), [(0, 0, None), (100, 100, None), (20, 10, 0.5)])
def test_no_null_where_too_little_is_not_zero(count: int, zeros: int, value: float | None) -> None:
    assert weight_null(count, zeros, value) is None


def test_importance_nulls_are_those_of_shuffling_the_numbers_themselves() -> None:
    random = np.random.default_rng(4)
    weights, activations = random.standard_normal((200, 60)), random.random(60)
    activations[:5] = 0
    sums = ChannelSums.zeros(60)
    sums.update(weights)
    measured = utilization(np.abs(weights) * activations)
    null = importance_null([(sums, activations)], weights.size, measured)
    assert null is not None
    by_hand = [utilization(np.abs(weights) * random.permutation(activations)) for _ in range(300)]
    flat = np.abs(weights).ravel()
    shuffled = [utilization(random.permutation(flat).reshape(200, 60) * activations) for _ in range(100)]
    assert null.shuffled_activations == pytest.approx(np.mean(by_hand), rel=2e-3)
    assert null.standard_error == pytest.approx(np.std(by_hand), rel=0.25)
    assert null.shuffled_weights == pytest.approx(np.mean(shuffled), rel=5e-3)
    assert null.deviation is not None
    assert abs(null.deviation) < 4


def test_weights_that_follow_the_activations_deviate_from_the_null() -> None:
    random = np.random.default_rng(5)
    activations = np.exp(0.5 * random.standard_normal(400))
    weights = random.standard_normal((50, 400)) * activations
    sums = ChannelSums.zeros(400)
    sums.update(weights)
    null = importance_null([(sums, activations)], weights.size, utilization(np.abs(weights) * activations))
    assert null is not None
    assert null.deviation is not None
    assert null.deviation < -4


def test_equal_activations_have_no_deviation() -> None:
    sums = ChannelSums.zeros(8)
    sums.update(np.random.default_rng(6).standard_normal((50, 8)))
    null = importance_null([(sums, np.ones(8))], 400, 0.75)
    assert null is not None
    assert null.deviation is None
