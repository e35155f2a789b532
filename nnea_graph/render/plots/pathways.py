"""The best paths as lines from stop to stop, and how much of all flow runs through each layer's busiest channels."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from nnea_graph.render.page import Page
from nnea_graph.render.plots.figure import (
    BLUE,
    GRAY,
    ORANGE,
    PALE,
    Plot,
    missing_mark,
    new_plot,
    only_words,
    per_cent_axis,
    short_names,
)
from nnea_graph.render.plots.rows import bars, height_of, name_rows
from nnea_graph.render.sanitize import inert
from nnea_graph.report.units import small_percent
from nnea_graph.report.views.layer_rows import rows_of
from nnea_graph.report.views.path_lines import Line, Stop, lines_of

Size = tuple[float, float] | None

_STOPS = 14
_NAMED = 12
"""Channels of a stop that are named one by one."""
_LEVEL = 6
"""Stops that have room for level names, of so many letters, and letters of tilted ones."""
_NAME, _TILTED = 20, 30


def neural_pathways(page: Page, size: Size) -> Plot:
    """Each path a line through the channels that it runs by, thicker and darker the larger its share."""
    found = page.report.pathways
    stops, lines = lines_of(page.report, _STOPS)
    tall = max((len(stop.channels) for stop in stops), default=1)
    if found is None or not lines:
        plot = new_plot(page, "Neural pathways", size, 3.0)
        only_words(
            plot, page.why_not("pathways") if found is None else "no path leads from an input to an output"
        )
        return plot
    part = "–" if found.part_of_mass is None else small_percent(found.part_of_mass)
    head = f"Neural pathways: the {len(lines)} best by {found.score} carry {part} of all path mass"
    plot = new_plot(page, head, size, min(9.0, 3.2 + 0.22 * min(tall, 30)))
    axes = plot.add_subplot()
    heights = [_heights(len(stop.channels)) for stop in stops]
    top = max(line.share for line in lines)
    for line in reversed(lines):
        _draw(axes, line, heights, top)
    for place, (stop, ys) in enumerate(zip(stops, heights, strict=True)):
        _stop(axes, place, stop, ys)
    _names(axes, page, stops)
    return plot


def _heights(count: int) -> list[float]:
    """Places of a stop's channels between 0 and 1."""
    return [(place + 0.5) / count for place in range(count)]


def _draw(axes: Axes, line: Line, heights: Sequence[Sequence[float]], top: float) -> None:
    points = [(x, heights[x][place]) for x, place in enumerate(line.places) if place is not None]
    part = line.share / top if top else 0.0
    axes.plot(*zip(*points, strict=True), color=BLUE, alpha=0.25 + 0.6 * part, lw=0.8 + 3 * part, zorder=2)


def _stop(axes: Axes, place: int, stop: Stop, ys: Sequence[float]) -> None:
    axes.plot([place] * len(ys), ys, ls="", marker="o", ms=5, color=ORANGE, mec="white", mew=0.6, zorder=3)
    if len(ys) > _NAMED:
        axes.text(place, 1.03, f"{len(ys)} channels", ha="center", fontsize=7, color=GRAY)
        return
    for channel, y in zip(stop.channels, ys, strict=True):
        axes.annotate(
            str(channel),
            (place, y),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            zorder=4,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )


def _names(axes: Axes, page: Page, stops: Sequence[Stop]) -> None:
    nodes = page.nodes
    names = [page.called(stop.name) if stop.name in nodes else inert(stop.name) for stop in stops]
    few = len(stops) <= _LEVEL
    texts = short_names(names, _NAME if few else _TILTED)
    axes.set_xticks(range(len(stops)), texts, rotation=0 if few else 30, ha="center" if few else "right")
    axes.set_yticks([])
    axes.set_xlim(-0.4, len(stops) - 0.6)
    axes.set_ylim(-0.04, 1.1)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    skipped = sum(stop.skipped for stop in stops)
    more = f"; {skipped:,} stops between are left out" if skipped else ""
    axes.set_xlabel(f"from input to output; numbers are channels, width is the share of a path{more}")


def pathway_flow(page: Page, size: Size) -> Plot:
    """Draws by layer: the share of all path mass that runs through it, and the part of its ten busiest channels."""
    rows = rows_of(page.report)
    plot = new_plot(
        page,
        "Flow through the layers, and through the ten busiest channels of each",
        size,
        height_of(len(rows)),
    )
    if page.report.pathways is None or not any(row.flow is not None for row in rows):
        only_words(
            plot, page.why_not("pathways") if page.report.pathways is None else "no layer is on a path"
        )
        return plot
    axes = plot.add_subplot()
    known = [(place, row) for place, row in enumerate(rows) if row.flow is not None]
    places = [place for place, _ in known]
    height = 0.7 if len(rows) <= 60 else 1.0
    bars(axes, places, [row.flow or 0 for _, row in known], height, PALE, "all channels")
    bars(axes, places, [row.busiest or 0 for _, row in known], height, BLUE, "the ten busiest")
    even = [row.even or 0 for _, row in known]
    axes.plot(
        even,
        places,
        ls="",
        marker="|",
        ms=max(3, min(12, 300 / len(rows))),
        mew=1.4,
        color=ORANGE,
        label="ten channels if all were alike",
    )
    missing_mark(axes, [place for place, row in enumerate(rows) if row.flow is None])
    axes.set_xlim(0, max(1.0, *(row.flow or 0 for _, row in known)) * 1.02)
    per_cent_axis(axes.xaxis)
    axes.set_xlabel(f"share of all path mass ({page.report.pathways.score})")
    name_rows(axes, page, rows, plot)
    plot.legend(loc="outside lower right", ncols=4)
    return plot
