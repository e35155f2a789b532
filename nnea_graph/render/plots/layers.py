"""Plots that set layers beside each other: how big their weights are, what they cost, how even they are used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.ticker import LogLocator

from nnea_graph.render.page import Page
from nnea_graph.render.plots.figure import (
    BLACK,
    BLUE,
    GRAY,
    GREEN,
    MAP,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    Plot,
    count_axis,
    layer_name,
    missing_mark,
    new_plot,
    of_what,
    only_words,
    per_cent_axis,
    power_axis,
    short_names,
)
from nnea_graph.render.plots.rows import bars, height_of, name_rows, row_name
from nnea_graph.report.views.layer_rows import Percentiles, Row, rows_of, whole_curve

Size = tuple[float, float] | None

_FEW = 7
"""Curves that have a color each and a name in the legend."""
_THIN = 40
"""Curves above which they are drawn thin."""
_COLORS = (BLUE, ORANGE, GREEN, RED, SKY, PURPLE, BLACK)
_DECADES = 10
"""Powers of ten below the largest number that are drawn; smaller numbers lie at the edge."""


def distribution(page: Page, size: Size) -> Plot:
    """Draws the distribution of the values of each layer."""
    rows = rows_of(page.report)
    plot = new_plot(page, f"Distribution of {of_what(page)} in each layer", size, height_of(len(rows)))
    spreads = [row.spread for row in rows]
    floor = _floor(spreads)
    if floor is None:
        only_words(plot, "no layer has statistics")
        return plot
    axes = plot.add_subplot()
    thick = max(1.2, min(7.0, 250 / len(rows)))
    axes.set_xscale("log")
    _draw_spreads(axes, spreads, floor, thick)
    axes.set_xlim(left=floor * 0.8)
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    power_axis(axes.xaxis)
    measure = "|w| · mean |a| of a weight" if of_what(page) == "importance" else "|w|"
    zeros = any(spread is not None and spread.low < floor for spread in spreads)
    axes.set_xlabel(f"{measure} (logarithmic{'; zeros and less at the left edge' if zeros else ''})")
    name_rows(axes, page, rows, plot)
    plot.legend(loc="outside lower right", ncols=4)
    return plot


def _floor(spreads: Sequence[Percentiles | None]) -> float | None:
    """The smallest number that is drawn in its place."""
    sizes = [size for each in spreads if each for size in _sizes(each) if size > 0]
    if not sizes:
        return None
    return float(max(min(sizes), max(sizes) / 10.0**_DECADES))


def _sizes(spread: Percentiles) -> tuple[float, ...]:
    return spread.low, spread.first, spread.middle, spread.third, spread.high, spread.max


def _draw_spreads(axes: Axes, spreads: Sequence[Percentiles | None], floor: float, thick: float) -> None:
    places = [place for place, spread in enumerate(spreads) if spread is not None]
    sizes = [[max(floor, size) for size in _sizes(spread)] for spread in spreads if spread is not None]
    low, first, middle, third, high, largest = zip(*sizes, strict=True)
    axes.hlines(
        places, low, high, colors=SKY, lw=max(0.8, thick / 4), label="5 to 95 of 100 weights", zorder=2
    )
    axes.hlines(places, first, third, colors=BLUE, lw=thick, label="25 to 75", zorder=3)
    axes.plot(
        middle, places, ls="", marker="|", ms=thick + 2, mew=1.6, color=ORANGE, label="median", zorder=4
    )
    axes.plot(largest, places, ls="", marker=".", ms=3, color=GRAY, label="largest", zorder=3)


def comparison(page: Page, size: Size) -> Plot:
    """Parameters, MACs, utilization and redundancy of every layer."""
    rows = rows_of(page.report)
    plot = new_plot(page, "Layers compared", size, height_of(len(rows)))
    if not rows:
        only_words(plot, "the model has no layers")
        return plot
    panels = plot.subplots(1, len(_PANELS), sharey=True, squeeze=False)[0]
    unknown = False
    for axes, (title, color, value, scale) in zip(panels, _PANELS, strict=True):
        values = [value(row) for row in rows]
        places = range(len(rows))
        known = [(place, number) for place, number in zip(places, values, strict=True) if number is not None]
        bars(axes, [place for place, _ in known], [number for _, number in known], _bar(len(rows)), color)
        missing_mark(axes, [place for place, number in zip(places, values, strict=True) if number is None])
        unknown |= None in values
        scale(axes.xaxis)
        axes.set_xlim(left=0)
        axes.set_title(title)
        axes.grid(visible=False, axis="y")
    name_rows(panels[0], page, rows, plot)
    for axes in panels[1:]:
        axes.tick_params(axis="y", length=0)
    what = of_what(page)
    note = f"utilization exp(H)/n and redundancy 1 − H/ln n of {what}{'; × not known' if unknown else ''}"
    plot.supxlabel(note, fontsize=8, color=GRAY)
    return plot


def _bar(rows: int) -> float:
    return 0.7 if rows <= 60 else 1.0


def _share_axis(axis: Any) -> None:
    per_cent_axis(axis, 3)


def _count_axis(axis: Any) -> None:
    count_axis(axis, 3)


_PANELS: tuple[tuple[str, str, Callable[[Row], float | None], Callable[[Any], None]], ...] = (
    ("parameters", BLUE, lambda row: row.parameters, _count_axis),
    ("MACs", ORANGE, lambda row: row.macs, _count_axis),
    ("utilization", GREEN, lambda row: row.utilization, _share_axis),
    ("redundancy", PURPLE, lambda row: row.redundancy, _share_axis),
)


def cumulative(page: Page, size: Size) -> Plot:
    """Lorenz curves: which share of importance the least important weights hold."""
    rows = [row for row in rows_of(page.report) if row.curve is not None]
    what = of_what(page)
    plot = new_plot(page, f"Cumulative {what} (Lorenz curves)", size, 5.4)
    if not rows:
        only_words(plot, "no layer has statistics")
        return plot
    axes = plot.add_subplot()
    shares = [place / 100 for place in range(101)]
    if len(rows) <= _FEW:
        for row, color in zip(rows, _COLORS, strict=False):
            axes.plot(shares, row.curve or (), color=color, lw=1.6, label=layer_name(page, row.first.id))
    else:
        _many_curves(plot, axes, page, rows)
    whole = whole_curve(page.report)
    if whole is not None and len(rows) > 1:
        axes.plot(shares, whole, color=BLACK, lw=2.2, ls=(0, (4, 1.5)), label="all layers together")
    axes.plot([0, 1], [0, 1], color=GRAY, lw=1, ls=":", label="all weights alike (Gini 0)")
    axes.set_xlabel("share of the weights, least first")
    axes.set_ylabel(f"share of {what} that they hold")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    per_cent_axis(axes.xaxis)
    per_cent_axis(axes.yaxis)
    axes.legend(loc="upper left")
    return plot


def _many_curves(plot: Plot, axes: Axes, page: Page, rows: Sequence[Row]) -> None:
    """Colored by depth; the most and the least even one by name."""
    shares = [place / 100 for place in range(101)]
    norm, colors = Normalize(1, len(rows)), _darker()
    curves = [list(zip(shares, row.curve or (), strict=True)) for row in rows]
    shades = [colors(norm(place)) for place in range(1, len(rows) + 1)]
    thick = 0.7 if len(rows) > _THIN else 1.2
    axes.add_collection(LineCollection(curves, colors=shades, linewidths=thick, alpha=0.8))
    names = short_names([row_name(page, row) for row in rows])
    by_area = sorted(range(len(rows)), key=lambda place: sum(rows[place].curve or ()))
    for place, color, word in ((by_area[0], RED, "least even"), (by_area[-1], SKY, "most even")):
        axes.plot(shares, rows[place].curve or (), color=color, lw=1.8, label=f"{word}: {names[place]}")
    bar = plot.colorbar(
        ScalarMappable(norm, colors), ax=axes, shrink=0.8, label="layer, from input to output"
    )
    bar.outline.set_visible(False)


def _darker() -> Colormap:
    """Color map without the light end, which a white page swallows."""
    return ListedColormap(mpl.colormaps[MAP](np.linspace(0, 0.88, 256)))
