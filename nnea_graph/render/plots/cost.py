"""Finds where MACs and parameters are, by operator type and by module or layer."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from nnea_graph.render.page import Page, per_cent
from nnea_graph.render.plots.figure import (
    BLUE,
    GRAY,
    ORANGE,
    Plot,
    missing_mark,
    new_plot,
    only_words,
    per_cent_axis,
    short_names,
)
from nnea_graph.render.plots.rows import bars
from nnea_graph.render.sanitize import inert
from nnea_graph.report.schema.analysis import Totals
from nnea_graph.report.units import amount
from nnea_graph.report.views.costs import CostBar, Costs, costs_by_operator, costs_by_place

Size = tuple[float, float] | None

_OPERATORS, _PLACES = 12, 16
_FEWEST = 3
_BAR = 0.38
_FRAME, _ROW = 2.0, 0.34
"""Inches around the rows, and of one."""


def cost_breakdown(page: Page, size: Size) -> Plot:
    """Shares of MACs and parameters as pairs of bars."""
    totals = page.report.totals
    operators = costs_by_operator(page.report, _OPERATORS)
    kind, places = costs_by_place(page.report, _PLACES)
    heights = [max(_FEWEST, len(each.shown) + bool(each.rest)) for each in (operators, places)]
    plot = new_plot(page, f"Cost: {_totals(totals)}", size, _FRAME + _ROW * max(heights))
    if not operators.shown:
        only_words(plot, "no operator has MACs or parameters")
        return plot
    left, right = _beside(plot, heights)
    _pairs(left, operators, [inert(cost.name) for cost in operators.shown], heights[0])
    left.set_title("by operator type")
    _pairs(right, places, [_called(page, kind, cost) for cost in places.shown], heights[1])
    right.set_title(f"by {kind}")
    plot.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    note = _coverage(totals)
    if note:
        plot.supxlabel(note, fontsize=8, color=GRAY)
    return plot


def _beside(plot: Plot, heights: Sequence[int]) -> tuple[Axes, Axes]:
    """Two panels, each as tall as its rows."""
    low, high = min(heights), max(heights)
    grid = plot.add_gridspec(2, 2, height_ratios=[low, max(high - low, 0.01)])
    left, right = (
        plot.add_subplot(grid[:, side] if height == high else grid[0, side])
        for side, height in enumerate(heights)
    )
    return left, right


def _called(page: Page, kind: str, cost: CostBar) -> str:
    return page.called(cost.name) if kind == "layer" else inert(cost.name) or "in no module"


def _totals(totals: Totals) -> str:
    macs, flops, other = (_amount(each) for each in (totals.macs, totals.flops, totals.other_flops))
    parameters = _amount(totals.parameters)
    return f"{macs} MACs ({flops} FLOPs), {other} other FLOPs, {parameters} parameters"


def _amount(number: int | None) -> str:
    return "unknown" if number is None else amount(number)


def _coverage(totals: Totals) -> str:
    found = totals.coverage
    if found is None or not found.unknown:
        return ""
    operators = found.exact + found.estimated + found.unknown
    return f"MACs of {found.unknown:,} of {operators:,} operators are not known and not in these shares"


def _pairs(axes: Axes, costs: Costs, names: Sequence[str], height: int) -> None:
    places = range(len(names))
    for offset, color, field, word in (
        (-0.2, ORANGE, "macs", "MACs"),
        (0.2, BLUE, "parameters", "parameters"),
    ):
        values = [getattr(cost, field) for cost in costs.shown]
        bars(axes, [place + offset for place in places], [value or 0 for value in values], _BAR, color, word)
        missing_mark(
            axes, [place + offset for place, value in zip(places, values, strict=True) if value is None]
        )
    axes.set_yticks(list(places), short_names(names, 28))
    axes.set_ylim(height - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of the model")
    per_cent_axis(axes.xaxis, 4)
    if costs.rest is not None:
        axes.text(
            0.01,
            len(names),
            _rest(costs.rest),
            transform=axes.get_yaxis_transform(),
            va="center",
            color=GRAY,
            fontsize=8,
        )


def _rest(rest: CostBar) -> str:
    """Rest in words: a bar of all that is left over would leave no room for the others."""
    macs, parameters = per_cent(rest.macs), per_cent(rest.parameters)
    return f"{rest.name}: {macs} % of the MACs, {parameters} % of the parameters"
