"""Metrics against sums and sorts in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.stats import accumulate, metrics

Array = NDArray[Any]


def float32(*values: float) -> Array:
    return np.array(values, np.float32)


RNG = np.random.default_rng(7)
NORMAL = (RNG.standard_normal(10_000_000, np.float32) * np.float32(0.02)).astype(np.float32)
CAUCHY = RNG.standard_cauchy(100_000).astype(np.float32)


def at_cell_edges() -> Array:
    """Numbers at the two ends of cells only, where their variance is furthest from the middle."""
    lower = np.arange(0x3F80_0000, 0x3F90_0000, 1 << 10, dtype=np.int32).view(np.float32)
    upper = np.nextafter(np.roll(lower, -1)[:-1], np.float32(0))
    return np.concatenate([lower, upper, lower, upper, float32(1e-4, 3)])


VALUES: dict[str, Array] = {
    "one": float32(-0.3),
    "fp32-64": NORMAL[:64],
    "fp32-10k": NORMAL[:10_000],
    "fp32-10M": NORMAL,
    "fp32-equal": np.full(5_000, -0.1, np.float32),
    "fp32-heavy-tail": CAUCHY,
    "fp32-pruned": np.where(np.abs(NORMAL[:200_000]) < 0.02, np.float32(0), NORMAL[:200_000]),
    "fp32-dequantized": RNG.integers(-127, 128, 50_000).astype(np.float32) * np.float32(0.0123),
    "fp32-cell-edges": at_cell_edges(),
    "fp32-one-cell": np.float32(1) + RNG.integers(0, 1000, 20_000).astype(np.float32) * np.float32(2**-23),
    "fp32-subnormal": (RNG.standard_normal(20_000) * 1e-40).astype(np.float32),
    "fp32-normal-and-subnormal": (RNG.standard_normal(20_000) * 1e-37).astype(np.float32),
    "fp32-extremes": np.resize(float32(1e-38, 1e38, 1e-42, 0, -3e38), 10_000),
    "fp16": NORMAL[:100_000].astype(np.float16).astype(np.float32),
    "fp16-subnormal": (NORMAL[:100_000] * np.float32(1e-4)).astype(np.float16),
    "bf16": (NORMAL[:100_000].view(np.uint32) & np.uint32(0xFFFF_0000)).view(np.float32),
    "int8": RNG.integers(-128, 128, 100_000).astype(np.int8),
    "uint8": RNG.integers(0, 256, 300).astype(np.uint8),
    "int4": RNG.integers(-8, 8, 70_001).astype(np.int8),
    "bool": RNG.integers(0, 2, 1000).astype(np.bool_),
    "int16": RNG.integers(-(2**15), 2**15, 10_000).astype(np.int16),
    "int32": RNG.integers(-(2**31), 2**31, 10_000).astype(np.int32),
    "int64-lowest": np.array([-(2**63), 5], np.int64),
    "fp64": RNG.standard_normal(70_000),
    "fp64-equal": np.full(9, 0.1),
    "fp64-large": RNG.standard_normal(1000) * 1e300,
    "fp64-small": RNG.standard_normal(1000) * 1e-300,
    "fp64-wide": np.exp(RNG.standard_normal(10_000) * 20),
}
EXACT = ["one", "fp32-equal", "fp16", "fp16-subnormal", "bf16", "int8", "uint8", "int4", "bool"]

cases = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())


def scaled(values: Array) -> tuple[NDArray[np.float64], float]:
    """Magnitudes in float64, sorted, and the power of two they were divided by to keep squares in range."""
    x = np.sort(np.abs(values.astype(np.float64)))
    exponent = int(np.frexp(x[-1])[1])
    return np.ldexp(x, -exponent), exponent


def lorenz(x: NDArray[np.float64], places: Array | float) -> Array:
    heights = np.append(0, np.cumsum(x)) / x.sum()
    result: Array = np.interp(places, np.arange(x.size + 1) / x.size, heights)
    return result


@cases
def test_entropy_and_what_follows_from_it(values: Array) -> None:
    x, _ = scaled(values)
    p = x[x > 0] / x.sum()
    entropy = -float((p * np.log(p)).sum())
    m = metrics(accumulate([values]))
    assert m.entropy == pytest.approx(entropy, rel=1e-9, abs=1e-15)
    assert m.effective_weights == pytest.approx(np.exp(entropy), rel=1e-9)
    assert m.utilization == pytest.approx(np.exp(entropy) / x.size, rel=1e-9)
    if x.size == 1:
        assert m.normalized_entropy is m.redundancy is None
    else:
        assert m.normalized_entropy == pytest.approx(entropy / np.log(x.size), rel=1e-9, abs=1e-15)
        assert m.redundancy == pytest.approx(1 - entropy / np.log(x.size), abs=1e-9)


@cases
def test_hill_numbers(values: Array) -> None:
    x, _ = scaled(values)
    m = metrics(accumulate([values]))
    assert m.hill_0 == np.count_nonzero(x)
    assert m.hill_2 == pytest.approx(x.sum() ** 2 / (x * x).sum(), rel=2e-9)
    assert m.hill_inf == pytest.approx(x.sum() / x[-1], rel=1e-12)


@cases
def test_gini_lies_within_its_bound(values: Array) -> None:
    x, _ = scaled(values)
    n = x.size
    gini = float(((2 * np.arange(1, n + 1) - n - 1) * x).sum() / (n * x.sum()))
    m = metrics(accumulate([values]))
    assert m.gini is not None
    assert m.gini_bound is not None
    assert abs(m.gini - gini) <= m.gini_bound + 1e-13
    assert m.gini_bound <= 2**-16


@pytest.mark.parametrize("name", EXACT)
def test_gini_and_curve_are_exact_where_cells_hold_one_value(name: str) -> None:
    m = metrics(accumulate([VALUES[name]]))
    assert m.gini_bound == m.curve_bound == 0


def test_gini_of_ordinary_weights_is_known_to_nine_digits() -> None:
    m = metrics(accumulate([NORMAL]))
    assert m.gini_bound is not None
    assert m.gini_bound < 1e-9


@cases
def test_mean_deviation_and_largest(values: Array) -> None:
    x, exponent = scaled(values)
    m = metrics(accumulate([values]))
    assert m.max == np.abs(values.astype(np.float64)).max()
    assert m.mean == pytest.approx(np.ldexp(x.mean(), exponent), rel=1e-12)
    assert m.std is not None
    std = float(np.ldexp(m.std, -exponent))
    assert abs(std**2 - x.var()) <= 2e-9 * float((x * x).mean())


@cases
def test_sparsity_is_the_share_strictly_below(values: Array) -> None:
    x = np.abs(values.astype(np.float64))
    expected = {
        "0": np.mean(x == 0),
        "1e-3": np.mean(x < 1e-3),
        "1e-2": np.mean(x < 1e-2),
        "1e-1": np.mean(x < 1e-1),
    }
    assert metrics(accumulate([values])).sparsity == expected


@pytest.mark.parametrize("threshold", [1e-3, 1e-2, 1e-1])
def test_sparsity_compares_float32_as_real_numbers(threshold: float) -> None:
    near = np.float32(threshold)
    values = np.repeat(
        np.array([np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(1))]), 5000
    )
    expected = np.mean(values.astype(np.float64) < threshold)
    sparsity = metrics(accumulate([values])).sparsity
    assert sparsity is not None
    assert expected in sparsity.values()
    assert expected in (1 / 3, 2 / 3)


@cases
def test_lorenz_curve_and_shares_of_the_top(values: Array) -> None:
    x, _ = scaled(values)
    m = metrics(accumulate([values]))
    assert m.lorenz is not None
    assert m.top_share is not None
    assert m.curve_bound is not None
    assert m.curve_bound <= 2**-15
    assert m.lorenz[0] == 0
    assert m.lorenz[100] == 1
    assert np.abs(lorenz(x, np.arange(101) / 100) - m.lorenz).max() <= m.curve_bound + 1e-12
    assert list(m.top_share) == ["1", "5", "10", "20", "50"]
    for percent, share in m.top_share.items():
        assert share == pytest.approx(1 - m.lorenz[100 - int(percent)], abs=1e-15)


@cases
def test_reach_is_the_fraction_where_the_true_curve_passes(values: Array) -> None:
    x, _ = scaled(values)
    m = metrics(accumulate([values]))
    assert m.reach is not None
    assert m.curve_bound is not None
    assert list(m.reach) == ["50", "80", "90"]
    for percent, fraction in m.reach.items():
        held = 1 - float(lorenz(x, 1 - fraction))
        assert held == pytest.approx(int(percent) / 100, abs=m.curve_bound + 1e-9)


def test_four_numbers_by_hand() -> None:
    # Gini = ((-3)0 + (-1)1 + 1 x 1 + 3 x 2) / (4 x 4); the largest of four holds half, the two of 1 the rest.
    m = metrics(accumulate([float32(1, 0, -2, 1)]))
    assert m.entropy == pytest.approx(1.5 * np.log(2), rel=1e-15)
    assert m.effective_weights == pytest.approx(2**1.5, rel=1e-15)
    assert (m.count, m.zeros, m.hill_0, m.hill_2, m.hill_inf) == (4, 1, 3, 16 / 6, 2)
    assert (m.gini, m.mean, m.std, m.max) == (6 / 16, 1, 0.5**0.5, 2)
    assert m.sparsity == {"0": 0.25, "1e-3": 0.25, "1e-2": 0.25, "1e-1": 0.25}
    assert m.reach == pytest.approx({"50": 0.25, "80": 0.55, "90": 0.65})
    assert m.top_share == pytest.approx({"1": 0.02, "5": 0.1, "10": 0.2, "20": 0.4, "50": 0.75})
    assert m.lorenz is not None
    assert m.lorenz[25] == 0
    assert m.lorenz[50] == 0.25
    assert m.lorenz[75] == 0.5
