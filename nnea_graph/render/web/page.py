"""The report as one self-contained HTML file: no network, no eval, a Content-Security-Policy that holds."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from nnea_graph.render.page import Page, many
from nnea_graph.render.sanitize import inert
from nnea_graph.render.web.columns import NODE_FACTS, layer_columns, node_columns, rounded
from nnea_graph.report.glossary.lookup import TERMS, find_terms
from nnea_graph.report.glossary.term import Term
from nnea_graph.report.schema.analysis import Finding, Report
from nnea_graph.report.units import amount, binary, percent
from nnea_graph.report.views.module_tree import ModuleBranch, module_tree
from nnea_graph.report.views.summary import by_rule, most_expensive_layers

_WIDTH = 120
_TOP = 10
_SEVERITIES = {"error": 0, "warning": 1, "note": 2}


def render_page(report: Report, verdict: str = "") -> str:
    """The whole page; the same text for the same report.

    Every text of the model enters as text: escaped by the template, or as JSON that the script sets as text.
    """
    page = Page(report, _WIDTH, top=_TOP)
    script, style = asset("page.js"), asset("page.css")
    text: str = (
        environment()
        .from_string(asset("page.html.j2"))
        .render(
            policy=policy_of(script, style),
            script=script,
            style=style,
            data=_json(_data(page)),
            model=inert(report.model.path),
            subject=_subject(report),
            verdict=verdict,
            totals=list(_totals(report)),
            findings=list(_findings(page)),
            unknown=list(_unknown(report)),
            layers=[
                (page.called(each.id), inert(each.op_type), _amount(each.macs))
                for each in most_expensive_layers(report, _TOP)
            ],
            terms=TERMS,
            extensions=list(report.extensions.values()),
            conventions=report.conventions,
            pathways=bool(report.pathways and report.pathways.paths),
            curves=[(f"curve-{place}", title) for place, title in enumerate(_curves(page))],
            quantization=_quantization(page),
            tool=report.tool,
        )
    )
    return text


@cache
def asset(name: str) -> str:
    """A file that ships beside this module."""
    return (files("nnea_graph.render.web") / "assets" / name).read_text(encoding="utf-8")


@cache
def environment() -> Any:
    """The template engine: every value is escaped, and one that is missing is an error."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only pages need it

    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def policy_of(script: str, style: str) -> str:
    """Nothing but this script and this style: their hashes are of the text between the tags."""
    scripts = f"'{_sha256(script)}'" if script else "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src '{_sha256(style)}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(data: Any) -> str:
    """JSON that ends no script element, whatever its texts are."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _data(page: Page) -> dict[str, Any]:
    report = page.report
    places = {node.id: place for place, node in enumerate(report.nodes)}
    peak = report.totals.peak_node
    return {
        "model": {"path": inert(report.model.path)},
        "totals": {"peak_activation_bytes": report.totals.peak_activation_bytes},
        "peak": page.called(peak) if peak else "",
        "facts": [
            {name: getattr(each, name) for name in ("column", "title", "format", "size", "shade")}
            for each in NODE_FACTS
        ],
        "nodes": node_columns(page),
        "tree": _tree(module_tree(report)),
        "layers": layer_columns(page),
        "layer_ops": [places[layer.id] for layer in report.layers],
        "pathways": _pathways(page, places),
        "curves": {f"curve-{place}": chart for place, chart in enumerate(_curves(page).values())},
        "terms": _definitions(page),
    }


def _definitions(page: Page) -> dict[str, str]:
    """Definition of every marked word means: the totals' titles and the columns' titles."""
    words = [title for title, _, _ in _totals(page.report)]
    found = {word: find_terms(word) for word in words}
    return {word: _definition(terms[0]) for word, terms in found.items() if terms}


def _definition(term: Term) -> str:
    return f"{term.definition}{f' {term.formula}' if term.formula else ''}"


def _tree(branch: ModuleBranch) -> dict[str, Any]:
    found: dict[str, Any] = {"name": inert(branch.name)}
    if branch.modules:
        found["modules"] = [_tree(each) for each in branch.modules.values()]
    if branch.operators:
        found["ops"] = branch.operators
    return found


def _pathways(page: Page, places: dict[str, int]) -> dict[str, Any] | None:
    found = page.report.pathways
    if found is None or not found.paths:
        return None
    return {
        "flow_covered": rounded(found.flow_covered),
        "paths": [
            {
                "share": rounded(path.share),
                "units": [
                    {
                        "label": f"{page.called(unit.node) if unit.node else inert(unit.tensor)}[{unit.channel}]",
                        "layer": unit.node or unit.tensor,
                        "channel": unit.channel,
                        "op": places.get(unit.node or ""),
                    }
                    for unit in path.units
                ],
            }
            for path in found.paths
        ],
    }


def _curves(page: Page) -> dict[str, dict[str, Any]]:
    """Measured curves by title: the change of the output with the share set to zero, a line a layer."""
    found: dict[str, dict[str, Any]] = {}
    for unit in ("weights", "channels"):
        series = [
            {"name": page.called(layer.id), "points": points}
            for layer in page.report.layers
            if layer.sensitivity and (points := _points(layer.sensitivity.points, unit))
        ]
        if series:
            title = f"Change of the output fraction removed important {unit} of one layer"
            found[title] = {"title": title, "words": "relative L2 change", "series": series}
    return found


def _points(points: Any, unit: str) -> list[tuple[float, float]]:
    mine = [each for each in points if each.unit == unit and each.criterion == "importance"]
    known = [
        (each.fraction, float(f"{each.relative_l2:.4g}")) for each in mine if each.relative_l2 is not None
    ]
    return [(0.0, 0.0), *known] if known else []


def _quantization(page: Page) -> list[tuple[str, str, str, str]]:
    """Layers by format: the layer, the format, SQNR of its weights and of the output with this layer alone in it."""

    def decibels(value: float | None) -> str:
        return "not measured" if value is None else f"{value:.1f} dB"

    return [
        (
            page.called(layer.id),
            each.format,
            decibels(each.sqnr_db),
            decibels(each.output.sqnr_db if each.output else None),
        )
        for layer in page.report.layers
        if layer.quantization
        for each in layer.quantization.formats
    ]


def _subject(report: Report) -> str:
    model, data = report.model, report.data
    parts = [
        model.format,
        f"{binary(model.size_bytes)}" if model.size_bytes else "",
        many(model.operators, "operator"),
    ]
    parts.append(f"written by {inert(model.producer)}" if model.producer else "")
    parts.append(
        "at " + ", ".join(f"{name}={size:,}" for name, size in report.dims.items()) if report.dims else ""
    )
    if data is not None:
        parts.append("not run" if data.not_run else f"{many(data.samples, 'sample')} of {inert(data.source)}")
    return " · ".join(part for part in parts if part)


def _totals(report: Report) -> Iterator[tuple[str, str, str]]:
    """Title, number, and the exact number."""
    totals = report.totals
    for title, value in (
        ("parameters", totals.parameters),
        ("MACs", totals.macs),
        ("FLOPs", totals.flops),
        ("training FLOPs", totals.training_flops),
    ):
        yield title, _amount(value), "" if value is None else f"{value:,}"
    for title, size in (
        ("stored size", totals.weight_bytes),
        ("peak activations", totals.peak_activation_bytes),
    ):
        yield title, "unknown" if size is None else binary(size), "" if size is None else f"{size:,} bytes"
    if totals.global_utilization is not None:
        yield (
            "utilization",
            percent(totals.global_utilization),
            f"exp(entropy) of {totals.statistics_of}, per weight",
        )


def _amount(value: int | None) -> str:
    return "unknown" if value is None else amount(value)


def _findings(page: Page) -> Iterator[dict[str, Any]]:
    places = {node.id: place for place, node in enumerate(page.report.nodes)}
    for group in sorted(by_rule(page.report), key=lambda each: _SEVERITIES.get(each.severity, 3)):
        yield {
            "rule": group.rule,
            "severity": group.severity,
            "why": group.hazard,
            "action": group.mitigation,
            "cases": [_item(finding, places) for finding in group.findings[:_TOP]],
            "more": max(0, len(group.findings) - _TOP),
        }


def _item(finding: Finding, places: dict[str, int]) -> tuple[str, int | None]:
    return inert(finding.message), places.get(finding.node or "")


def _unknown(report: Report) -> Iterator[str]:
    """Gaps that the report does not say, a line each."""
    coverage = report.totals.coverage
    if coverage is not None and coverage.unknown:
        ops = ", ".join(f"{inert(name)} ({count:,})" for name, count in coverage.unknown_ops.items())
        yield f"cost of {many(coverage.unknown, 'operator')}: {ops}"
    if report.assumed_dims:
        yield "dims assumed: " + ", ".join(f"{name}={report.dims[name]:,}" for name in report.assumed_dims)
    for run in report.passes:
        if run.status != "ok":
            yield f"pass {run.name} {run.status}: {inert(run.reason)}"
    if report.data is not None and report.data.not_run:
        yield f"not run: {inert(report.data.not_run)}"
    elif report.data is not None and report.data.synthetic:
        yield "activation statistics use synthetic inputs: give --data"
