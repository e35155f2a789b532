"""Accumulator: degenerate input, refusals, and independence of how the numbers were split."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnea_graph.errors import PassError
from nnea_graph.graph import DTYPES, Constant
from nnea_graph.graph.constants import CHUNK, FillPayload, constant_of
from nnea_graph.stats import Accumulator, accumulate, measure, metrics
from nnea_graph.stats.histogram import Counter, count_doubles

FLOAT32 = DTYPES[1]
UNDEFINED = {
    "entropy",
    "normalized_entropy",
    "effective_weights",
    "utilization",
    "redundancy",
    "gini",
    "gini_bound",
    "hill_2",
    "hill_inf",
    "top_share",
    "reach",
    "lorenz",
    "curve_bound",
}


def parts(acc: Accumulator) -> tuple[Any, ...]:
    numbers = (acc.finite, acc.zeros, acc.nan, acc.inf, acc.min, acc.max, acc.below)
    return *numbers, acc.cells.low, acc.cells.table.tolist()


def nones(acc: Accumulator) -> set[str]:
    result = metrics(acc)
    return {field.name for field in fields(result) if getattr(result, field.name) is None}


def mixed(size: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    values = (rng.standard_normal(size) * np.exp(rng.standard_normal(size) * 5)).astype(np.float32)
    values[::97] = 0
    values[5::1001] = 1e-42
    return values


def test_of_no_numbers_everything_is_undefined() -> None:
    assert nones(Accumulator()) == UNDEFINED | {"hill_0", "mean", "std", "max", "sparsity"}
    assert nones(accumulate([np.zeros((0, 3), np.float32)])) == nones(Accumulator())


@pytest.mark.parametrize("size", [1, 3, 300_000])
def test_of_zeros_alone_shares_are_undefined(size: int) -> None:
    acc = accumulate([-np.zeros(size, np.float32)])
    m = metrics(acc)
    assert nones(acc) == UNDEFINED
    assert (m.count, m.zeros, m.hill_0, m.mean, m.std, m.max) == (size, size, 0, 0, 0, 0)
    assert m.sparsity == {"0": 1, "1e-3": 1, "1e-2": 1, "1e-1": 1}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("repeats", [1, 20_000])
def test_nan_and_infinities_are_counted_and_left_out(dtype: type, repeats: int) -> None:
    values: NDArray[Any] = np.array([1, np.nan, -np.inf, np.inf, -np.nan, 0, -3, np.nan], dtype)
    acc = accumulate([np.tile(values, repeats)])
    assert (acc.nan, acc.inf) == (3 * repeats, 2 * repeats)
    assert metrics(acc).entropy == metrics(accumulate([np.tile([1.0, 0, 3], repeats)])).entropy
    assert metrics(acc).max == 3


def test_nothing_but_nan_leaves_everything_undefined() -> None:
    acc = accumulate([np.full(10_000, np.nan, np.float32)])
    assert nones(acc) == nones(Accumulator())
    assert metrics(acc).nan == 10_000


@pytest.mark.parametrize("dtype", [np.complex64, np.str_, np.object_])
def test_only_real_numbers_are_taken(dtype: type) -> None:
    with pytest.raises(PassError, match=r"statistics are of real numbers, not .+: leave such tensors out"):
        accumulate([np.zeros(2, dtype)])


def test_strided_and_big_endian_arrays_count_as_their_values() -> None:
    values = mixed(30_000).reshape(100, 300)
    expected = parts(accumulate([np.ascontiguousarray(values[::2, ::3])]))
    assert parts(accumulate([values[::2, ::3]])) == expected
    assert parts(accumulate([values.astype(">f4")[::2, ::3]])) == expected


def test_measure_counts_what_accumulate_counts() -> None:
    values = mixed((1 << 20) + 17)
    expected = parts(accumulate([values]))
    assert parts(measure(constant_of("w", values, FLOAT32))) == expected


def test_a_lent_counter_keeps_nothing() -> None:
    counter, values = Counter(CHUNK), mixed(300_000)
    accumulate([values[::-1] * np.float32(3)], counter)
    assert parts(accumulate([values], counter)) == parts(accumulate([values]))


def test_the_input_is_not_changed() -> None:
    values = mixed(100_000)
    values.flags.writeable = False
    before = values.copy()
    accumulate([values])
    assert np.array_equal(values, before)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 60_000), max_size=5), st.permutations(range(6)), st.integers(0, 5))
def test_any_split_merged_in_any_order_is_the_same(cuts: list[int], order: list[int], doubled: int) -> None:
    values = mixed(60_000)
    pieces: list[NDArray[Any]] = np.split(values, sorted(cuts))
    pieces[doubled % len(pieces)] = pieces[doubled % len(pieces)].astype(np.float64)
    whole = Accumulator()
    for place in order:
        if place < len(pieces):
            whole.merge(accumulate([pieces[place]]))
    assert parts(whole) == parts(accumulate([values]))


def test_update_counts_what_accumulate_counts() -> None:
    values, acc = mixed(20_000), Accumulator()
    acc.update(values[:50].reshape(5, 10))
    acc.update(values[50:])
    assert parts(acc) == parts(accumulate([values]))


def test_merging_leaves_the_other_alone() -> None:
    other, acc = accumulate([mixed(5000)]), Accumulator()
    before = parts(other)
    acc.merge(other)
    acc.merge(other)
    assert parts(other) == before
    assert acc.finite == 10_000


def test_sums_of_more_values_than_a_packed_sum_holds() -> None:
    # 2^26 values fill the packed sums; all lie in one cell, close to its upper edge.
    value, size = np.nextafter(np.float32(0.25), np.float32(0)), (1 << 26) + (1 << 20)
    acc = measure(Constant("w", FLOAT32, (size,), FillPayload(value, np.dtype(np.float32)), 0))
    assert acc.cells.table[0].tolist() == [size]
    assert metrics(acc).mean == float(value)


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.int64, np.uint64])
def test_wide_types_that_hold_float32_count_as_float32(dtype: type) -> None:
    singles = np.rint(mixed(300_000) * 100) if np.issubdtype(dtype, np.integer) else mixed(300_000)
    singles = np.abs(singles).clip(0, 1 << 24)
    assert parts(accumulate([singles.astype(dtype)])) == parts(accumulate([singles]))


@pytest.mark.parametrize("scale", [1.0, 1e-310, 1e-311, 1e305, 5e-324])
def test_cells_of_float64_are_those_of_exact_arithmetic(scale: float) -> None:
    values = np.random.default_rng(1).uniform(1, 500, 3000) * scale
    counts: dict[int, int] = defaultdict(int)
    distances: dict[int, int] = defaultdict(int)
    for value in values.tolist():
        exponent = math.frexp(value)[1] - 1
        # The place in its binade in units of 2^-43, to the nearest.
        place = math.floor((Fraction(value) / Fraction(2) ** exponent - 1) * 2**43 + Fraction(1, 2))
        number = ((exponent + 1074) << 13) + (place >> 30)
        counts[number] += 1
        distances[number] += place & (2**30 - 1)
    cells = count_doubles(values)
    filled = np.flatnonzero(cells.table[0]) + cells.low
    assert dict(zip(filled.tolist(), cells.table[0, filled - cells.low].tolist(), strict=True)) == counts
    assert {number: int(cells.table[1, number - cells.low]) for number in counts} == distances
    assert cells.table[1].sum() == sum(distances.values())
