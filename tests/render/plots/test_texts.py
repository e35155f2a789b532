"""Plots can be read: no text covers another or is cut, for 3 and for 150 layers, and axes say their units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from model_zoo.deep_nets import deep
from oracles.plotted import large, outside, overlapping, shown_texts, small, static, words

from nnea_graph import Visualizer, analyze
from nnea_graph.render.plots.visualizer import PLOTS
from nnea_graph.report.schema.analysis import Report

REPORTS = [
    pytest.param(small, id="3-layers"),
    pytest.param(static, id="3-layers-static"),
    pytest.param(large, id="150-layers"),
    pytest.param(lambda: large(420), id="folded"),
]


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.parametrize("report", REPORTS)
def test_no_text_covers_another_or_is_cut(report: Callable[[], Report], name: str) -> None:
    figure = PLOTS[name](Visualizer(report()))
    shown = shown_texts(figure)
    assert list(overlapping(shown)) == []
    assert outside(figure, shown) == []


def test_texts_that_cover_each_other_are_found() -> None:
    figure = Figure(figsize=(4, 4))
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "another")
    figure.text(0.98, 0.2, "beyond the edge")
    shown = shown_texts(figure)
    assert list(overlapping(shown)) == [("one", "another")]
    assert outside(figure, shown) == ["beyond the edge"]


UNITS = {
    "cost_breakdown": ("share of the model", " %", "MACs", "FLOPs", "parameters"),
    "layer_comparison": ("parameters", "MACs", "utilization", "redundancy", " %", "exp(H)/n"),
    "layer_importance_distribution": ("|w| · mean |a| of a weight (logarithmic", "median", "largest"),
    "cumulative_importance": ("share of the weights", "share of importance that they hold", " %"),
    "efficiency_radar": (" %", "exp(H) / n", "1 − Gini", "share of the weights"),
    "pruning_sensitivity": ("share set to zero", "accuracy", "relative change of the outputs", ", in %"),
    "neural_pathways": ("numbers are channels", "% of all path mass"),
    "pathway_flow": ("share of all path mass (flow)", " %"),
}


@pytest.mark.parametrize("name", PLOTS)
def test_axes_say_what_they_count_and_the_heading_what_of(name: str) -> None:
    text = words(PLOTS[name](Visualizer(small())))
    assert "digits_mlp.onnx · 60 samples of arrays" in text
    for part in UNITS[name]:
        assert part in text


HOSTILE = [
    pytest.param("$\\frac{{1}}{{0}}$ {{}} _^", id="mathematics"),
    pytest.param("深層\u202e\x1b[2J\n", id="letters-without-a-glyph"),
    pytest.param("<script>&amp;", id="markup"),
    pytest.param("W" * 300, id="long"),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_only_shown(name: str) -> None:
    made = deep(3, name=name + ".{}")
    report = analyze(made, np.ones((2, 12), np.float32))
    for figure in Visualizer(report).figures().values():
        shown = shown_texts(figure)
        assert outside(figure, shown) == []
        assert list(overlapping(shown)) == []
