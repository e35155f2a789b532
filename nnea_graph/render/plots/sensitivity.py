"""Loss of the output when the least important weights go: measured where that was done, else said not to be."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from nnea_graph.render.page import Page
from nnea_graph.render.plots.figure import (
    BLACK,
    BLUE,
    GRAY,
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
from nnea_graph.render.plots.rows import height_of, name_rows
from nnea_graph.report.schema.sensitivity import ModelSensitivity
from nnea_graph.report.units import percent
from nnea_graph.report.views.layer_rows import (
    FRACTIONS,
    Row,
    measured_changes,
    rows_of,
    static_losses,
    whole_curve,
)

Size = tuple[float, float] | None
Table = Sequence[Sequence[float | None]]

_FRAME = 2.6
_CURVES, _LEGEND = 4.0, 1.3
"""Inches."""
_NUMBERED = 40
"""Rows of a table that have room for numbers."""
_LIGHT = 0.6
"""Place on the map of colors from which black is read best."""
_CRITERIA = {"importance": ("importance", BLUE), "magnitude": ("|w|", ORANGE), "random": ("chance", PURPLE)}
_UNITS = {"weights": "-", "channels": "--"}
_MEASURE = {
    "accuracy": "accuracy",
    "agreement": "top-1 agreement with the original model",
    "relative_l2": "relative change of the outputs",
}
_LEAST = 1e-4


def sensitivity(page: Page, size: Size) -> Plot:
    """The whole model as curves, layer by layer as a table of colors."""
    rows = rows_of(page.report)
    found = page.report.sensitivity
    if found is None or found.not_run:
        return _static(page, rows, "" if found is None else found.not_run, size)
    samples = f"measured on {found.samples:,}{' synthetic' if found.synthetic else ''} samples"
    plot = _new(page, f"Pruning sensitivity, {samples}", rows, size)
    curves, below, table = _panels(plot)
    _curves(curves, found)
    legend = below.legend(*curves.get_legend_handles_labels(), loc="upper left", borderaxespad=0)
    legend.set_in_layout(False)  # the room is there already; taken twice, it would be taken from the curves
    changes = measured_changes(rows)
    _table(plot, table, changes, "relative change of the outputs", norm=_logarithmic(changes))
    table.set_title(f"one layer at a time{_unit(rows)}")
    _name(table, page, rows, plot)
    return plot


def _name(table: Axes, page: Page, rows: Sequence[Row], plot: Plot) -> None:
    name_rows(table, page, rows, plot, _FRAME)
    table.set_ylim(len(rows) - 0.5, -0.5)


def _new(page: Page, head: str, rows: Sequence[Row], size: Size) -> Plot:
    return new_plot(page, head, size, max(_CURVES + _LEGEND, height_of(len(rows), _FRAME)))


def _panels(plot: Plot) -> tuple[Axes, Axes, Axes]:
    """Curves, no taller than they are read best, room for their legend, and a table beside them."""
    tall = float(plot.get_size_inches()[1])
    curves = min(_CURVES, max(1.0, tall - _LEGEND))
    heights = [curves, max(0.1, tall - curves)]
    grid = plot.add_gridspec(2, 2, width_ratios=[1, 1.15], height_ratios=heights)
    upper, lower, table = (plot.add_subplot(place) for place in (grid[0, 0], grid[1, 0], grid[:, 1]))
    lower.set_axis_off()
    return upper, lower, table


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
    unaltered = ""
    if found.accuracy is not None:
        axes.axhline(found.accuracy, color=GRAY, lw=1, ls=":")
        unaltered = f"; dotted: unaltered, {percent(found.accuracy)}"
    axes.set_title(f"all layers at once{unaltered}")
    axes.set_xlabel("share set to zero in each layer, least first")
    axes.set_ylabel(_MEASURE[measure])
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0, top=None if measure == "relative_l2" else 1.02)
    per_cent_axis(axes.xaxis)
    per_cent_axis(axes.yaxis)


def _static(page: Page, rows: Sequence[Row], reason: str, size: Size) -> Plot:
    """Curves that the distribution alone says, under a heading that tells so."""
    why = reason or "add pass +sensitivity, and data"
    plot = _new(page, f"Pruning sensitivity: NOT MEASURED ({why})", rows, size)
    if not any(row.curve for row in rows):
        only_words(plot, "no layer has statistics")
        return plot
    curves, _, table = _panels(plot)
    what = of_what(page)
    whole = whole_curve(page.report) or ()
    curves.plot([place / 100 for place in range(len(whole))], whole, color=GRAY, label="all layers together")
    curves.set_title(f"share of {what} lost, a static guess")
    curves.set_xlabel("share of weights set to zero, least first")
    curves.set_ylabel(f"share of all {what} that they hold")
    curves.set_xlim(0, 1)
    curves.set_ylim(0, 1)
    per_cent_axis(curves.xaxis)
    per_cent_axis(curves.yaxis)
    _table(plot, table, static_losses(rows), f"share of the layer's {what} lost", norm=Normalize(0, 1))
    table.set_title(f"one layer at a time, a guess{_unit(rows)}")
    _name(table, page, rows, plot)
    return plot


def _logarithmic(changes: Table) -> Normalize:
    largest = max((change for row in changes for change in row if change is not None), default=0.0)
    return LogNorm(_LEAST, max(largest, 10 * _LEAST), clip=True)


def _table(plot: Plot, axes: Axes, values: Table, label: str, *, norm: Normalize) -> None:
    """Colors by row and share, and numbers where there is room; what is not known is gray."""
    cells = np.array([[np.nan if value is None else value for value in row] for row in values], float)
    cells = np.maximum(cells, norm.vmin or 0.0)
    colors = mpl.colormaps[MAP].with_extremes(bad=PALE)
    drawn = axes.imshow(cells, aspect="auto", cmap=colors, norm=norm)
    if len(values) <= _NUMBERED:
        _numbers(axes, values, norm)
    axes.set_xticks(range(len(FRACTIONS)), [f"{100 * share:.0f} %" for share in FRACTIONS])
    axes.set_xlabel("share set to zero, least first" + ("; gray: not done" if np.isnan(cells).any() else ""))
    axes.grid(visible=False)
    bar = plot.colorbar(drawn, ax=axes, label=label, shrink=0.9)
    bar.minorticks_off()
    bar.ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")


def _unit(rows: Sequence[Row]) -> str:
    return ", in %" if len(rows) <= _NUMBERED else ""


def _numbers(axes: Axes, values: Table, norm: Normalize) -> None:
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            if value is not None:
                shade = BLACK if norm(value) > _LIGHT else "white"
                axes.text(x, y, _short(value), ha="center", va="center", fontsize=7, color=shade)


def _short(share: float) -> str:
    """``<0.01``, ``0.52``, ``5.2``, ``52``: per cent in few digits."""
    number = 100 * share
    if 0 < number < 0.01:
        return "<0.01"
    return f"{number:.{2 if number < 1 else 1 if number < 10 else 0}f}"
