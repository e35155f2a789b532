"""Boxes of operators and the edges between them as DOT attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnea_graph.render.dot.style import (
    ARROWS,
    DIM,
    FAINT,
    GRAY,
    INK,
    LINE,
    PAPER,
    STROKES,
    WIDTHS,
    bold,
    counted,
    html,
    part,
    short,
    small,
    tooltip,
)
from nnea_graph.report.diagrams.model import DrawnBox, DrawnEdge
from nnea_graph.report.units import percent, si

_NAME = 34


def box_attributes(
    box: DrawnBox, fills: Sequence[str], inks: Sequence[str], *, by_type: bool = False
) -> dict[str, str]:
    """A box filled by its level; ``by_type`` puts the operator's type in bold, the name below."""
    if box.kind in {"input", "output"}:
        rows = [bold(short(box.name, _NAME)), small(f"{box.kind} · {box.shape}")]
        return {"label": html(rows), "fillcolor": GRAY, "tooltip": tooltip(box.name)}
    ink = INK if box.step is None else inks[box.step]
    rows = list(_typed(box, ink) if by_type and box.kind != "folded" else _called(box, ink))
    folded = box.kind == "folded"
    return {
        "label": html(rows),
        "fillcolor": PAPER if box.step is None else fills[box.step],
        "fontcolor": ink,
        "color": FAINT if folded else LINE,
        "peripheries": "2" if folded else "1",
        "tooltip": tooltip(box.name),
    }


def _typed(box: DrawnBox, ink: str) -> Iterator[str]:
    faint = DIM if ink == INK else ink
    yield bold(counted(box.operators))
    yield small(short(box.name, _NAME), ink)
    yield small(box.shape, faint)
    facts = list(_facts(box))
    if facts:
        yield small(" · ".join(facts), faint)


def _called(box: DrawnBox, ink: str) -> Iterator[str]:
    faint = DIM if ink == INK else ink
    yield bold(short(box.name, _NAME))
    layers = f"{box.layers:,} layer{'' if box.layers == 1 else 's'}: "
    folded = layers if box.kind == "folded" and box.layers else ""
    yield small(f"{folded}{counted(box.operators)} · {box.shape}", ink)
    facts = list(_facts(box))
    if facts:
        yield small(" · ".join(facts), faint)
    if box.note:
        yield small(short(box.note, 60), faint)


def _facts(box: DrawnBox) -> Iterator[str]:
    if box.parameters:
        yield f"{si(box.parameters)} params"
    if box.macs_share:
        yield f"{percent(box.macs_share)} of MACs"
    elif box.macs is None:
        yield "MACs unknown"
    if box.utilization is not None:
        yield f"used {percent(box.utilization)}"


def edge_attributes(edge: DrawnEdge) -> dict[str, str]:
    """Draws an edge as wide as what runs through, if that is known; dashed where nothing does."""
    look = {"color": STROKES[edge.step], "penwidth": WIDTHS[edge.step], "arrowsize": ARROWS[edge.step]}
    if edge.share is None:
        return look | {"color": FAINT}
    if not edge.share:
        return look | {"style": "dashed", "tooltip": "nothing runs through"}
    return look | {"label": f"  {part(edge.share)}", "tooltip": part(edge.share)}


def folding_lines(folding: str, boxes: Sequence[DrawnBox]) -> Iterator[str]:
    """Lines on what was folded, and how."""
    if folding:
        count = f"{sum(box.kind == 'folded' for box in boxes):,} of {len(boxes):,}"
        yield f"folded {folding}: the boxes with a double edge ({count}) are several operators"
