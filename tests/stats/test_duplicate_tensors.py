"""Duplicates: what stands for what, and that only what may have a twin is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.graph import Constant
from nnea_graph.graph.constants import constant_of
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.stats.duplicate_tensors import Duplicate, duplicates

RNG = np.random.default_rng(0)
A = RNG.normal(size=(20, 30)).astype(np.float32)
B = RNG.normal(size=(20, 30)).astype(np.float32)


def constants(**tensors: NDArray[Any]) -> list[Constant]:
    return [constant_of(name, values, BY_NAME[values.dtype.name]) for name, values in tensors.items()]


def kinds(**tensors: NDArray[Any]) -> list[tuple[str, str, str, bool, float]]:
    found = duplicates(constants(**tensors))
    return [(each.tensor, each.of, each.kind, each.exact, each.factor) for each in found]


@pytest.mark.parametrize(
    ("twin", "expected"),
    [
        pytest.param(A.copy(), ("identical", True, 1.0), id="identical"),
        pytest.param(A.reshape(30, 20), ("reshaped", True, 1.0), id="the same numbers in another shape"),
        pytest.param(np.ascontiguousarray(A.T), ("transposed", True, 1.0), id="transposed"),
        pytest.param(A * np.float32(-0.5), ("scaled", True, -0.5), id="times a power of two"),
        pytest.param(A * np.float32(3.3), ("scaled", ANY, pytest.approx(3.3)), id="times a number"),
        pytest.param(
            (A * (1 + 1e-6 * RNG.normal(size=A.shape))).astype(np.float32),
            ("scaled", False, pytest.approx(1, rel=1e-5)),
            id="nearly the same",
        ),
        pytest.param(A + np.float32(0.01), None, id="shifted"),
        pytest.param(RNG.normal(size=A.shape).astype(np.float32), None, id="another"),
        pytest.param(A.astype(np.float64), None, id="another type"),
    ],
)
def test_a_twin_is_told_by_what_makes_it(twin: NDArray[Any], expected: tuple[Any, ...] | None) -> None:
    found = kinds(a=A, b=B, twin=twin)
    if expected is None:
        assert found == []
    else:
        kind, exact, factor = expected
        assert found == [("twin", "a", kind, exact, factor)]


def test_of_three_two_are_too_many_and_bytes_are_those_that_would_go() -> None:
    found = duplicates(constants(a=A, b=A, c=B, d=A))
    assert found == [
        Duplicate("b", "a", "identical", A.nbytes),
        Duplicate("d", "a", "identical", A.nbytes),
    ]


def test_that_the_last_element_differs_is_seen() -> None:
    large = RNG.normal(size=10_000).astype(np.float32)
    other = large.copy()
    other[-1] += 1
    assert kinds(a=large, b=other) == []


def test_fills_and_small_tensors_are_no_multiples() -> None:
    ones, zeros = np.ones(64, np.float32), np.zeros(64, np.float32)
    assert kinds(a=ones, b=2 * ones, c=zeros) == []
    assert kinds(a=np.arange(15.0), b=np.arange(15.0)) == []


@dataclass(frozen=True)
class Counting:
    """A payload that keeps a record of what was read."""

    flat: NDArray[Any]
    asked: list[int]

    def elements(self, start: int, stop: int) -> NDArray[Any]:
        self.asked.append(stop - start)
        return self.flat[start:stop]


def test_tensors_without_a_twin_are_not_read_to_their_end() -> None:
    asked: list[int] = []
    members = [
        Constant(name, BY_NAME["float32"], (100_000,), Counting(values, asked), values.nbytes)
        for name, values in ((name, RNG.normal(size=100_000).astype(np.float32)) for name in ("a", "b", "c"))
    ]
    assert duplicates(members) == []
    assert sum(asked) < 20_000
