"""Text report: whether the units on the best paths matter more than others."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from nnea_graph.render.page import Page, many, per_cent
from nnea_graph.render.sanitize import inert, shorten
from nnea_graph.render.text.layout import INDENT, Row, TextColumn, hanging, sentence, table, title
from nnea_graph.report.schema.path_validation import AblationComparison, Effect, PathValidation

_COLUMNS = (
    TextColumn(("", ""), right=False, widest=34),
    TextColumn(("output changes", "%")),
    TextColumn(("top-1 agreement", "%")),
    TextColumn(("accuracy", "%")),
)
_NAME = 30


def validation(page: Page) -> list[Text]:
    """What is left without the units on the paths and with them alone, beside others; the paths say where not."""
    found = page.report.pathways.validation if page.report.pathways else None
    if found is None or found.removed is None or found.kept is None:
        return []
    head = title("Validation of the paths by ablation", _aside(found), width=page.width)
    rows: list[Row] = [
        ("whole model", "0", per_cent(1), per_cent(found.accuracy)),
        Text(f"{' ' * INDENT}without", "italic"),
        *_rows(found.removed),
        Text(f"{' ' * INDENT}with only these units in their layers", "italic"),
        *_rows(found.kept),
    ]
    return [
        *head,
        *table(_COLUMNS, rows, page.width),
        *_verdict(page, found, found.removed),
        *_gaps(page, found),
    ]


def _aside(found: PathValidation | None) -> str:
    if found is None or found.removed is None:
        return ""
    much = many(found.samples, "sample")
    stopped = "" if found.complete else ", stopped at the time limit"
    return f"{much}{stopped}; output {shorten(inert(found.output), _NAME)}"


def _rows(found: AblationComparison) -> Iterator[tuple[str, str, str, str]]:
    yield _row("  the units on the paths", found.paths)
    yield _row("  same number, highest importance", found.importance)
    yield _row("  same number, largest path mass", found.marginal)
    low, high = found.random_low, found.random_high
    yield (
        f"  same number, random ({len(found.random)} draws)",
        _span(low.change, high.change),
        _span(low.agreement, high.agreement),
        _span(low.accuracy, high.accuracy),
    )


def _row(label: str, effect: Effect) -> tuple[str, str, str, str]:
    return label, per_cent(effect.change), per_cent(effect.agreement), per_cent(effect.accuracy)


def _span(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{per_cent(low)} … {per_cent(high)}"


def _verdict(page: Page, found: PathValidation, removed: AblationComparison) -> list[Text]:
    """Verdict that the numbers carry, and no more."""
    if removed.rank is None:
        return []
    units = many(found.units, "unit")
    words = (
        f"Ablating the {units} on the paths in {many(len(found.layers), 'layer')} changes the output more than"
        f" {removed.rank} of {many(len(removed.random), 'random choice')} of the same number of units."
    )
    return hanging(Text(" " * INDENT), Text(words), page.width)


def _gaps(page: Page, found: PathValidation) -> list[Text]:
    lines: list[Text] = []
    for name, reason in list(found.left_out.items())[: None if page.verbose else page.top]:
        words = Text(f"{inert(name)}: {inert(reason)}", "dim")
        lines += sentence("not ablated", words, width=page.width)
    return lines
