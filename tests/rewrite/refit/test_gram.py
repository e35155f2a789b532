"""Sums that are streamed give what least squares on all rows at once gives."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from nnea_graph.rewrite.refit.gram import Floats, Gram, WeightUpdate, gram_bytes

GROUPS, ROWS, COLUMNS, OUTPUTS = 3, 200, 7, 4


def rows(seed: int, count: int = ROWS) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(GROUPS, COLUMNS, COLUMNS))
    x = rng.normal(2, 1, (GROUPS, count, COLUMNS)) @ mixing
    return x, x @ rng.normal(size=(GROUPS, COLUMNS, OUTPUTS)) + rng.normal(3, 1, (GROUPS, count, OUTPUTS))


def gram(x: Floats, r: Floats, *, intercept: bool = True, blocks: int = 1) -> Gram:
    found = Gram(GROUPS, COLUMNS, OUTPUTS, intercept)
    for part_x, part_r in zip(np.array_split(x, blocks, 1), np.array_split(r, blocks, 1), strict=True):
        found.add(part_x, part_r)
    return found


def with_ones(x: Floats) -> Floats:
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], 2)


def brute(x: Floats, r: Floats, ridge: float, *, intercept: bool) -> Floats:
    """numpy's least squares, one group after the other, the ridge as rows of their own; the last row is the bias."""
    found = np.zeros((GROUPS, COLUMNS + 1, OUTPUTS))
    for group in range(GROUPS):
        centered = x[group] - x[group].mean(0) * intercept
        weight = np.sqrt(ridge * np.square(centered).sum() / COLUMNS) * np.eye(COLUMNS)
        width = COLUMNS + intercept
        design = np.vstack([with_ones(x)[group][:, :width], np.pad(weight, ((0, 0), (0, width - COLUMNS)))])
        wanted = np.vstack([r[group], np.zeros((COLUMNS, OUTPUTS))])
        found[group, :width] = np.linalg.lstsq(design, wanted, rcond=None)[0]
    return found


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("ridge", [1e-8, 1e-2, 1.0])
def test_the_step_is_that_of_least_squares_with_ridge(ridge: float, intercept: bool) -> None:  # noqa: FBT001
    x, r = rows(0)
    step = gram(x, r, intercept=intercept, blocks=7).solved(ridge)
    expected = brute(x, r, ridge, intercept=intercept)
    np.testing.assert_allclose(step.weight, expected[:, :-1], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(step.bias, expected[:, -1], rtol=1e-6, atol=1e-7)


def test_an_infinite_ridge_moves_the_bias_alone() -> None:
    x, r = rows(1)
    step = gram(x, r).solved(inf)
    assert not step.weight.any()
    np.testing.assert_allclose(step.bias, r.mean(1))


def test_the_error_of_a_step_is_that_on_the_rows() -> None:
    x, r = rows(3)
    rng = np.random.default_rng(4)
    step = WeightUpdate(rng.normal(size=(GROUPS, COLUMNS, OUTPUTS)), rng.normal(size=(GROUPS, OUTPUTS)))
    left = r - x @ step.weight - step.bias[:, None]
    np.testing.assert_allclose(gram(x, r, blocks=3).error(step), np.square(left).sum(1), rtol=1e-9)
    np.testing.assert_allclose(gram(x, r).error(), np.square(r).sum(1), rtol=1e-9)


def test_sums_of_two_halves_are_sums_of_the_whole() -> None:
    x, r = rows(5)
    half = gram(x[:, :90], r[:, :90])
    half.merge(gram(x[:, 90:], r[:, 90:]))
    whole = gram(x, r)
    assert half.rows == whole.rows == ROWS
    for name in ("xx", "xr", "rr", "x", "r"):
        np.testing.assert_allclose(getattr(half, name), getattr(whole, name), rtol=1e-12)


def test_what_nothing_is_lacking_is_left_as_it_is() -> None:
    x, r = rows(6)
    step = gram(x, 0 * r).solved(1e-6)
    assert not step.weight.any()
    assert not step.bias.any()


def test_a_group_that_reads_a_constant_changes_its_bias_alone() -> None:
    x, r = rows(7)
    x[1] = 0.25
    step = gram(x, r).solved(1e-6)
    assert not step.weight[1].any()
    np.testing.assert_allclose(step.bias[1], r[1].mean(0))
    assert step.weight[0].all()


def test_columns_that_depend_on_each_other_are_no_hindrance() -> None:
    x, r = rows(8)
    x[:, :, 6] = x[:, :, 0] - 2 * x[:, :, 1]
    step = gram(x, r).solved(1e-8)
    for group in range(GROUPS):
        best = np.linalg.lstsq(with_ones(x)[group], r[group], rcond=None)[0]
        left = r[group] - with_ones(x)[group] @ best
        np.testing.assert_allclose(gram(x, r).error(step)[group], np.square(left).sum(0), rtol=1e-6)


def test_what_is_not_finite_is_noticed() -> None:
    x, r = rows(9)
    assert gram(x, r).finite
    x[0, 0, 0] = np.inf
    with np.errstate(invalid="ignore"):
        assert not gram(x, r).finite


def test_the_sums_take_what_is_said() -> None:
    found = Gram(GROUPS, COLUMNS, OUTPUTS)
    assert found.xx.nbytes + found.xr.nbytes == gram_bytes(GROUPS, COLUMNS, OUTPUTS)
