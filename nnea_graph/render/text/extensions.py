"""Text report: facts of passes that describe them themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text

from nnea_graph.engine.section import Column, FactRow, FactSection, Value
from nnea_graph.render.page import Page, many
from nnea_graph.render.sanitize import inert
from nnea_graph.render.text.layout import (
    INDENT,
    TextColumn,
    first_width,
    fitting,
    named,
    sentence,
    table,
    title,
)
from nnea_graph.report.units import amount, binary, percent

_UNKNOWN = "–"
_CELL = 24
_WRITTEN_OUT = {"share": percent, "bytes": binary}
"""Units that stand at the numbers."""


def extensions(page: Page) -> list[Text]:
    """A section for each such pass: the model in lines, its operators in a table."""
    return [
        line for name, section in page.report.extensions.items() for line in _section(page, name, section)
    ]


def _section(page: Page, name: str, section: FactSection) -> Iterator[Text]:
    yield from title(inert(section.title), f"pass {name}", width=page.width)
    columns = {column.name: column for column in section.columns}
    for row in section.rows:
        if row.operator is None:
            for fact, value in row.values.items():
                yield from _model_line(columns[fact], value, row.reasons.get(fact, ""), page.width)
    rows = [row for row in section.rows if row.operator is not None]
    if rows:
        yield from _operators(page, section, rows)


def _model_line(column: Column, value: Value, reason: str, width: int) -> list[Text]:
    gloss = f"not known: {inert(reason)}" if value is None else inert(column.meaning)
    return named(inert(column.name), _shown(column, value), gloss, width=width)


def _operators(page: Page, section: FactSection, rows: Sequence[FactRow]) -> Iterator[Text]:
    columns = [column for column in section.columns if any(column.name in row.values for row in rows)]
    shown = rows if page.verbose or len(rows) <= 2 * page.top else rows[: page.top]
    heads = [TextColumn(("operator", ""), right=False), *(_head(column, rows) for column in columns)]
    cells = [[page.called(row.operator or ""), *(_cell(column, row) for column in columns)] for row in shown]
    kept = fitting(heads, cells, page.width, max(12, first_width(heads, cells, page.width)))
    yield from table([heads[at] for at in kept], [[row[at] for at in kept] for row in cells], page.width)
    left = [columns[at - 1].name for at in range(1, len(heads)) if at not in kept]
    if left:
        yield from _aside(f"no room for {', '.join(map(inert, left))}: in JSON", page.width)
    if len(shown) < len(rows):
        yield from _aside(
            f"… {many(len(rows) - len(shown), 'more operator')}: --top N, -v or JSON", page.width
        )
    reasons = Counter(reason for row in rows for reason in row.reasons.values())
    for reason, count in reasons.items():
        yield from _aside(f"{_UNKNOWN} {many(count, 'value')} not known: {inert(reason)}", page.width)


def _aside(text: str, width: int) -> list[Text]:
    return sentence("", Text(text, "dim"), width=width, start=INDENT)


def _head(column: Column, rows: Sequence[FactRow]) -> TextColumn:
    known = [row.values[column.name] for row in rows if row.values.get(column.name) is not None]
    words = any(isinstance(value, str) for value in known)
    unit = "%" if column.unit == "share" else "" if column.unit in _WRITTEN_OUT else inert(column.unit)
    return TextColumn((inert(column.name), unit), right=not words, rank=1, widest=_CELL)


def _cell(column: Column, row: FactRow) -> str:
    if column.name not in row.values:
        return ""
    shown = _shown(column, row.values[column.name])
    return shown.removesuffix(" %") if column.unit == "share" else shown


def _shown(column: Column, value: Value) -> str:
    if value is None:
        return _UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return inert(value) if isinstance(value, str) else _number(column.unit, value)


def _number(unit: str, value: float) -> str:
    if unit in _WRITTEN_OUT:
        return _WRITTEN_OUT[unit](value)
    if not isinstance(value, int):
        return f"{value:.4g}"
    return f"{value:,}" if abs(value) < 10**6 else amount(value)
