"""Code that was written for the original analyzer: its calls run as they stand, its report's facts are there."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from model_zoo.deep_nets import deep
from oracles.plotted import words

from nnea_graph import NNEfficiencyAnalyzer, Visualizer
from nnea_graph.errors import UsageError


@pytest.fixture(scope="module")
def analyzer() -> NNEfficiencyAnalyzer:
    found = NNEfficiencyAnalyzer(deep(3))
    data = np.random.default_rng(0).normal(size=(8, 12)).astype(np.float32)
    found.analyze(data, passes="+sensitivity", verbose=False)
    return found


def test_a_visualizer_takes_the_analyzer_with_each_plot(analyzer: NNEfficiencyAnalyzer) -> None:
    viz = Visualizer()
    drawn: list[Figure] = [
        viz.plot_layer_importance_distribution(analyzer, figsize=(15, 10)),
        viz.plot_efficiency_radar(analyzer, layer_idx=0),
        viz.plot_layer_comparison(analyzer),
        viz.plot_pruning_sensitivity(analyzer),
        viz.plot_neural_pathways(analyzer),
        viz.plot_pathway_flow(analyzer),
    ]
    assert drawn[0].get_size_inches().tolist() == [15, 10]
    bound = Visualizer(analyzer)
    same = [
        bound.plot_layer_importance_distribution(figsize=(15, 10)),
        bound.plot_efficiency_radar(0),
        bound.plot_layer_comparison(),
        bound.plot_pruning_sensitivity(),
        bound.plot_neural_pathways(),
        bound.plot_pathway_flow(),
    ]
    assert [words(figure) for figure in drawn] == [words(figure) for figure in same]


def test_an_analyzer_given_with_the_plot_goes_before_that_of_the_visualizer(
    analyzer: NNEfficiencyAnalyzer,
) -> None:
    other = NNEfficiencyAnalyzer(deep(5))
    other.analyze(passes="cost,weight_statistics", verbose=False)
    assert words(Visualizer(analyzer).plot_layer_comparison(other)) == words(
        Visualizer(other).plot_layer_comparison()
    )


def test_the_radar_is_of_the_largest_layer_where_none_is_named(analyzer: NNEfficiencyAnalyzer) -> None:
    sizes = [layer.parameters for layer in analyzer.report.layers]
    largest = Visualizer().plot_efficiency_radar(analyzer, sizes.index(max(sizes)))
    assert words(Visualizer().plot_efficiency_radar(analyzer)) == words(largest)


def test_a_visualizer_of_nothing_says_where_the_analyzer_goes() -> None:
    with pytest.raises(UsageError, match=r"nothing to draw: give the analyzer, Visualizer\(analyzer\)"):
        Visualizer().plot_layer_comparison()
    with pytest.raises(UsageError, match="nothing to draw"):
        Visualizer().figures()


def test_the_printed_report_has_what_the_original_prints(
    analyzer: NNEfficiencyAnalyzer, capfd: pytest.CaptureFixture[str]
) -> None:
    analyzer.print_report()
    lines = capfd.readouterr().out.splitlines()
    labels = {line[2:24].strip() for line in lines if line.startswith("  ")}
    assert labels >= {
        "layers",
        "parameters",
        "effective weights",
        "utilization",
        "compression potential",
        "avg. layer redundancy",
        "sparsity",
        "MACs",
        "training FLOPs",
    }
    layers = next(line for line in lines if line.startswith("  layers "))
    assert layers.split()[1] == str(len(analyzer.layer_analyses))
    start = next(place for place, line in enumerate(lines) if line.startswith("Layer by layer"))
    rows = lines[start + 3 : start + 3 + len(analyzer.layer_analyses)]
    assert all(" MatMul " in row and " 144 " in row for row in rows), "no row of its own"
    assert any(line.startswith("        →") for line in lines), "no recommendation"
