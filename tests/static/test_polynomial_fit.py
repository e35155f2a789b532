"""Counts as exact polynomials."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hostile.support.models import model, op, tensor, typed
from hypothesis import given, settings
from hypothesis import strategies as st

from nnea_graph.api.analyze import analyze
from nnea_graph.static.polynomial_fit import Polynomial, fit


def fitted(symbols: str, function: Callable[..., int | None], step: int = 1) -> Polynomial | None:
    names = list(symbols)
    (found,) = fit(names, [1] * len(names), [[step]] * len(names), lambda at: [function(*at)])
    return found


@pytest.mark.parametrize(
    ("function", "terms"),
    [
        (lambda n: 0 * n, {}),
        (lambda n: 7 + 0 * n, {(0,): 7}),
        (lambda n: 3 * n, {(1,): 3}),
        (lambda n: n**3 - n, {(1,): -1, (3,): 1}),
        (lambda n: n * (n + 1) // 2, {(1,): Fraction(1, 2), (2,): Fraction(1, 2)}),
        (lambda n: 10**40 * n + 1, {(0,): 1, (1,): 10**40}),
    ],
)
def test_a_polynomial_in_one_symbol_is_found_exactly(
    function: Callable[[int], int], terms: dict[tuple[int, ...], Fraction]
) -> None:
    found = fitted("n", function)
    assert found is not None
    assert found.terms == terms


def test_a_polynomial_in_two_symbols_is_found_exactly() -> None:
    found = fitted("nm", lambda n, m: 5 + 2 * n * m**2 + n)
    assert found is not None
    assert found.terms == {(0, 0): 5, (1, 0): 1, (1, 2): 2}
    assert found({"n": 10, "m": 10}) == 5 + 2000 + 10


@pytest.mark.parametrize(
    "function",
    [lambda n: 2**n, lambda n: n**4, lambda n: n % 3, lambda n: abs(n - 3), lambda n: None if n > 2 else n],
)
def test_what_is_no_polynomial_is_none(function: Callable[[int], int | None]) -> None:
    assert fitted("n", function) is None


def test_a_floor_is_a_polynomial_at_multiples() -> None:
    (found,) = fit(["n"], [32], [[1, 8]], lambda at: [at[0] // 8])
    assert found is not None
    assert found.steps == (8,)
    assert found({"n": 80}) == 10


def test_a_patch_embedding_is_no_constant_in_the_size_of_its_image() -> None:
    """32 to 39 make four patches of 8; the formula has to hold at 40 too."""
    patches = op("Conv", ["x", "w"], ["y"], strides=[8, 8])
    weight = tensor("w", np.ones((4, 3, 8, 8)))
    made = model([patches], [typed("x", "batch", 3, "height", 32)], weights=[weight])
    totals = analyze(made, passes="cost", dims={"height": 32}).totals
    assert totals.macs_formula == "384*height*batch"
    assert totals.macs_formula_note == "exact for height at multiples of 8"


def test_a_model_that_ends_early_is_looked_at_where_it_still_accepts() -> None:
    found = fitted("n", lambda n: 3 * n if n < 20 else None)
    assert found is not None
    assert fitted("n", lambda n: 3 * n if n < 6 else None) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 50), min_size=4, max_size=4),
    st.lists(st.integers(0, 50), min_size=4, max_size=4),
)
def test_any_product_of_two_cubics_without_negative_terms_comes_back(
    first: list[int], second: list[int]
) -> None:
    def value(n: int, m: int) -> int:
        powers = [[n**k for k in range(4)], [m**k for k in range(4)]]
        return int(np.dot(np.array(first, object), powers[0]) * np.dot(np.array(second, object), powers[1]))

    found = fitted("nm", value)
    assert found is not None
    assert found.terms == {(i, j): a * b for i, a in enumerate(first) for j, b in enumerate(second) if a * b}
