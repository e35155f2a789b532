"""Text report: what runs through the layers, and which of their channels carry most of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from nnea_graph.render.page import Page, per_cent
from nnea_graph.render.sanitize import shorten_all
from nnea_graph.render.text.layout import Row, TextColumn, table, title
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.views.pathways import busiest, busy_layers

_COLUMNS = (
    TextColumn(("layer", ""), right=False),
    TextColumn(("channels", "")),
    TextColumn(("share", "%")),
    TextColumn(("top channels, × the uniform share", ""), right=False, widest=100),
)
_FEW = 5
_STANDS_OUT = 1.2
"""Times the even share below which a channel is like the others."""
_ROOMY = 100
_NARROW_NAME, _WIDE_NAME = 24, 32
_EACH = 11
"""Cells of a channel."""
_OTHERS = 21
"""Cells of the other columns."""


def channels(page: Page) -> list[Text]:
    """The layers where single channels stand out most, each with its busiest channels."""
    every = [layer for layer in page.report.layers if layer.macs and layer.top_channels]
    most = len(every) if page.verbose else page.top if len(every) <= page.top else min(page.top, _FEW)
    shown = busy_layers(page.report, most, 1.0 if page.verbose else _STANDS_OUT)
    found = page.report.pathways
    if not shown or found is None:
        return []
    aside = f"share of all {found.score} through the layer"
    if len(shown) < len(every) > page.top:
        aside += f"; the {len(shown)} of {len(every):,} layers with the most concentrated flow"
    return [
        *title("Top channels by flow", aside, width=page.width),
        *table(_COLUMNS, list(_rows(page, shown)), page.width),
    ]


def _rows(page: Page, shown: Sequence[Layer]) -> Iterator[Row]:
    room = _NARROW_NAME if page.width < _ROOMY else _WIDE_NAME
    names = shorten_all([page.called(layer.id) for layer in shown], room)
    taken = max(map(cell_len, names)) + _OTHERS
    fitting = max(1, (page.width - taken) // _EACH)
    for name, layer in zip(names, shown, strict=True):
        cells = [f"{channel} ×{times:.2g}".ljust(_EACH) for channel, times in busiest(layer)]
        lines = ["".join(cells[at : at + fitting]) for at in range(0, len(cells), fitting)]
        yield [name, f"{layer.flow_channels:,}", per_cent(layer.flow), lines[0]]
        for line in lines[1:] if page.verbose else ():
            yield ["", "", "", line]
