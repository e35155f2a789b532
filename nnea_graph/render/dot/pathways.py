"""The pathway diagram as DOT: layers side by side, the channels on the best paths, gray what is left of a layer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from nnea_graph.render.dot.style import (
    ACCENTS,
    BLUES,
    FAINT,
    GRAY,
    LINE,
    ON_BLUES,
    STROKES,
    WIDTHS,
    bold,
    caption,
    digraph,
    heading,
    html,
    named,
    part,
    plain,
    scale,
    short,
    small,
    tooltip,
)
from nnea_graph.report.diagrams.model import DrawnLayer, DrawnRest, DrawnStep, DrawnUnit, PathDiagram, Place

if TYPE_CHECKING:
    from graphviz import Digraph


_SIDES = {"tailport": "e", "headport": "w", "arrowhead": "none"}
"""Edges leave to the right and enter from the left, clear of the titles; all lead to the right."""


def pathways_dot(diagram: PathDiagram, *, accents: bool = False) -> str:
    """DOT text; with ``accents`` each of the first ten paths has a color of its own, and the others are gray."""
    picture = digraph("LR")
    picture.attr(nodesep="0.12", ranksep="1.1", label=_caption(diagram, accents=accents))
    for number, layer in enumerate(diagram.layers):
        with picture.subgraph(name=f"cluster_{number}") as cluster:
            _layer(cluster, number, layer)
    _backbone(picture, diagram)
    for step in diagram.steps:
        for attributes in _strokes(step, accents=accents):
            picture.edge(_id(step.source), _id(step.target), **attributes)
    return str(picture.source)


def _caption(diagram: PathDiagram, *, accents: bool) -> str:
    shown = (
        f"{diagram.shown:,}" if diagram.shown == diagram.found else f"{diagram.shown:,} of {diagram.found:,}"
    )
    share = "" if diagram.share is None else f": together {part(diagram.share)} of all {diagram.score}"
    drawn = "color: one a path" if accents else "color and width: how many of the drawn paths"
    lines = [
        f"the {shown} best paths by {diagram.score}{share}",
        f"a box: number of the channel, share of all {diagram.score} that runs through it; {drawn}",
    ]
    key = "" if accents else scale(BLUES[1:], "few of the drawn paths", "most")
    return caption(diagram.model, lines, key)


def _layer(cluster: Digraph, number: int, layer: DrawnLayer) -> None:
    channels = f"{layer.channels:,} channel{'' if layer.channels == 1 else 's'}"
    rows = [bold(short(layer.name, 26)), small(f"{layer.op_type} · {channels}"), *_folded(layer)]
    cluster.attr(
        label=heading(rows),
        style="rounded,filled",
        color=LINE,
        fillcolor="#fbfcfd",
        margin="12",
        fontsize="12",
        rank="same",
        tooltip=tooltip(layer.name),
    )
    for place, unit in enumerate(layer.units):
        cluster.node(_id((number, place)), **_unit(unit))
    if layer.rest:
        cluster.node(_id((number, None)), **_rest(layer.rest))
        for place in range(len(layer.units)):  # keeps the rest above them, in one row
            cluster.edge(_id((number, place)), _id((number, None)), style="invis")


def _folded(layer: DrawnLayer) -> Iterator[str]:
    """Layers left out before this layer."""
    if not layer.folded:
        return
    what = "in the same channels through" if layer.straight else "not drawn:"
    yield small(f"{what} {len(layer.folded):,} layer{'' if len(layer.folded) == 1 else 's'}", size=8)
    yield small(named(layer.folded, 2), size=8)


def _unit(unit: DrawnUnit) -> dict[str, str]:
    ink = ON_BLUES[unit.step]
    share = "" if unit.share is None else part(unit.share)
    return {
        "label": f'<<FONT COLOR="{ink}"><B>{unit.channel}</B></FONT>&#160;&#160;{small(share, ink)}>',
        "fillcolor": BLUES[unit.step],
        "color": STROKES[unit.step],
        "width": "0.9",
        "height": "0.28",
        "margin": "0.1,0.04",
        "tooltip": f"channel {unit.channel}",
    }


def _rest(rest: DrawnRest) -> dict[str, str]:
    share = "" if rest.share is None else part(rest.share)
    rows = [f'<FONT COLOR="{FAINT}">{plain(f"{rest.count:,} more")}</FONT>', small(share)]
    if rest.on_paths:
        rows.append(small(f"{rest.on_paths:,} on the paths"))
    return {
        "label": html(rows),
        "fillcolor": GRAY,
        "color": LINE,
        "width": "0.9",
        "margin": "0.1,0.05",
        "tooltip": "channels that are not drawn one by one",
    }


def _backbone(picture: Digraph, diagram: PathDiagram) -> None:
    """Faint edges between the rests of neighbors keep layers in their order, one beside the other."""
    for (number, before), (_, after) in pairwise(enumerate(diagram.layers)):
        source, target = _anchor(number, before), _anchor(number + 1, after)
        visible = before.rest is not None and after.rest is not None
        style, weight = ("dashed", "20") if visible else ("invis", "1")
        picture.edge(source, target, **_SIDES, style=style, color=LINE, weight=weight)


def _anchor(number: int, layer: DrawnLayer) -> str:
    return _id((number, None if layer.rest else 0))


def _strokes(step: DrawnStep, *, accents: bool) -> Iterator[dict[str, str]]:
    if not accents:
        yield {"color": STROKES[step.step], "penwidth": WIDTHS[step.step], "tooltip": _paths(step)} | _SIDES
        return
    for number in step.paths:
        if number < len(ACCENTS):
            yield {"color": ACCENTS[number], "penwidth": "1.6", "tooltip": f"path {number + 1}"} | _SIDES


def _paths(step: DrawnStep) -> str:
    several = len(step.paths) != 1
    return f"{len(step.paths):,} path{'s' if several else ''}, {part(step.part)} of those drawn"


def _id(place: Place) -> str:
    layer, unit = place
    return f"layer_{layer}_rest" if unit is None else f"layer_{layer}_unit_{unit}"
