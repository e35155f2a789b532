"""Intervals: coverage by simulation, and exact counts by brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nnea_graph.stats.intervals import (
    PairedCounts,
    bootstrap_difference,
    mcnemar,
    paired_difference,
    samples_needed,
    smallest_provable_loss,
    wilson,
)

DRAWS = 1_000


@pytest.mark.parametrize(("share", "samples"), [(0.5, 64), (0.9, 200), (0.95, 450), (0.8, 1_000)])
def test_wilson_intervals_hold_the_share_in_95_percent_of_draws(share: float, samples: int) -> None:
    hits = np.random.default_rng(1).binomial(samples, share, DRAWS)
    held = sum(found.holds(share) for each in hits if (found := wilson(int(each), samples)))
    assert 0.93 <= held / DRAWS <= 0.97


@pytest.mark.parametrize(
    "cells",
    [(0.85, 0.06, 0.04, 0.05), (0.70, 0.15, 0.05, 0.10), (0.60, 0.10, 0.10, 0.20), (0.90, 0.05, 0.02, 0.03)],
)
def test_paired_intervals_hold_the_difference_in_95_percent_of_draws(
    cells: tuple[float, float, float, float],
) -> None:
    drawn = np.random.default_rng(2).multinomial(450, cells, DRAWS)
    truth = cells[1] - cells[2]
    held = sum(
        found.holds(truth) for row in drawn if (found := paired_difference(PairedCounts(*map(int, row))))
    )
    assert 0.93 <= held / DRAWS <= 0.97


def test_the_bootstrap_holds_the_mean_in_95_percent_of_draws() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(DRAWS):
        first, second = random.normal(0.3, 1, 100), random.normal(0, 1, 100)
        found = bootstrap_difference(first, second)
        held += found is not None and found.holds(0.3)
    assert 0.93 <= held / DRAWS <= 0.97


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (3, 1), (5, 5), (2, 8)])
def test_mcnemar_is_the_share_of_coin_throws_at_least_as_uneven(first: int, second: int) -> None:
    apart = first + second
    uneven = [abs(2 * sum(throw) - apart) >= abs(first - second) for throw in product((0, 1), repeat=apart)]
    assert mcnemar(PairedCounts(10, first, second, 3)) == pytest.approx(min(1.0, sum(uneven) / len(uneven)))


def test_mcnemar_of_thousands_of_samples_is_a_probability() -> None:
    assert mcnemar(PairedCounts(0, 2_000, 1_000, 0)) < 1e-60
    assert mcnemar(PairedCounts(0, 1_500, 1_500, 0)) == pytest.approx(1.0)


def test_answers_are_counted_in_pairs() -> None:
    first = np.array([True, True, False, False, True])
    second = np.array([True, False, True, False, True])
    assert PairedCounts.of(first, second) == PairedCounts(2, 1, 1, 1)


def test_no_samples_have_no_interval() -> None:
    assert wilson(0, 0) is None
    assert paired_difference(PairedCounts(0, 0, 0, 0)) is None
    assert bootstrap_difference(np.zeros(0), np.zeros(0)) is None


def test_64_equal_answers_cannot_exclude_half_a_point() -> None:
    found = paired_difference(PairedCounts(64, 0, 0, 0))
    assert found is not None
    assert found.high > 0.005
    assert smallest_provable_loss(64) == pytest.approx(0.0566, abs=1e-4)


@pytest.mark.parametrize("loss", [0.005, 0.01, 0.05])
def test_so_many_samples_are_needed(loss: float) -> None:
    needed = samples_needed(loss)
    assert smallest_provable_loss(needed) <= loss < smallest_provable_loss(needed - 2)
