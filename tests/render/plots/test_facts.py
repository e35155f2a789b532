"""What plots show is what the report says, at every bar and every point."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from numpy.typing import NDArray
from oracles.plotted import bars, large, names, panel, shown_texts, small, static

from nnea_graph import Visualizer
from nnea_graph.report.schema.analysis import Report

FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)


def lines(axes: Axes) -> dict[str, NDArray[np.float64]]:
    """Points (x, y) by label."""
    return {str(line.get_label()): np.asarray(line.get_xydata(), np.float64) for line in axes.lines}


@pytest.mark.parametrize("report", [small, large])
def test_layers_are_compared_by_their_own_numbers_in_order(report: object) -> None:
    assert callable(report)
    found: Report = report()
    figure = Visualizer(found).plot_layer_comparison()
    for title, wanted in {
        "parameters": [layer.parameters for layer in found.layers],
        "MACs": [layer.macs for layer in found.layers],
        "utilization": [layer.metrics and layer.metrics.utilization for layer in found.layers],
        "redundancy": [layer.metrics and layer.metrics.redundancy for layer in found.layers],
    }.items():
        np.testing.assert_allclose(bars(panel(figure, title)), np.array(wanted, float))


def test_layers_are_called_as_in_the_source() -> None:
    assert names(Visualizer(small()).plot_layer_comparison().axes[0]) == ["fc1", "fc2", "fc3"]


def test_neighbors_that_are_folded_add_up() -> None:
    report = large(420)
    figure = Visualizer(report).plot_layer_comparison()
    drawn = bars(panel(figure, "parameters"))
    assert len(drawn) == 140
    assert drawn.sum() == pytest.approx(sum(layer.parameters for layer in report.layers))
    first = [layer.metrics for layer in report.layers[:3]]
    mean = np.average(
        [m.redundancy or 0 for m in first if m is not None], weights=[m.count for m in first if m]
    )
    assert bars(panel(figure, "redundancy"))[0] == pytest.approx(mean)


def test_curves_are_the_lorenz_curves_and_the_whole_is_that_of_all_weights() -> None:
    report = small()
    drawn = lines(Visualizer(report).plot_cumulative_importance().axes[0])
    for layer, name in zip(report.layers, ("fc1", "fc2", "fc3"), strict=True):
        assert layer.metrics is not None
        assert layer.metrics.lorenz is not None
        np.testing.assert_allclose(drawn[name][:, 1], layer.metrics.lorenz)
        area = np.trapezoid(drawn[name][:, 1], drawn[name][:, 0])
        assert 1 - 2 * area == pytest.approx(layer.metrics.gini, abs=2e-3)
    whole = drawn["all layers together"][:, 1]
    assert whole[0] == 0
    assert whole[-1] == pytest.approx(1)
    assert (np.diff(whole, 2) > -1e-9).all()


def test_bars_of_the_distribution_lie_between_the_quantiles_of_the_weights() -> None:
    report = static()
    axes = Visualizer(report).plot_layer_importance_distribution().axes[0]
    segments = next(each for each in axes.collections if each.get_label() == "25 to 75").get_paths()
    largest = lines(axes)["largest"]
    for place, layer in enumerate(report.layers):
        assert layer.weight_metrics is not None
        low, high = np.asarray(segments[place].vertices)[:, 0]
        sizes = np.abs(_weights(place))
        assert np.quantile(sizes, 0.22) < low < np.quantile(sizes, 0.28)
        assert np.quantile(sizes, 0.72) < high < np.quantile(sizes, 0.78)
        assert largest[place, 0] == pytest.approx(sizes.max())


def _weights(place: int) -> NDArray[np.float64]:
    """Of ``deep_nets.deep``, drawn again."""
    random = np.random.default_rng(0)
    found = [random.normal(0, 1 / (1 + at % 7), (12, 12)) for at in range(place + 1)]
    return found[-1].astype(np.float32).astype(np.float64)


def test_costs_are_shares_of_the_totals() -> None:
    report = small()
    figure = Visualizer(report).plot_cost_breakdown()
    axes = panel(figure, "by layer")
    assert names(axes) == ["fc2", "fc1", "fc3"]
    order = [report.layers[1], report.layers[0], report.layers[2]]
    assert report.totals.macs
    assert report.totals.parameters
    np.testing.assert_allclose(
        bars(axes, "MACs"), [(layer.macs or 0) / report.totals.macs for layer in order]
    )
    np.testing.assert_allclose(
        bars(axes, "parameters"), [layer.parameters / report.totals.parameters for layer in order]
    )
    heading = "Cost: 50.4 K MACs (101 K FLOPs), 384 other FLOPs, 50.8 K parameters"
    assert any(heading in shown.words for shown in shown_texts(figure))


def test_what_does_not_fit_into_the_costs_is_said_in_words() -> None:
    report = large()
    figure = Visualizer(report).plot_cost_breakdown()
    axes = panel(figure, "by layer")
    shown = bars(axes, "MACs").sum()
    rest = next(each.words for each in shown_texts(figure) if "more" in each.words)
    assert rest.startswith("134 more: ")
    assert float(rest.split()[2]) == pytest.approx(100 * (1 - shown), abs=0.06)


def test_sensitivity_is_what_was_measured() -> None:
    report = small()
    figure = Visualizer(report).plot_pruning_sensitivity()
    assert report.sensitivity is not None
    curves = lines(panel(figure, "all layers at once"))
    wanted = [
        (point.fraction, point.accuracy)
        for point in report.sensitivity.points
        if (point.unit, point.criterion) == ("weights", "importance")
    ]
    np.testing.assert_allclose(curves["weights by importance"], np.array(wanted, float))
    cells = np.asarray(panel(figure, "one layer").images[0].get_array(), float)
    for row, layer in zip(cells, report.layers, strict=True):
        assert layer.sensitivity is not None
        by_share = {
            point.fraction: point.relative_l2
            for point in layer.sensitivity.points
            if (point.unit, point.criterion) == ("weights", "importance")
        }
        known = np.array([by_share[share] for share in FRACTIONS], float)
        np.testing.assert_allclose(row, np.maximum(known, 1e-4))
    assert isinstance(panel(figure, "one layer").images[0].norm, LogNorm)


def test_static_losses_are_points_of_the_lorenz_curve() -> None:
    report = static()
    figure = Visualizer(report).plot_pruning_sensitivity()
    cells = np.asarray(panel(figure, "one layer").images[0].get_array(), float)
    for row, layer in zip(cells, report.layers, strict=True):
        assert layer.weight_metrics is not None
        assert layer.weight_metrics.lorenz is not None
        np.testing.assert_allclose(row, [layer.weight_metrics.lorenz[round(100 * at)] for at in FRACTIONS])


def test_paths_run_through_their_channels() -> None:
    report = small()
    assert report.pathways is not None
    figure = Visualizer(report).plot_neural_pathways()
    axes = figure.axes[0]
    stops = [text.get_text() for text in axes.get_xticklabels()]
    assert stops == ["x", "fc1", "fc2", "fc3"]
    numbers = {(float(note.xy[0]), float(note.xy[1])): int(note.get_text()) for note in axes.texts}  # type: ignore[attr-defined]
    drawn = Counter(
        tuple(numbers[x, y] for x, y in np.asarray(line.get_xydata()).tolist())
        for line in axes.lines
        if line.get_linestyle() == "-"
    )
    assert drawn == Counter(tuple(unit.channel for unit in path.units) for path in report.pathways.paths)


def test_a_larger_share_is_a_wider_line() -> None:
    found = Visualizer(small()).plot_neural_pathways().axes[0].lines
    widths = [line.get_linewidth() for line in found if line.get_linestyle() == "-"]
    assert all(a <= b for a, b in pairwise(widths))
    assert widths[0] < widths[-1]


def test_flow_is_that_of_the_layers() -> None:
    report = small()
    axes = Visualizer(report).plot_pathway_flow().axes[0]
    np.testing.assert_allclose(bars(axes, "all channels"), [layer.flow or 0 for layer in report.layers])
    busiest = [sum(each.flow for each in layer.top_channels or ()) for layer in report.layers]
    np.testing.assert_allclose(bars(axes, "the ten busiest"), busiest)
    even = lines(axes)["ten channels if all were alike"][:, 0]
    np.testing.assert_allclose(even, [10 / 256, 10 / 128, 1.0])


def test_the_radar_has_its_corners_at_the_layers_numbers() -> None:
    report = small()
    for place, layer in enumerate(report.layers):
        metrics = layer.metrics
        assert metrics is not None
        assert metrics.reach is not None
        assert metrics.sparsity is not None
        assert metrics.gini is not None
        wanted = [
            metrics.utilization,
            metrics.normalized_entropy,
            1 - metrics.gini,
            1 - metrics.sparsity["1e-2"],
            metrics.reach["90"],
        ]
        axes = Visualizer(report).plot_efficiency_radar(place).axes[0]
        corners = lines(axes)[f"fc{place + 1}"][:5]
        np.testing.assert_allclose([math.hypot(x, y) for x, y in corners], np.array(wanted, float))
