"""Plots of a report, by matplotlib: it is imported when the first one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from nnea_graph.errors import OutputError, UsageError
from nnea_graph.render.page import Page
from nnea_graph.report.schema.analysis import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nnea_graph.render.plots.figure import Plot

INSTALL = "pip install 'nnea-graph[plots]'"

Size = tuple[float, float] | None

_WIDTH = 80


class HasReport(Protocol):
    """An analyzer."""

    @property
    def report(self) -> Report:
        """Report of what it has found."""
        ...


Source: TypeAlias = HasReport | Report | None


class Visualizer:
    """Draws what an analyzer, or a report, holds; every plot is a matplotlib Figure that pyplot knows nothing of.

    The analyzer is given here, or to each method: ``Visualizer().plot_layer_comparison(analyzer)``.
    Each method takes ``figsize`` in inches and ``save``, a path whose suffix says the form (.svg, .png, .pdf).
    Layers come in execution order; from a few hundred on, neighbors are drawn as one.

    Raises:
        UsageError: matplotlib is not installed, or there is no analyzer.
        OutputError: ``save`` cannot be written.
    """

    def __init__(self, source: Source = None) -> None:
        if find_spec("matplotlib") is None:
            raise UsageError(f"plots need matplotlib: {INSTALL}")
        self._own = None if source is None else _page(source)

    def plot_layer_importance_distribution(
        self, source: Source = None, figsize: Size = None, *, save: str | Path | None = None
    ) -> Figure:
        """Draws the distribution of |w| mean|a| (without data |w|) of each layer, on a logarithmic scale."""
        from nnea_graph.render.plots.layers import distribution  # noqa: PLC0415 - matplotlib is imported here

        return self._drawn(lambda page: distribution(page, figsize), source, save)

    def plot_layer_comparison(
        self, source: Source = None, figsize: Size = None, *, save: str | Path | None = None
    ) -> Figure:
        """Parameters, MACs, utilization and redundancy of every layer."""
        from nnea_graph.render.plots.layers import comparison  # noqa: PLC0415

        return self._drawn(lambda page: comparison(page, figsize), source, save)

    def plot_efficiency_radar(
        self,
        source: Source | int = None,
        layer_idx: int | None = None,
        figsize: Size = None,
        *,
        save: str | Path | None = None,
    ) -> Figure:
        """Draws the weight usage of one layer, beside the mean of all.

        Without ``layer_idx`` it is the layer with most parameters; a negative number counts from the last one.
        Where the Visualizer has the analyzer, the layer's number may come first.
        """
        from nnea_graph.render.plots.radar import radar  # noqa: PLC0415

        if isinstance(source, int):
            source, layer_idx = None, source
        return self._drawn(
            lambda page: radar(page, _largest(page) if layer_idx is None else layer_idx, figsize),
            source,
            save,
        )

    def plot_pruning_sensitivity(
        self, source: Source = None, figsize: Size = None, *, save: str | Path | None = None
    ) -> Figure:
        """Draws what the output loses with the least important weights; where not measured, the heading says so."""
        from nnea_graph.render.plots.sensitivity import sensitivity  # noqa: PLC0415

        return self._drawn(lambda page: sensitivity(page, figsize), source, save)

    def plot_cumulative_importance(
        self, source: Source = None, figsize: Size = None, *, save: str | Path | None = None
    ) -> Figure:
        """Lorenz curves of the layers."""
        from nnea_graph.render.plots.layers import cumulative  # noqa: PLC0415

        return self._drawn(lambda page: cumulative(page, figsize), source, save)

    def plot_neural_pathways(
        self, source: Source = None, figsize: Size = None, *, save: str | Path | None = None
    ) -> Figure:
        """The best paths, channel by channel."""
        from nnea_graph.render.plots.pathways import neural_pathways  # noqa: PLC0415

        return self._drawn(lambda page: neural_pathways(page, figsize), source, save)

    def plot_pathway_flow(
        self, source: Source = None, figsize: Size = None, *, save: str | Path | None = None
    ) -> Figure:
        """Draws the share of all path mass through each layer, and through its ten busiest channels."""
        from nnea_graph.render.plots.pathways import pathway_flow  # noqa: PLC0415

        return self._drawn(lambda page: pathway_flow(page, figsize), source, save)

    def plot_cost_breakdown(
        self, source: Source = None, figsize: Size = None, *, save: str | Path | None = None
    ) -> Figure:
        """MACs and parameters by operator type, and by module or layer."""
        from nnea_graph.render.plots.cost import cost_breakdown  # noqa: PLC0415

        return self._drawn(lambda page: cost_breakdown(page, figsize), source, save)

    def figures(self) -> dict[str, Figure]:
        """Every plot by its name that has something to show; the radar is of the layer with most parameters."""
        if not self._page(None).report.layers:
            return {}
        drawn = {name: draw(self) for name, draw in PLOTS.items()}
        return {name: figure for name, figure in drawn.items() if not getattr(figure, "empty", False)}

    def save_all(self, folder: str | Path, form: str = "svg") -> list[Path]:
        """Write every plot that has something to show into a folder, which is made; the paths of the files."""
        paths = {name: Path(folder) / f"{name}.{form}" for name in PLOTS}
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made: {error.strerror}; give another place") from error
        figures = self.figures()
        for name, figure in figures.items():
            _save(figure, paths[name])
        return [paths[name] for name in figures]

    def _page(self, source: Source) -> Page:
        page = self._own if source is None else _page(source)
        if page is None:
            raise UsageError(
                "there is nothing to draw: give the analyzer, Visualizer(analyzer), or to each plot as first argument"
            )
        return page

    def _drawn(self, draw: Callable[[Page], Plot], source: Source, save: str | Path | None) -> Figure:
        from nnea_graph.render.plots.figure import styled  # noqa: PLC0415

        page = self._page(source)
        with styled():
            plot = draw(page)
        if save is not None:
            _save(plot, Path(save))
        return plot


def _page(source: HasReport | Report) -> Page:
    return Page(source if isinstance(source, Report) else source.report, _WIDTH)


def _largest(page: Page) -> int:
    """The place of the layer with most parameters; of a model without a layer the first, which is refused."""
    layers = page.report.layers
    return max(range(len(layers)), key=lambda at: layers[at].parameters, default=0)


def _save(figure: Figure, path: Path) -> None:
    from nnea_graph.render.plots.figure import save  # noqa: PLC0415

    save(figure, path)


RADAR = "efficiency_radar"

PLOTS: Mapping[str, Callable[[Visualizer], Figure]] = {
    "cost_breakdown": Visualizer.plot_cost_breakdown,
    "layer_comparison": Visualizer.plot_layer_comparison,
    "layer_importance_distribution": Visualizer.plot_layer_importance_distribution,
    "cumulative_importance": Visualizer.plot_cumulative_importance,
    RADAR: Visualizer.plot_efficiency_radar,
    "pruning_sensitivity": Visualizer.plot_pruning_sensitivity,
    "neural_pathways": Visualizer.plot_neural_pathways,
    "pathway_flow": Visualizer.plot_pathway_flow,
}
"""Every plot by name."""


PLOT_FILES = tuple(f"plot_{name}.svg" for name in PLOTS)


def plot_files(report: Report) -> tuple[dict[str, str], str]:
    """SVG texts by file name, and in one line why there are none, "" where nothing is amiss."""
    if find_spec("matplotlib") is None:
        return {}, f"no plots: matplotlib is not installed: {INSTALL}"
    from nnea_graph.render.plots.figure import picture  # noqa: PLC0415

    figures = Visualizer(report).figures()
    return {
        f"plot_{name}.svg": picture(figure, "svg").decode("utf-8") for name, figure in figures.items()
    }, ""
