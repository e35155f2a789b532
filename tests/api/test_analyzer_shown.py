"""What the analyzer prints, and what a notebook shows."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from model_zoo.deep_nets import deep

from nnea_graph import NNEfficiencyAnalyzer, Report, analyze, quick_analyze

MODELS = Path(__file__).parents[2] / "models"
MLP, DIGITS = MODELS / "digits_mlp.onnx", MODELS / "digits.npz"


def test_one_line_is_printed_or_none(capfd: pytest.CaptureFixture[str]) -> None:
    analyzer = NNEfficiencyAnalyzer(MLP)
    analyzer.analyze(DIGITS, samples=20)
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.startswith("digits_mlp.onnx: 3 layers, 50,826 parameters, utilization ")
    assert said.out.count("\n") == 1
    analyzer.analyze(passes="cost")
    assert "utilization not known" in capfd.readouterr().out
    analyzer.analyze(DIGITS, samples=20, verbose=False)
    assert capfd.readouterr() == ("", "")


def test_quick_analyze_prints_the_report_and_how_to_save_plots(capfd: pytest.CaptureFixture[str]) -> None:
    analyzer = quick_analyze(MLP, DIGITS)
    shown = capfd.readouterr()
    assert "Layer by layer" in shown.out
    assert shown.out.splitlines()[-1] == (
        "plots: from nnea_graph import Visualizer; Visualizer(analyzer).save_all('plots')"
    )
    assert shown.err == ""
    quick_analyze(MLP, DIGITS, visualize=False)
    assert capfd.readouterr().out + shown.out[shown.out.rindex("\nplots: ") :] == shown.out
    analyzer.print_report()
    assert "Layer by layer" in capfd.readouterr().out


def test_quick_analyze_says_what_to_install_for_plots(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnea_graph.render.plots.visualizer.find_spec", lambda _: None)
    quick_analyze(MLP)
    last = capfd.readouterr().out.splitlines()[-1]
    assert last == "not drawn: plots need matplotlib: pip install 'nnea-graph[plots]'"


def test_a_notebook_gets_the_plots_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    running = SimpleNamespace(kernel=object())
    shell = SimpleNamespace(get_ipython=lambda: running, version_info=(9, 0))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=shown.append))
    quick_analyze(MLP, DIGITS)
    assert len(shown) == 8
    assert all(figure._repr_png_()[:4] == b"\x89PNG" for figure in shown[:1])


def test_a_terminal_of_ipython_is_no_notebook(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    quick_analyze(MLP)
    assert "save_all" in capfd.readouterr().out


def test_the_summary_is_plain_data(digits: NNEfficiencyAnalyzer) -> None:
    summary = json.loads(json.dumps(digits.get_summary()))
    assert summary["framework"] == "onnx"
    assert summary["global_metrics"] == digits.global_metrics
    assert [layer["name"] for layer in summary["layers"]] == ["fc1", "fc2", "fc3"]
    assert summary["layers"][0]["gini_coefficient"] == digits.layer_analyses[0].metrics["gini_coefficient"]
    assert summary["findings"]


class Tables(HTMLParser):
    """Cells of all tables, and every tag that there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style"}
        self.tags.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data.strip()


def shown_in_a_notebook(thing: Report | NNEfficiencyAnalyzer) -> Tables:
    return Tables(getattr(thing, "_repr_html_")())  # noqa: B009 - IPython's own way


def test_a_notebook_shows_report_and_analyzer_as_tables(digits: NNEfficiencyAnalyzer) -> None:
    table = shown_in_a_notebook(digits)
    assert table.cells == shown_in_a_notebook(digits.report).cells
    for cell in ("fc1", "Gemm", "16,640", "101 K", "50,826"):
        assert cell in table.cells
    assert getattr(NNEfficiencyAnalyzer(MLP), "_repr_html_")() is None  # noqa: B009


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "</td></table><b>", "&lt;x&gt;", '"><img src=x>']
)
def test_names_in_the_table_are_only_text(name: str) -> None:
    report = analyze(deep(30, name=name + "{}"), passes="cost,weight_statistics")
    table = shown_in_a_notebook(report)
    assert set(table.tags) <= {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td"}
    assert any(name[:20] in cell for cell in table.cells)


def test_what_is_not_known_is_a_dash_in_the_table() -> None:
    report = analyze(MLP, passes="cost")
    table = shown_in_a_notebook(report)
    assert "–" in table.cells
    assert "None" not in " ".join(table.cells)


def test_one_line_stands_for_an_analyzer(digits: NNEfficiencyAnalyzer) -> None:
    assert repr(NNEfficiencyAnalyzer(MLP)) == "<NNEfficiencyAnalyzer (onnx): nothing analyzed yet>"
    assert repr(digits).startswith(
        "<NNEfficiencyAnalyzer (onnx): digits_mlp.onnx: 3 layers, 50,826 parameters"
    )


def test_one_line_stands_for_a_report(digits: NNEfficiencyAnalyzer) -> None:
    count = len(digits.report.findings)
    assert (
        repr(digits.report)
        == f"<Report of digits_mlp.onnx: 50,826 parameters, 50,432 MACs, {count} findings>"
    )
    assert repr(analyze(MLP, passes="shape_inference")).startswith(
        "<Report of digits_mlp.onnx: parameters not known, MACs not known, "
    )
