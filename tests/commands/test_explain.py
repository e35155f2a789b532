"""``nnea-graph explain``."""

from __future__ import annotations

import pytest

from nnea_graph.commands.cli import run_command_line


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run_command_line(["explain", *words]) == 0
    return capsys.readouterr().out


def test_a_metric_has_its_formula_units_and_limits(capsys: pytest.CaptureFixture[str]) -> None:
    page = explained(capsys, "util.")
    assert page.startswith("utilization\n")
    assert all(word in page for word in ("exp(H) / n", "0 to 1", "Hill (1973)", "good for", "not for"))


def test_a_rule_has_its_rationale_and_mitigation(capsys: pytest.CaptureFixture[str]) -> None:
    page = explained(capsys, "nnea201")
    assert page.startswith("NNEA201 (note)\n  rationale")
    assert "mitigation" in page


def test_without_a_word_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    page = explained(capsys)
    assert all(word in page for word in ("utilization", "peak activations", "NNEA101", "NNEA234"))


def test_an_unknown_word_is_an_error_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["explain", "utilisation"]) == 2
    assert "did you mean 'utilization'" in capsys.readouterr().err
