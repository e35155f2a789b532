"""The report as HTML tables for a notebook; every text out of a model is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from nnea_graph.render.page import Page, many
from nnea_graph.render.sanitize import inert, shorten, shorten_all
from nnea_graph.report.schema.analysis import Layer, Report, Totals
from nnea_graph.report.units import amount, percent
from nnea_graph.report.views.layer_rows import metrics_of
from nnea_graph.report.views.summary import by_rule, most_expensive_layers

_TOP = 10
_WIDTH = 80
_NAME, _MESSAGE = 50, 160
_COLUMNS = ("layer", "operator", "parameters", "MACs", "training FLOPs", "utilization", "redundancy", "Gini")
_WORDS = 2
"""Columns of words, which stand at the left."""


def report_table(report: Report) -> str:
    """Table of the model, its totals, its dearest layers, and what was found."""
    page = Page(report, _WIDTH, top=_TOP)
    shown = most_expensive_layers(report, _TOP)
    names = shorten_all([page.called(layer.id) for layer in shown], _NAME)
    rows = [_row(report, layer, name) for layer, name in zip(shown, names, strict=True)]
    left = len(report.layers) - len(shown)
    return "\n".join(
        [
            "<div>",
            f"<p><b>{_text(report.model.path)}</b>{_text(_subject(report))}</p>",
            _table(("of the model", ""), _totals(report.totals), words=1),
            _table(_COLUMNS, rows, words=_WORDS) if rows else "",
            f"<p>{many(left, 'more layer')}</p>" if left else "",
            *_findings(report),
            "</div>",
        ]
    )


def _subject(report: Report) -> str:
    data = report.data
    samples = (
        "not run" if data is None or data.not_run else f"{many(data.samples, 'sample')} of {data.source}"
    )
    dims = ", ".join(f"{name}={number:,}" for name, number in report.dims.items())
    return f" · {samples}{f' · costs at {dims}' if dims else ''}"


def _totals(totals: Totals) -> Iterator[Sequence[str]]:
    """Names and numbers; shares say what they are of."""
    yield "parameters", _whole(totals.parameters)
    yield "MACs", _amount(totals.macs)
    yield "inference FLOPs", _amount(totals.flops)
    yield "training FLOPs", _amount(totals.training_flops)
    of = {"importance": "importance", "weights": "|w|"}.get(totals.statistics_of or "", "")
    if of:
        yield f"utilization of {of}", _percent(totals.global_utilization)
        yield f"redundancy of {of}", _percent(totals.redundancy_score)


def _row(report: Report, layer: Layer, name: str) -> Sequence[str]:
    metrics = metrics_of(report, layer)
    return (
        name,
        inert(layer.op_type),
        _whole(layer.parameters),
        _amount(layer.macs),
        _amount(layer.training_flops),
        _percent(metrics.utilization if metrics else None),
        _percent(metrics.redundancy if metrics else None),
        "–" if metrics is None or metrics.gini is None else f"{metrics.gini:.2f}",
    )


def _findings(report: Report) -> Iterator[str]:
    for group in by_rule(report):
        worst = group.findings[0]
        more = f" (and {len(group.findings) - 1:,} more)" if len(group.findings) > 1 else ""
        message = shorten(inert(worst.message), _MESSAGE)
        yield f"<p><b>{_text(group.severity)}</b> {_text(worst.rule)}: {_text(message + more)}</p>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        sides = ("left" if place < words else "right" for place in range(len(cells)))
        parts = (
            f'<{tag} style="text-align: {side}">{_text(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(parts)}</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return f"<table>\n<thead>{line('th', heads)}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _text(words: str) -> str:
    return escape(inert(words))


def _whole(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _amount(number: int | None) -> str:
    return "–" if number is None else amount(number)


def _percent(share: float | None) -> str:
    return "–" if share is None else percent(share)
