"""Style that all pictures share: DOT text in one look, names made harmless."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from nnea_graph.render.sanitize import inert, shorten
from nnea_graph.report.units import percent

if TYPE_CHECKING:
    from graphviz import Digraph

INK, DIM, FAINT, PAPER, LINE = "#1f2328", "#424a53", "#656d76", "#ffffff", "#d0d7de"
GRAY = "#eaeef2"

BLUES = (
    "#f6f8fa", "#e6f1fb", "#d0e4f7", "#b3d3f2", "#8fbdeb", "#66a4e1", "#3f89d3", "#2069b4", "#0b4a8a",
)  # fmt: skip
"""Fills by level, light to dark."""
ON_BLUES = (INK,) * 6 + (PAPER,) * 3
"""What is written on them."""
STROKES = (LINE, "#bcd3ea", "#a3c5e6", "#85b2df", "#669dd6", "#4888cb", "#2f74bd", "#1c5ea6", "#0b4a8a")
"""Colors of edges by level."""
WIDTHS = ("0.6", "0.9", "1.2", "1.6", "2.0", "2.5", "3.1", "3.8", "4.6")
"""Widths of edges by level, in points."""
ARROWS = ("0.6", "0.6", "0.6", "0.55", "0.5", "0.45", "0.4", "0.36", "0.33")
"""Sizes of arrow heads by level: they grow with the width by themselves."""
ACCENTS = (
    "#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#9a6700", "#0b7a75", "#cf222e", "#57606a", "#5e8c00",
)  # fmt: skip
"""One color a path."""

_NAME = 30


def digraph(rankdir: str) -> Digraph:
    """An empty picture."""
    from graphviz import Digraph  # noqa: PLC0415 - only pictures need it

    font = "Helvetica,Arial,sans-serif"
    return Digraph(
        "nnea_graph",
        graph_attr={
            "rankdir": rankdir,
            "bgcolor": PAPER,
            "fontname": font,
            "fontcolor": INK,
            "labelloc": "t",
            "labeljust": "l",
            "pad": "0.3",
            "newrank": "true",
        },
        node_attr={
            "shape": "box",
            "style": "rounded,filled",
            "fontname": font,
            "fontsize": "11",
            "fontcolor": INK,
            "color": LINE,
            "fillcolor": PAPER,
            "penwidth": "1",
            "margin": "0.14,0.09",
        },
        edge_attr={"fontname": font, "fontsize": "9", "fontcolor": FAINT, "color": LINE, "arrowsize": "0.6"},
    )


def html(rows: Sequence[str], align: str = "") -> str:
    """A label of several lines; ``rows`` are made by ``bold``, ``plain`` and ``small``."""
    end = f'<BR ALIGN="{align}"/>' if align else "<BR/>"
    return f"<{end.join(rows)}{end if align else ''}>"


def plain(text: str) -> str:
    """Text that DOT and SVG only show."""
    return escape(inert(text)) or " "


def heading(rows: Sequence[str]) -> str:
    """The label of a frame, clear of its edge."""
    cells = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1"><TR><TD></TD></TR>{cells}</TABLE>>'


def bold(text: str) -> str:
    """The same, bold."""
    return f"<B>{plain(text)}</B>"


def small(text: str, color: str = FAINT, size: int = 9) -> str:
    """The same, small."""
    return f'<FONT POINT-SIZE="{size}" COLOR="{color}">{plain(text)}</FONT>'


def short(name: str, width: int = _NAME) -> str:
    """A name that fits into a box."""
    return shorten(inert(name), width)


def tooltip(text: str) -> str:
    """Text for a tooltip: nothing in it means anything to DOT.

    It is of graphviz's own kind of string, which it takes for no HTML whatever the text looks like.
    """
    from graphviz import escape as literal  # noqa: PLC0415 - only pictures need it

    found: str = literal(inert(text))
    return found


def named(names: Iterable[str], most: int = 3) -> str:
    """The first of some names, and how many more there are."""
    listed = [short(name) for name in names]
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def counted(operators: Iterable[tuple[str, int]], most: int = 3) -> str:
    """Operators by type: ``Conv ×3, Add``."""
    listed = [f"{short(name)} ×{count}" if count > 1 else short(name) for name, count in operators]
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")


def scale(colors: Sequence[str], low: str, high: str) -> str:
    """Swatches from low to high, as part of a label."""
    swatches = "".join(f'<FONT COLOR="{color}">■</FONT>' for color in colors)
    return f"{small(low, size=10)} {swatches} {small(high, size=10)}"


def part(share: float) -> str:
    """A share as per cent, however small.

    >>> part(0.1234), part(6.7e-18), part(0), part(1)
    ('12.3 %', '6.7e-16 %', '0 %', '100 %')
    """
    if not share or share >= 0.9995:
        return "100 %" if share else "0 %"
    return percent(share) if share >= 5e-5 else f"{100 * share:.2g} %"


def caption(head: str, lines: Sequence[str], key: str = "") -> str:
    """The title of a picture, what is to be said of it, and its scale."""
    rows = [f'<FONT POINT-SIZE="15">{bold(head)}</FONT>', *(small(line, size=10) for line in lines)]
    cells = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
    last = f'<TR><TD ALIGN="LEFT">{key}</TD></TR>' if key else ""
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{cells}{last}</TABLE>>'
