"""Markdown for a pull request or a job summary: verdict, totals, what failed, the most expensive layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nnea_graph.render.page import Page
from nnea_graph.render.sanitize import inert
from nnea_graph.report.audit.check import ModelAudit
from nnea_graph.report.schema.analysis import Report
from nnea_graph.report.units import amount, binary, percent
from nnea_graph.report.views.summary import most_expensive_layers

BUDGET = 60_000
"""Bytes that a comment of a pull request holds."""
_TOP = 10
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def render_markdown(audit: ModelAudit, report: Report) -> str:
    """The report of one model, cut to what a comment holds."""
    page = Page(report, 120, top=_TOP)
    return _cut([*_head(audit), *_totals(report), *_failures([audit]), *_layers(page)])


def render_summary(audits: Sequence[ModelAudit]) -> str:
    """The table of a fleet and what failed in it."""
    rows = [
        (text(audit.path), f"**{audit.verdict}**", str(len(audit.failures())), text(audit.error[:200]))
        for audit in audits
    ]
    table = _table(("model", "verdict", "failed checks", "error"), rows)
    return _cut(["# nnea-graph audit", "", *table, "", *_failures(audits)])


def text(words: str) -> str:
    r"""Words of a model as Markdown that only shows them.

    >>> print(text("a|b <i>"))
    a\|b \<i\>
    """
    return _SPECIAL.sub(r"\\\1", inert(words))


def _head(audit: ModelAudit) -> Iterator[str]:
    yield f"# {text(audit.path)}: {audit.verdict}"
    yield ""
    for gap in audit.gaps:
        yield f"- not known: {text(gap)}"
    yield ""


def _totals(report: Report) -> Iterator[str]:
    totals = report.totals

    def count(value: int | None) -> str:
        return "unknown" if value is None else f"{amount(value)} ({value:,})"

    rows = [
        ("MACs", count(totals.macs)),
        ("FLOPs", count(totals.flops)),
        ("parameters", count(totals.parameters)),
        ("stored weights", "unknown" if totals.weight_bytes is None else binary(totals.weight_bytes)),
        (
            "peak activations",
            "unknown" if totals.peak_activation_bytes is None else binary(totals.peak_activation_bytes),
        ),
        ("dims", text(", ".join(f"{name}={size}" for name, size in report.dims.items()) or "as declared")),
    ]
    yield from _table(("total", "value"), rows)
    yield ""


def _failures(audits: Sequence[ModelAudit]) -> Iterator[str]:
    rows = [
        (check.severity, check.rule, text(audit.path), text(check.message))
        for audit in audits
        for check in audit.failures()
    ]
    if rows:
        yield "## What was found"
        yield ""
        yield from _table(("severity", "rule", "model", "message"), rows)
        yield ""


def _layers(page: Page) -> Iterator[str]:
    report = page.report
    shown = most_expensive_layers(report, _TOP)
    if not shown:
        return
    yield f"## The {len(shown)} most expensive layers of {len(report.layers):,}"
    yield ""
    whole = report.totals.macs or 0
    rows = [
        (
            text(page.called(each.id)),
            text(each.op_type),
            f"{each.parameters:,}",
            "unknown" if each.macs is None else amount(each.macs),
            percent(each.macs / whole) if whole and each.macs is not None else "",
        )
        for each in shown
    ]
    yield from _table(("layer", "operator", "parameters", "MACs", "share"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _cut(lines: Sequence[str]) -> str:
    """The lines that fit; the last one says that there were more."""
    kept, size = [], 0
    for line in lines:
        size += len(line.encode("utf-8", "backslashreplace")) + 1
        if size > BUDGET - 100:
            kept += ["", "_Cut here: the JSON report has everything._"]
            break
        kept.append(line)
    return "\n".join(kept).rstrip() + "\n"
