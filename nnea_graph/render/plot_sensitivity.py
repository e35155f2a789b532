"""What the output loses when the least important weights go: measured where that was done, else said not to be."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from nnea_graph.render.page import Page
from nnea_graph.render.plot_frame import (
    BLUE,
    GREY,
    MAP,
    ORANGE,
    PALE,
    PURPLE,
    Plot,
    new_plot,
    of_what,
    only_words,
    per_cent_axis,
)
from nnea_graph.render.plot_rows import height_of, name_rows
from nnea_graph.report.plotted import FRACTIONS, Row, measured_changes, rows_of, static_losses, whole_curve
from nnea_graph.report.sensitivity_schema import ModelSensitivity
from nnea_graph.report.units import percent

Size = tuple[float, float] | None
Table = Sequence[Sequence[float | None]]

_FRAME = 2.6
_CURVES = 4.6
"""Inches."""
_CRITERIA = {"importance": ("importance", BLUE), "magnitude": ("|w|", ORANGE), "random": ("chance", PURPLE)}
_UNITS = {"weights": "-", "channels": "--"}
_MEASURE = {
    "accuracy": "accuracy",
    "agreement": "same answer as the unaltered model",
    "relative_l2": "relative change of the outputs",
}
_LEAST = 1e-4


def sensitivity(page: Page, size: Size) -> Plot:
    """The whole model as curves, layer by layer as a table of colours."""
    rows = rows_of(page.report)
    found = page.report.sensitivity
    if found is None or found.not_run:
        return _static(page, rows, "" if found is None else found.not_run, size)
    samples = f"measured on {found.samples:,}{' synthetic' if found.synthetic else ''} samples"
    plot = new_plot(page, f"Pruning sensitivity, {samples}", size, max(4.2, height_of(len(rows), _FRAME)))
    curves, table = _panels(plot)
    _curves(curves, found)
    _table(plot, table, measured_changes(rows), "relative change of the outputs", logarithmic=True)
    table.set_title("a layer without its least important weights")
    name_rows(table, page, rows, plot, _FRAME)
    plot.legend(*curves.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return plot


def _panels(plot: Plot) -> tuple[Axes, Axes]:
    """Curves, no taller than they are read best, and a table beside them."""
    tall = float(plot.get_size_inches()[1])
    grid = plot.add_gridspec(2, 2, width_ratios=[1, 1.15], height_ratios=[_CURVES, max(0.01, tall - _CURVES)])
    whole = tall <= 1.4 * _CURVES
    return plot.add_subplot(grid[:, 0] if whole else grid[0, 0]), plot.add_subplot(grid[:, 1])


def _curves(axes: Axes, found: ModelSensitivity) -> None:
    measure = found.loss_of
    for unit, dash in _UNITS.items():
        for criterion, (word, color) in _CRITERIA.items():
            points = [
                (point.fraction, value)
                for point in found.points
                if (point.unit, point.criterion) == (unit, criterion)
                and (value := getattr(point, measure)) is not None
            ]
            if points:
                axes.plot(
                    *zip(*points, strict=True), color=color, ls=dash, marker=".", label=f"{unit} by {word}"
                )
    if found.accuracy is not None:
        axes.axhline(found.accuracy, color=GREY, lw=1, ls=":", label=f"unaltered, {percent(found.accuracy)}")
    axes.set_title("all layers at once")
    axes.set_xlabel("share set to zero in each layer, least first")
    axes.set_ylabel(_MEASURE[measure])
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0, top=None if measure == "relative_l2" else 1.02)
    per_cent_axis(axes.xaxis)
    per_cent_axis(axes.yaxis)


def _static(page: Page, rows: Sequence[Row], reason: str, size: Size) -> Plot:
    """What the distribution alone says, under a heading that tells so."""
    why = reason or "pass sensitivity did not run; with data: -p +sensitivity"
    plot = new_plot(
        page, f"Pruning sensitivity: NOT MEASURED ({why})", size, max(4.2, height_of(len(rows), _FRAME))
    )
    if not any(row.curve for row in rows):
        only_words(plot, "no layer has statistics")
        return plot
    curves, table = _panels(plot)
    what = of_what(page)
    whole = whole_curve(page.report) or ()
    curves.plot([place / 100 for place in range(len(whole))], whole, color=GREY, label="all layers together")
    curves.set_title(f"share of {what} lost, a static guess")
    curves.set_xlabel("share of weights set to zero, least first")
    curves.set_ylabel(f"share of all {what} that they hold")
    curves.set_xlim(0, 1)
    curves.set_ylim(0, 1)
    per_cent_axis(curves.xaxis)
    per_cent_axis(curves.yaxis)
    _table(plot, table, static_losses(rows), f"share of the layer's {what} lost", logarithmic=False)
    table.set_title("a layer without its least weights, a static guess")
    name_rows(table, page, rows, plot, _FRAME)
    return plot


def _table(plot: Plot, axes: Axes, values: Table, label: str, *, logarithmic: bool) -> None:
    """Colours by row and share; what is not known is grey."""
    cells = np.array([[np.nan if value is None else value for value in row] for row in values], float)
    if logarithmic:
        top = float(np.nanmax(cells, initial=_LEAST * 10))
        norm: Normalize = LogNorm(_LEAST, max(top, _LEAST * 10), clip=True)
    else:
        norm = Normalize(0, 1)
    colours = mpl.colormaps[MAP].with_extremes(bad=PALE)
    drawn = axes.imshow(
        np.maximum(cells, _LEAST) if logarithmic else cells, aspect="auto", cmap=colours, norm=norm
    )
    axes.set_xticks(range(len(FRACTIONS)), [f"{100 * share:.0f} %" for share in FRACTIONS])
    axes.set_xlabel("share set to zero" + ("; grey: not known" if np.isnan(cells).any() else ""))
    axes.grid(visible=False)
    bar = plot.colorbar(drawn, ax=axes, label=label, shrink=0.9)
    if logarithmic:
        bar.minorticks_off()
        bar.ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
    else:
        per_cent_axis(bar.ax.yaxis)
