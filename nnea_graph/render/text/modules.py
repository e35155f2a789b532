"""Text report: module by module, as the source model has them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text

from nnea_graph.render.page import Page, per_cent
from nnea_graph.render.sanitize import inert
from nnea_graph.render.text.layout import INDENT, TextColumn, table, title
from nnea_graph.report.schema.modules import Module
from nnea_graph.report.units import si
from nnea_graph.report.views.summary import outer_modules, share, source_modules

_SEPARATORS = re.compile("[./]")
_COLUMNS = (
    TextColumn(("module", ""), right=False, widest=40),
    TextColumn(("class", ""), right=False, widest=19),
    TextColumn(("params", "")),
    TextColumn(("MACs", "")),
    TextColumn(("MACs", "%"), tight=True),
    TextColumn(("util.", "%"), tight=True),
    TextColumn(("", ""), right=False, widest=30),
)


def modules(page: Page) -> list[Text]:
    """The tree of a live model's modules, as deep as there is room."""
    every = source_modules(page.report)
    if not every:
        return []
    shown = every if page.verbose else outer_modules(every, 2 * page.top)
    rows = [_cells(page, module) for module in shown]
    lines = [*title("Module by module"), *table(_COLUMNS, rows, page.width)]
    if len(every) > len(shown):
        more = f"… {len(every) - len(shown):,} more within these: --top N, -v or JSON"
        lines.append(Text(" " * INDENT + more, "dim"))
    return lines


def _cells(page: Page, module: Module) -> Sequence[str]:
    totals = page.report.totals
    of_importance = totals.statistics_of == "importance"
    statistics = module.importance_totals if of_importance else module.weight_totals
    return [
        "  " * (module.depth - 1) + inert(_SEPARATORS.split(module.path)[-1]),
        inert(module.class_name),
        si(module.parameters) if module.parameters else "–",
        si(module.macs) if module.macs else "–",
        per_cent(share(module.macs, totals.macs)) if module.macs else "–",
        per_cent(statistics.global_utilization if statistics else None),
        inert(module.note),
    ]
