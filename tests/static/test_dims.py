"""Symbols: what they are called, which numbers they take, and formulas in them."""

from __future__ import annotations

import pytest
from hostile.support.models import ints, model, op, typed
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto

from nnea_graph.api.analyze import analyze, load
from nnea_graph.errors import UsageError
from nnea_graph.static.dims import Dims, DimsFit, evaluate, is_batch, resolve, symbolic_inputs


@pytest.mark.parametrize(
    ("formula", "number"),
    [
        ("n", 31),
        ("5", 5),
        ("n + 1", 32),
        ("2*n - m", 55),
        ("floor(n/2) + 1", 16),
        ("ceil(n/2)", 16),
        ("ceiling(n/2)", 16),
        ("n//2", 15),
        ("n % 7", 3),
        ("n/2", None),
        ("m - n", None),
        ("-n", None),
        ("n/0", None),
        ("n//0", None),
        ("k", None),
        ("n**n", None),
        ("n.real", None),
        ("n[0]", None),
        ("abs(n)", None),
        ("floor(n, m)", None),
        ("floor(n/2", None),
        ("True", 1),
        ("1.5", None),
        ("'n'", None),
        ("n if n else m", None),
        ("(lambda: n)()", None),
        ("__import__('os')", None),
        ("9" * 5000, None),
        ("n" + "*n" * 20, None),
    ],
)
def test_a_formula_is_arithmetic_on_symbols_and_nothing_else(formula: str, number: int | None) -> None:
    assert evaluate(formula, {"n": 31, "m": 7}) == number


def test_a_name_that_looks_like_a_formula_is_a_name_first() -> None:
    assert evaluate("n + 1", {"n + 1": 5, "n": 31}) == 5


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="nm0123456789+-*/%() .,[]'_", max_size=40))
def test_any_text_is_a_number_or_unknown(text: str) -> None:
    found = evaluate(text, {"n": 3, "m": 4})
    assert found is None or 0 <= found <= 1 << 62


@pytest.mark.parametrize(
    ("symbol", "batch"),
    [
        ("batch", True),
        ("batch_size", True),
        ("N", True),
        ("bs", True),
        ("num_batches", True),
        ("width", False),
        ("nb2", False),
    ],
)
def test_a_symbol_that_counts_samples_is_known_by_name(symbol: str, *, batch: bool) -> None:
    assert is_batch(symbol) is batch


def test_nameless_dims_get_names() -> None:
    made = model(
        [op("Add", ["a", "b"], ["y"])],
        [typed("a", None, 3, "?"), typed("b", "unk__12", "s1", "s1"), typed("c", None)],
    )
    shapes = {name: info.shape for name, info in symbolic_inputs(load(made)).items()}
    assert shapes == {"a": ("batch", 3, "a.2"), "b": ("batch", "s1", "s1"), "c": ("c.0",)}


def pooled() -> ModelProto:
    """Accepts images from 64 on."""
    node = op("MaxPool", ["x"], ["y"], kernel_shape=[50, 50])
    return model([node], [typed("x", "batch", 3, "height", "width")])


def test_the_smallest_usual_size_that_the_model_accepts_is_assumed() -> None:
    report = analyze(pooled(), passes="cost")
    assert report.dims == {"batch": 1, "height": 64, "width": 64}
    assert list(report.assumed_dims) == ["batch", "height", "width"]


def test_what_the_user_gives_is_not_assumed() -> None:
    report = analyze(pooled(), passes="cost", dims={"height": 50})
    assert report.dims["height"] == 50
    assert list(report.assumed_dims) == ["batch", "width"]


def test_a_size_that_the_model_refuses_is_an_error_if_the_user_gave_all() -> None:
    with pytest.raises(Exception, match="MaxPool"):
        analyze(pooled(), passes="cost", dims={"height": 5, "width": 5})


def test_where_no_size_fits_the_report_says_so() -> None:
    made = model(
        [op("Reshape", ["x", "s"], ["y"])], [typed("x", "width")], weights=[ints("s", -1, 7, 11, 13)]
    )
    report = analyze(made, passes="cost")
    assert [each.rule for each in report.findings if each.rule == "NNEA104"]


def test_the_search_for_sizes_has_an_end() -> None:
    graph = load(model([op("Relu", ["x"], ["y"])], [typed("x", *(f"s{n}x" for n in range(30)))]))
    tried: list[Dims] = []

    def refuse(dims: Dims) -> DimsFit:
        tried.append(dims)
        return DimsFit.NOT

    assert resolve(graph, {}, {}, refuse).note
    assert 10 <= len(tried) < 1000


@pytest.mark.parametrize(
    ("dims", "shapes", "said"),
    [
        ({"depth": 1}, {}, "no symbolic dim 'depth'; it has batch, height, width"),
        ({"height": -1}, {}, "outside 0 … 2\\^62"),
        ({}, {"z": (1,)}, "no input 'z'; it has x"),
        ({}, {"x": (1, 3)}, "has 4 dims, not 2"),
        ({"height": 9}, {"x": (1, 3, 8, 8)}, "dim 'height' is given as 9 and as 8"),
    ],
)
def test_dims_that_cannot_be_are_refused(
    dims: dict[str, int], shapes: dict[str, tuple[int, ...]], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        resolve(load(pooled()), dims, shapes, lambda _: DimsFit.WHOLLY)
