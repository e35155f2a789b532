from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nnea_graph.render.sanitize import inert, shorten, shorten_all

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=80)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("/enc/layer.0/Conv", "/enc/layer.0/Conv", id="plain"),
        pytest.param("\x1b[2J", r"\x1b[2J", id="ansi"),
        pytest.param("\x9b31m", r"\x9b31m", id="c1"),
        pytest.param("a\nb\r\tc", r"a\nb\r\tc", id="newline"),
        pytest.param("a\u202eb\u2066c\u200f", r"a\u202eb\u2066c\u200f", id="bidi"),
        pytest.param("a\u200bb\u00adc", r"a\u200bb\xadc", id="zero-width"),
        pytest.param("a\u3164\u2800b", r"a\u3164\u2800b", id="blank"),
        pytest.param("\udc80", r"\udc80", id="surrogate"),
        pytest.param("\u0301a", r"\u0301a", id="accent-first"),
        pytest.param("e\u0301e\u0301", "e\u0301e\u0301", id="accents"),
        pytest.param("e\u0301\u0301\u0301", "e\u0301\u0301" + r"\u0301", id="tower"),
        pytest.param("[bold]模型[/bold]", "[bold]模型[/bold]", id="markup-and-wide"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(name: str, shown: str) -> None:
    assert inert(name) == shown


def test_ten_megabytes_of_name_become_two_thousand_characters() -> None:
    assert len(inert("\x1b" * 10_000_000)) <= 4 * 2001


@given(NAMES, st.integers(1, 40))
def test_a_shortened_name_fits(name: str, width: int) -> None:
    assert cell_len(shorten(inert(name), width)) <= width


def test_both_ends_of_a_long_name_are_kept() -> None:
    assert shorten("encoder.layers.0.linear1.MatMul", 15) == "encoder….MatMul"


@given(st.lists(NAMES, max_size=20), st.integers(12, 40))
def test_shortened_together_names_fit_and_different_ones_differ(names: list[str], width: int) -> None:
    names = [inert(name) for name in names]
    found = shorten_all(names, width)
    assert all(cell_len(name) <= width for name in found)
    assert len(set(found)) == len(set(names))


@pytest.mark.parametrize(
    ("names", "width", "found"),
    [
        pytest.param(["a.b", "a.c"], 8, ["a.b", "a.c"], id="fit"),
        pytest.param(["module/long/x", "module/long/y"], 12, ["…/x", "…/y"], id="shared-path"),
        pytest.param(
            ["model.layers.0.q", "model.layers.1.q"], 14, ["….layers.0.q", "….layers.1.q"], id="index"
        ),
        pytest.param(
            [f"encoder.{a}.attention_b.{b}.module.{c}.dense" for a, b, c in ("000", "010", "001")],
            20,
            ["….att.0.mod.0.dense", "….att.1.mod.0.dense", "….att.0.mod.1.dense"],
            id="first-letters",
        ),
        pytest.param(
            [f"{'a' * 20}{c}{'a' * 20}" for c in "xy"], 12, ["aaaa…aaaaa~1", "aaaa…aaaaa~2"], id="numbers"
        ),
    ],
)
def test_shortening_keeps_what_tells_names_apart(names: list[str], width: int, found: list[str]) -> None:
    assert shorten_all(names, width) == found
