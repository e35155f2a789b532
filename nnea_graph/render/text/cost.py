"""Text report: the branches of the model, and where its cost sits."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from nnea_graph.render.page import Page, per_cent
from nnea_graph.render.sanitize import inert, shorten_all
from nnea_graph.render.text.layout import INDENT, TextColumn, bar, table, title
from nnea_graph.report.schema.analysis import Branch
from nnea_graph.report.units import si
from nnea_graph.report.views.summary import (
    CostGroup,
    by_module,
    by_operator,
    source_modules,
    working_branches,
)

_BRANCH = (
    TextColumn(("body", ""), right=False, widest=60),
    TextColumn(("operators", "")),
    TextColumn(("parameters", "")),
    TextColumn(("MACs", "")),
    TextColumn(("", ""), right=False),
)
_MOST_GROUPS = 8
_BAR = 20
_GROUP_NAME = 32
_BRANCH_REST = 52
"""Cells of the other columns of the table of branches."""


def branches(page: Page) -> list[Text]:
    """Bodies of If, Loop, Scan that hold work; those within them only where verbose."""
    outer, inner = working_branches(page.report)
    shown = [*outer, *inner] if page.verbose else outer[: 2 * page.top]
    if not shown:
        return []
    names = shorten_all([inert(each.path) for each in shown], page.width - _BRANCH_REST)
    rows = [
        (
            name,
            f"{each.operators:,}",
            _si(each.parameters),
            _si(each.macs if each.runs is not None else None),
            _role(each),
        )
        for name, each in zip(names, shown, strict=True)
    ]
    lines = [*title("Branches"), *table(_BRANCH, rows, page.width)]
    left = len(outer) + len(inner) - len(shown)
    if left:
        lines.append(Text(f"{' ' * INDENT}… {left:,} more, most within these: -v or JSON", "dim"))
    return lines


def _si(count: int | None) -> str:
    return "?" if count is None else si(count)


def _role(branch: Branch) -> str:
    if not branch.in_total:
        return "alternative, not in total"
    if branch.runs is None:
        return "trip count unknown, not in total"
    return "in total" if branch.runs == 1 else f"in total, {branch.runs:,} runs"


def sites(page: Page) -> list[Text]:
    """MACs by operator type, and by module where there is no table of modules."""
    if not page.report.totals.macs:
        return []
    operators = by_operator(page.report)
    modules = [] if source_modules(page.report) else by_module(page.report)
    return [
        *title("MACs by operator and module" if modules else "MACs by operator"),
        *_groups(page, "by operator", operators),
        *(_groups(page, "by module", modules) if modules else []),
    ]


def _groups(page: Page, label: str, groups: Sequence[CostGroup]) -> list[Text]:
    shown = groups if page.verbose else groups[:_MOST_GROUPS]
    columns = (
        TextColumn((label, ""), right=False, widest=36),
        TextColumn(("operators", "")),
        TextColumn(("MACs", "")),
        TextColumn(("%", "")),
        TextColumn(("", ""), right=False),
    )
    names = shorten_all([inert(group.name) or "(no module)" for group in shown], _GROUP_NAME)
    rows = [
        (name, f"{group.operators:,}", si(group.macs), per_cent(group.share), bar(group.share, _BAR))
        for name, group in zip(names, shown, strict=True)
    ]
    lines = table(columns, rows, page.width)
    if len(groups) > len(shown):
        more = f"… {len(groups) - len(shown):,} more: -v or JSON"
        lines.append(Text(" " * INDENT + more, "dim"))
    return lines
