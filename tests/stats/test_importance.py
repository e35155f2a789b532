"""Weighing a weight in blocks of rows: the same sums and the same distribution however it is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles.weighing import along, grouped

from nnea_graph.graph.constants import constant_of
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.weight_layout import Layout
from nnea_graph.stats import importance
from nnea_graph.stats.importance import WeightImportance, weigh
from nnea_graph.stats.metrics import metrics

Array = NDArray[Any]
RNG = np.random.default_rng(0)


def weighed(weight: Array, layout: Layout, activations: Array) -> WeightImportance:
    return weigh(constant_of("w", weight, BY_NAME[weight.dtype.name]), layout, activations)


CONV = RNG.standard_normal((12, 4, 3, 3)).astype(np.float32)
MEANS = RNG.random(12)
CASES = {
    "input-of-a-convolution": (Layout(1, ("input", 0), 1, 1, 0), MEANS[:4], along(CONV, 1, MEANS[:4]), 1, 0),
    "output-of-a-convolution": (Layout(1, ("output", 0), 1, 0, 1), MEANS, along(CONV, 0, MEANS), 0, 1),
    "last-axis": (Layout(1, ("input", 0), -1, -1, -2), MEANS[:3], along(CONV, 3, MEANS[:3]), 3, 2),
    "a-scalar-for-all": (Layout(1, ("input", 0), -1, None, 0), MEANS[:1], np.abs(CONV), None, 0),
}


@pytest.mark.parametrize("chunk", [1, 40, 1000])
@pytest.mark.parametrize("name", CASES)
def test_sums_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch, chunk: int, name: str) -> None:
    layout, means, x, by_input, by_output = CASES[name]
    monkeypatch.setattr(importance, "CHUNK", chunk)
    found = weighed(CONV, layout, means)
    x = x.astype(np.float64)
    rows = (
        np.moveaxis(x, by_input, 0).reshape(x.shape[by_input], -1)
        if by_input is not None
        else x.reshape(1, -1)
    )
    assert found.inputs == pytest.approx(rows.sum(1))
    assert found.outputs == pytest.approx(np.moveaxis(x, by_output, 0).reshape(x.shape[by_output], -1).sum(1))
    assert metrics(found.distribution).mean == pytest.approx(x.mean(), rel=1e-6)
    own = np.abs(CONV.astype(np.float64))
    plain = np.moveaxis(own, by_input, 0).reshape(rows.shape) if by_input is not None else own.reshape(1, -1)
    assert found.sums.s == pytest.approx(plain.sum(1))
    assert found.sums.q == pytest.approx((plain**2).sum(1))


@pytest.mark.parametrize("chunk", [1, 40, 1000])
@pytest.mark.parametrize("groups", [2, 3, 12])
def test_groups_are_told_apart_in_any_block(monkeypatch: pytest.MonkeyPatch, chunk: int, groups: int) -> None:
    monkeypatch.setattr(importance, "CHUNK", chunk)
    means = RNG.random(4 * groups)
    x = grouped(CONV, groups, means, along_first=False)
    found = weighed(CONV, Layout(1, ("input", 0), 1, 1, 0, groups=groups), means)
    by_channel = np.zeros(4 * groups)
    for row in range(12):
        for place in range(4):
            by_channel[row // (12 // groups) * 4 + place] += x[row, place].sum()
    assert found.inputs == pytest.approx(by_channel)
    assert found.outputs == pytest.approx(x.sum((1, 2, 3)))
    assert found.sums.entropy(means) == pytest.approx(_entropy(x), abs=1e-9)
    assert metrics(found.distribution).entropy == pytest.approx(_entropy(x), abs=1e-6)


def _entropy(x: Array) -> float:
    p = x.reshape(-1) / x.sum()
    p = p[p > 0]
    return -float((p * np.log(p)).sum())


def test_the_smallest_integer_has_a_magnitude() -> None:
    found = weighed(np.array([[-128, 1]], np.int8), Layout(1, ("input", 0), 1, 1, 0), np.array([1.0, 1.0]))
    assert found.inputs.tolist() == [128, 1]
    assert found.distribution.max == 128


@pytest.mark.parametrize(
    ("weight", "mean", "nan", "inf"),
    [
        (np.nan, 1, 1, 0),
        (np.inf, 1, 0, 1),
        (-np.inf, 2, 0, 1),
        (np.inf, 0, 1, 0),
        (1, np.nan, 1, 0),
        (3e38, 10, 0, 1),
    ],
)
def test_what_is_no_number_is_counted_and_in_no_sum(weight: float, mean: float, nan: int, inf: int) -> None:
    found = weighed(
        np.array([[weight, 2]], np.float32), Layout(1, ("input", 0), 1, 1, 0), np.array([mean, 1.0])
    )
    assert (found.distribution.nan, found.distribution.inf, found.distribution.finite) == (nan, inf, 1)
    assert np.isfinite(found.inputs).all()
    assert np.isfinite(found.sums.s).all()
    assert found.inputs[1] == 2
