"""Spread: against plain numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from nnea_graph.stats.outliers import CrestFactor, spread


def test_crest_outliers_and_dead_range_are_those_of_their_definitions() -> None:
    values = np.random.default_rng(0).normal(0.1, 1, (100, 5000)).astype(np.float32)
    values[0, :20] = 50
    values[1, :3] = -50
    found = spread(values)
    wide = values.astype(np.float64)
    assert found.count == values.size
    assert found.crest == pytest.approx(50 / np.sqrt((wide**2).mean()))
    assert found.outliers == np.count_nonzero(np.abs(wide - wide.mean()) > 6 * wide.std()) == 23
    used = np.sort(np.abs(wide).reshape(-1))[-501]
    assert found.dead_range == pytest.approx(1 - used / 50)
    assert (found.overflowing, found.subnormal) == (0, int(np.count_nonzero(np.abs(wide) < 2.0**-14)))


def test_what_float16_cannot_hold_is_counted() -> None:
    values = np.array([65504, 65505, -1e30, 2.0**-14, 2.0**-15, 1e-30, 0], np.float32)
    found = spread(values)
    assert (found.overflowing, found.subnormal) == (2, 2)


def test_of_zeros_nothing_is_said() -> None:
    assert spread(np.zeros((3, 4), np.float32)) == CrestFactor(12, None, 0, None, 0, 0)
