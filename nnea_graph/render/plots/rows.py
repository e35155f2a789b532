"""Plots with a row for each layer, from the input at the top to the output at the bottom."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from nnea_graph.render.page import Page
from nnea_graph.render.plots.figure import Plot, short_names
from nnea_graph.report.views.layer_rows import Row

_FRAME = 1.5
"""Inches above and below the rows."""
_ROW, _LEAST = 0.22, 0.155
"""Inches that a row takes, and that a name needs."""
_TALLEST = 10.0
_NAME = 30


def height_of(rows: int, frame: float = _FRAME) -> float:
    """Inches for so many rows, within a screen or a page."""
    return min(_TALLEST, max(3.0, frame + _ROW * rows))


def name_rows(axes: Axes, page: Page, rows: Sequence[Row], plot: Plot, frame: float = _FRAME) -> None:
    """Names beside the rows: all of them, or each n-th where there is room for that only."""
    room = max(1.0, plot.get_size_inches()[1] - frame)
    step = max(1, -(-int(len(rows) * _LEAST * 100) // int(room * 100)))
    places = range(0, len(rows), step)
    axes.set_yticks(list(places), short_names([row_name(page, rows[place]) for place in places], _NAME))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0 if step == 1 else 3)
    axes.grid(visible=False, axis="y")
    notes = []
    if len(rows) and len(rows[0].layers) > 1:
        notes.append(f"{len(rows[0].layers)} layers a row")
    if step > 1:
        notes.append(f"each {_ordinal(step)} is named")
    if notes:
        axes.set_ylabel("; ".join(notes))


def bars(  # noqa: PLR0913, PLR0917 - what a bar is
    axes: Axes, places: Sequence[float], lengths: Sequence[float], height: float, color: str, label: str = ""
) -> None:
    """Horizontal bars as one shape: hundreds of single ones take seconds."""
    corners = [
        [(0, y - height / 2), (length, y - height / 2), (length, y + height / 2), (0, y + height / 2)]
        for y, length in zip(places, lengths, strict=True)
    ]
    axes.add_collection(PolyCollection(corners, facecolors=color, edgecolors="none", label=label))
    axes.autoscale_view()


def row_name(page: Page, row: Row) -> str:
    """A layer's name, or the first one's and how many more there are."""
    more = len(row.layers) - 1
    return page.called(row.first.id) + (f" +{more}" if more else "")


def _ordinal(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")
