"""ChannelSums against brute force on the importance matrix itself."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.stats import ChannelSums

Floats = NDArray[np.float64]
RNG = np.random.default_rng(11)
WEIGHTS = (RNG.standard_normal((300, 40)) * 0.02).astype(np.float32)
WEIGHTS[:, 3] = 0
WEIGHTS[::7] = 0

ACTIVATIONS: dict[str, Floats] = {
    "ones": np.ones(40),
    "spread": np.exp(RNG.standard_normal(40) * 4),
    "some-zero": np.where(np.arange(40) % 3 == 0, 0.0, RNG.random(40)),
    "one-channel": np.eye(40)[7],
    "tiny": RNG.random(40) * 1e-200,
    "huge": RNG.random(40) * 1e100,
}


def sums_of(weights: NDArray[np.float32], rows: int, columns: int) -> ChannelSums:
    sums = ChannelSums.zeros(weights.shape[1])
    for top in range(0, weights.shape[0], rows):
        for left in range(0, weights.shape[1], columns):
            sums.update(weights[top : top + rows, left : left + columns], left)
    return sums


@pytest.mark.parametrize("activations", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())
@pytest.mark.parametrize(("rows", "columns"), [(300, 40), (7, 40), (64, 9)])
def test_entropy_and_hill_2_of_importance(activations: Floats, rows: int, columns: int) -> None:
    x = np.abs(WEIGHTS.astype(np.float64)) * (activations / activations.max())
    p = x[x > 0] / x.sum()
    sums = sums_of(WEIGHTS, rows, columns)
    assert sums.entropy(activations) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-9)
    assert sums.hill_2(activations) == pytest.approx(1 / (p * p).sum(), rel=1e-9)


def test_by_hand() -> None:
    # x = 1 x 2, 3 x 2 and 4 x 1: p = 1/6, 1/2, 1/3.
    sums = ChannelSums.zeros(2)
    sums.update(np.array([[1, -4], [-3, 0]], np.int8))
    assert sums.s.tolist() == [4, 4]
    assert sums.q.tolist() == [10, 16]
    expected = np.log(6) / 6 + np.log(2) / 2 + np.log(3) / 3
    assert sums.entropy(np.array([2.0, 1.0])) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("activations", [np.zeros(40), np.eye(40)[3]], ids=["none", "dead-channel"])
def test_without_importance_both_are_undefined(activations: Floats) -> None:
    sums = sums_of(WEIGHTS, 300, 40)
    assert sums.entropy(activations) is None
    assert sums.hill_2(activations) is None


def test_merging_halves_is_the_whole() -> None:
    whole, half = sums_of(WEIGHTS, 100, 40), sums_of(WEIGHTS[:100], 100, 40)
    half.merge(sums_of(WEIGHTS[100:], 100, 40))
    assert half.entropy(ACTIVATIONS["spread"]) == pytest.approx(
        whole.entropy(ACTIVATIONS["spread"]), rel=1e-14
    )


def test_numbers_that_are_not_finite_are_left_out() -> None:
    damaged = WEIGHTS.copy()
    damaged[0], damaged[1], damaged[2] = np.nan, np.inf, -np.inf
    kept = sums_of(damaged, 300, 40)
    assert kept.s.tolist() == pytest.approx(sums_of(WEIGHTS[3:], 300, 40).s.tolist(), rel=1e-14)
