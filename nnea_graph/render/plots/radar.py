"""Radar plot of a layer's weight usage, from the middle (badly) to the rim (well), beside the whole model."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from nnea_graph.errors import UsageError
from nnea_graph.render.page import Page
from nnea_graph.render.plots.figure import BLUE, GRAY, PALE, Plot, layer_name, new_plot, of_what, only_words
from nnea_graph.report.units import percent
from nnea_graph.report.views.layer_rows import EFFICIENCY, efficiency, mean_efficiency, metrics_of

Size = tuple[float, float] | None
Values = Sequence[float | None]

_NAME = 26


def radar(page: Page, layer_idx: int, size: Size) -> Plot:
    """One layer (a negative number counts from the last one) beside the mean of all, weighted by their weights."""
    layers = page.report.layers
    if not -len(layers) <= layer_idx < len(layers):
        raise UsageError(f"plot_efficiency_radar: there is no layer {layer_idx}; the model has {len(layers)}")
    layer = layers[layer_idx]
    own, name = metrics_of(page.report, layer), layer_name(page, layer.id, _NAME)
    head = f"Efficiency of layer {layer_idx % len(layers)}, {name}, by {of_what(page)}"
    plot = new_plot(page, head, size or (7.0, 5.6), 5.6)
    if own is None:
        only_words(plot, f"not known: {layer.metrics_reason or 'no weights with statistics'}")
        return plot
    axes = plot.add_subplot()
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(-1.8, 1.8)
    axes.set_ylim(-1.15, 1.3)
    _web(axes)
    _polygon(
        axes, mean_efficiency(page.report), GRAY, "all layers, each by its number of weights", dashed=True
    )
    _polygon(axes, efficiency(own), BLUE, name)
    for place, value in enumerate(efficiency(own)):
        _name(axes, place, value)
    plot.legend(loc="outside lower center", ncols=2)
    return plot


def _at(place: float, radius: float) -> tuple[float, float]:
    angle = pi / 2 - 2 * pi * place / len(EFFICIENCY)
    return radius * cos(angle), radius * sin(angle)


def _web(axes: Axes) -> None:
    for radius in (0.25, 0.5, 0.75, 1.0):
        ring = [_at(place, radius) for place in range(len(EFFICIENCY) + 1)]
        axes.plot(*zip(*ring, strict=True), color=PALE, lw=0.8, zorder=1)
        x, y = _at(0.5, radius * cos(pi / len(EFFICIENCY)))  # halfway between two spokes no value lies
        axes.text(
            x,
            y,
            f"{100 * radius:.0f} %",
            color=GRAY,
            fontsize=7,
            ha="center",
            va="center",
            zorder=4,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
    for place in range(len(EFFICIENCY)):
        x, y = _at(place, 1.0)
        axes.plot([0, x], [0, y], color=PALE, lw=0.8, zorder=1)


def _polygon(axes: Axes, values: Values, color: str, label: str, *, dashed: bool = False) -> None:
    """Polygon around the known values; what is not known is left out, not drawn in the middle."""
    corners = [_at(place, value) for place, value in enumerate(values) if value is not None]
    if not corners:
        return
    xs, ys = zip(*corners, corners[0], strict=True)
    axes.plot(xs, ys, color=color, lw=1.8, ls="--" if dashed else "-", marker=".", label=label, zorder=3)
    if not dashed:
        axes.fill(xs, ys, color=color, alpha=0.15, zorder=2)


def _name(axes: Axes, place: int, value: float | None) -> None:
    word, formula = EFFICIENCY[place]
    x, y = _at(place, 1.08)
    side = "center" if abs(x) < 0.1 else "left" if x > 0 else "right"
    height = "bottom" if y > 0.9 else "top" if y < -0.5 else "center"
    text = f"{word}: {'not known' if value is None else percent(value)}\n{formula}"
    axes.text(x, y, text, ha=side, va=height, fontsize=8)
