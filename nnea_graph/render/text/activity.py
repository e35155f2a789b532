"""Text report: where importance sits, for what it costs, and what never does anything."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from nnea_graph.render.page import Page, many, per_cent
from nnea_graph.render.sanitize import shorten_all
from nnea_graph.render.text.layout import INDENT, Row, TextColumn, hanging, named, table, title
from nnea_graph.report.units import binary
from nnea_graph.report.views.activity import (
    IdleChannels,
    Yield,
    constant_channels,
    dead_channels,
    has_real_data,
    yields,
)

_COLUMNS = (
    TextColumn(("layer", ""), right=False, widest=44),
    TextColumn(("per MMAC", "")),
    TextColumn(("per KiB", "")),
    TextColumn(("stranded", "%")),
    TextColumn(("agreement", "")),
)
_LEGEND = (
    "importance per unit of cost, relative to the whole model (1 = average): pruning risks least where it is low;"
    " stranded: |w| on inputs that are always 0; agreement: rank correlation of |w| and importance over input channels"
)
_NAME = 44


def activity(page: Page) -> list[Text]:
    """Layers by importance for their cost; only of real data, as made-up data tell little about importance."""
    found = yields(page.report)
    if not found or not (has_real_data(page.report) or page.verbose):
        return []
    return [
        *title("Importance by cost", _of(page), width=page.width),
        *table(_COLUMNS, _rows(page, found), page.width),
        *hanging(Text(" " * INDENT), Text(_LEGEND, "dim"), page.width),
        *(_idle(page) if has_real_data(page.report) else []),
    ]


def _of(page: Page) -> str:
    data = page.report.data
    if data is None or data.synthetic:
        return "synthetic inputs: indicative only"
    return f"|w| · mean |a| over {many(data.samples, 'sample')}"


def _rows(page: Page, found: Sequence[Yield]) -> list[Row]:
    """All, or the first and the last ones with a line between them."""
    half = max(1, page.top // 2)
    left = len(found) - 2 * half
    shown = list(found) if page.verbose or left <= half else [*found[:half], *found[-half:]]
    names = shorten_all([page.called(each.layer.id) for each in shown], page.width - _NAME)
    rows: list[Row] = [_row(name, each) for name, each in zip(names, shown, strict=True)]
    if len(shown) < len(found):
        rows.insert(half, Text(f"{' ' * INDENT}… {left:,} more layers in between: -v or JSON", "dim"))
    return rows


def _row(name: str, each: Yield) -> list[str]:
    channels = each.layer.channels
    agreement = channels.rank_agreement if channels else None
    return [
        name,
        _times(each.per_mac),
        _times(each.per_byte),
        per_cent(channels.stranded_weight if channels else None),
        "–" if agreement is None else f"{agreement:.2f}",
    ]


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:,.0f}" if ratio >= 99.5 else f"{ratio:.2g}"


def _idle(page: Page) -> list[Text]:
    lines: list[Text] = []
    for label, found in (
        ("dead channels", dead_channels(page.report)),
        ("constant channels", constant_channels(page.report)),
    ):
        if found.count:
            lines += named(label, f"{found.count:,}", _cost(found), width=page.width)
    return lines


def _cost(found: IdleChannels) -> str:
    return f"of {found.of:,}, in {many(found.layers, 'layer')}: {binary(found.bytes)} of weights produce them"
