"""Rows: against plain numpy, in pieces of any size and along either axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.graph.constants import constant_of
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.stats.row_facts import Grid, multiple_rows, row_facts

Array = NDArray[Any]


def grid(rows: Array, out_axis: int) -> Grid:
    """Rows by inputs by taps as a weight of either layout."""
    stored = np.ascontiguousarray(np.moveaxis(rows, 0, out_axis))
    return Grid(constant_of("w", stored, BY_NAME[stored.dtype.name]), out_axis, 1 - out_axis)


def weight(dtype: type) -> Array:
    rows = np.random.default_rng(1).normal(size=(12, 6, 4))
    rows[3] = rows[1]
    rows[5] = 0
    rows[6] = -0.0
    rows[7] = np.abs(rows[7])
    rows[8] = -np.abs(rows[8])
    rows[:, 2] = 0
    rows[9] = rows[1]
    rows[9, 5, 3] += 1e-6
    rows[10] = rows[1][::-1]
    return rows.astype(dtype)


@pytest.mark.parametrize("chunk", [1, 50, 1 << 18])
@pytest.mark.parametrize("out_axis", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_facts_are_those_of_the_rows(
    chunk: int, out_axis: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnea_graph.stats.row_facts.CHUNK", chunk)
    rows = weight(dtype)
    found = row_facts(grid(rows, out_axis))
    np.testing.assert_array_equal(found.positive, (rows > 0).any((1, 2)))
    np.testing.assert_array_equal(found.negative, (rows < 0).any((1, 2)))
    np.testing.assert_array_equal(found.nonzero, (rows != 0).any((1, 2)))
    np.testing.assert_array_equal(found.used, (rows != 0).any((0, 2)))
    lines = rows.reshape(len(rows), -1)
    farthest = np.abs(lines).argmax(1)
    np.testing.assert_array_equal(found.peak, lines[np.arange(len(rows)), farthest])
    form = found.sketch / np.where(found.peak == 0, 1, found.peak)
    alike = np.abs(form[:, None] - form) < 1e-12
    np.testing.assert_array_equal(alike, (rows[:, None] == rows).all((2, 3)))


@pytest.mark.parametrize("chunk", [1, 60, 1 << 18])
def test_inputs_of_several_groups_are_told_apart(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnea_graph.stats.row_facts.CHUNK", chunk)
    rows = np.random.default_rng(2).normal(size=(12, 2, 3)).astype(np.float32)
    rows[4:8, 1] = 0
    assert row_facts(grid(rows, 0), groups=3).used.tolist() == [True, True, True, False, True, True]


@pytest.mark.parametrize("out_axis", [0, 1])
def test_pairs_are_compared_number_for_number(out_axis: int) -> None:
    one, other = np.array([1, 1, 5, 1]), np.array([3, 9, 6, 10])
    found = multiple_rows(grid(weight(np.float32), out_axis), one, other, np.ones(4), 0.0)
    assert found.tolist() == [True, False, True, False]


@pytest.mark.parametrize("out_axis", [0, 1])
def test_multiples_are_found_to_within_rounding(out_axis: int) -> None:
    rows = weight(np.float32)
    rows[2], rows[4] = -3.7 * rows[1], 0.25 * rows[1]
    facts = row_facts(grid(rows, out_axis))
    form = facts.sketch / np.where(facts.peak == 0, 1, facts.peak)
    np.testing.assert_allclose(form[[2, 4]], form[1], atol=1e-6)
    one, other = np.array([2, 4, 2, 9]), np.array([1, 1, 1, 1])
    times = np.array([-3.7, 0.25, -3.6999, 1.0])
    found = multiple_rows(grid(rows, out_axis), one, other, times, 2.0**-22)
    assert found.tolist() == [True, True, False, False]
