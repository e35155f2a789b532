"""Where MACs and parameters are, by operator type and by module or layer."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from nnea_graph.render.escape import inert
from nnea_graph.render.page import Page
from nnea_graph.render.plot_frame import (
    BLUE,
    GREY,
    ORANGE,
    Plot,
    missing_mark,
    new_plot,
    only_words,
    per_cent_axis,
    short_names,
)
from nnea_graph.render.plot_rows import bars
from nnea_graph.report.plotted import Cost, costs_by_operator, costs_by_place
from nnea_graph.report.schema import Totals
from nnea_graph.report.units import amount

Size = tuple[float, float] | None

_OPERATORS, _PLACES = 12, 16
_BAR = 0.38


def cost_breakdown(page: Page, size: Size) -> Plot:
    """Shares of MACs and parameters as pairs of bars."""
    totals = page.report.totals
    operators = costs_by_operator(page.report, _OPERATORS)
    kind, places = costs_by_place(page.report, _PLACES)
    rows = max(len(operators), len(places), 3)
    plot = new_plot(page, f"Cost: {_totals(totals)}", size, 2.0 + 0.34 * rows)
    if not operators:
        only_words(plot, "no operator has MACs or parameters")
        return plot
    left, right = plot.subplots(1, 2)
    _pairs(left, operators, [cost.name for cost in operators])
    left.set_title("by operator type")
    names = [
        page.called(cost.name) if kind == "layer" else inert(cost.name) or "in no module" for cost in places
    ]
    _pairs(right, places, names)
    right.set_title(f"by {kind}")
    for axes in (left, right):
        axes.set_ylim(rows - 0.4, -0.6)
    plot.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    note = _coverage(totals)
    if note:
        plot.supxlabel(note, fontsize=8, color=GREY)
    return plot


def _totals(totals: Totals) -> str:
    parts = (
        (totals.macs, "MACs"),
        (totals.flops, "FLOPs in them"),
        (totals.other_flops, "other FLOPs"),
        (totals.parameters, "parameters"),
    )
    return ", ".join(f"{'unknown' if number is None else amount(number)} {word}" for number, word in parts)


def _coverage(totals: Totals) -> str:
    found = totals.coverage
    if found is None or not found.unknown:
        return ""
    operators = found.exact + found.estimated + found.unknown
    return f"MACs of {found.unknown:,} of {operators:,} operators are not known and not in these shares"


def _pairs(axes: Axes, costs: Sequence[Cost], names: Sequence[str]) -> None:
    places = range(len(costs))
    for offset, color, field, word in (
        (-0.2, ORANGE, "macs", "MACs"),
        (0.2, BLUE, "parameters", "parameters"),
    ):
        values = [getattr(cost, field) for cost in costs]
        bars(axes, [place + offset for place in places], [value or 0 for value in values], _BAR, color, word)
        missing_mark(
            axes, [place + offset for place, value in zip(places, values, strict=True) if value is None]
        )
    axes.set_yticks(list(places), short_names(names, 28))
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of the model")
    per_cent_axis(axes.xaxis, 4)
