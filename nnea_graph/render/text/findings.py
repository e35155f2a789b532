"""Text report: findings by rule, conventions, passes that failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.text import Text

from nnea_graph.render.page import Page
from nnea_graph.render.sanitize import inert, shorten
from nnea_graph.render.text.layout import HEADER, INDENT, hanging, sentence, title
from nnea_graph.report.schema.analysis import Finding
from nnea_graph.report.views.summary import RuleGroup, by_rule

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_MOST = 3
_NAME = 44
_MESSAGE = 400
_QUOTED = re.compile(r"'([^']+)'")
_INDENT = 11
_USES = {
    "cost": ("macs", "flops", "training"),
    "weight_statistics": ("statistics",),
    "pathways": ("paths",),
    "activations": ("int8",),
}


def findings(page: Page) -> list[Text]:
    """One entry a rule: what was found, the worst three by name, what it means, what to do."""
    groups = by_rule(page.report)
    if not groups:
        return []
    lines = title("Findings", _counts(groups), width=page.width)
    for group in groups:
        lines += _entry(page, group)
    return lines


def _counts(groups: Sequence[RuleGroup]) -> str:
    counts = []
    for severity in _STYLES:
        count = sum(len(group.findings) for group in groups if group.severity == severity)
        if count:
            counts.append(f"{count:,} {severity}{'' if count == 1 else 's'}")
    return ", ".join(counts)


def _entry(page: Page, group: RuleGroup) -> Iterator[Text]:
    shown = group.findings if page.verbose else group.findings[:_MOST]
    start = Text.assemble(" " * INDENT, (group.severity.ljust(_INDENT - INDENT), _STYLES[group.severity]))
    for finding in shown:
        yield from hanging(start, _message(page, finding), page.width)
        start = Text(" " * _INDENT)
    left = len(group.findings) - len(shown)
    if left:
        yield Text(f"{' ' * _INDENT}… and {left:,} more: -v or JSON", "dim")
    yield from hanging(Text(f"  {group.rule}  "), Text(f"{group.hazard}", "dim"), page.width)
    yield from hanging(Text(" " * (_INDENT - 3) + "→  "), Text(group.mitigation), page.width)


def _message(page: Page, finding: Finding) -> Text:
    """The message with layers called as in the table, and long names shortened."""

    def called(found: re.Match[str]) -> str:
        name = found[1] if page.verbose else shorten(page.called(found[1]), _NAME)
        return f"'{inert(name)}'"

    message = inert(_QUOTED.sub(called, finding.message))
    return Text(message if page.verbose else shorten(message, _MESSAGE))


def conventions(page: Page) -> list[Text]:
    """Lists the conventions of the numbers above."""
    words = page.report.conventions
    used = [key for name, keys in _USES.items() if page.ran(name) for key in keys if key in words]
    if page.report.totals.statistics_of == "importance":
        used.append("importance")
    if not used:
        return []
    lines = title("Conventions")
    for key in words if page.verbose else used:
        lines += sentence(key.replace("_", " "), Text(words[key]), width=page.width, start=HEADER)
    for line in lines[2:]:
        line.stylize("dim")
    return lines


def failures(page: Page) -> list[Text]:
    """Passes whose facts are missing."""
    bad = [f"{run.name} {run.status}" for run in page.report.passes if run.status != "ok"]
    if not bad:
        return []
    return [Text(), *sentence("passes", Text(inert(", ".join(bad)), "red"), width=page.width, start=HEADER)]
