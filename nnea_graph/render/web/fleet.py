"""The index of a fleet: one static page that links to the page of each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnea_graph.render.sanitize import inert
from nnea_graph.render.web.page import asset, environment, policy_of
from nnea_graph.report.audit.check import ModelAudit
from nnea_graph.report.units import amount, binary

_NUMBERS = (
    ("macs", "MACs"),
    ("parameters", "parameters"),
    ("weight_bytes", "weights"),
    ("peak_activations", "peak"),
)


def render_index(audits: Sequence[ModelAudit], links: Mapping[str, str]) -> str:
    """The page; ``links`` are the models' own pages, relative to it."""
    style = asset("page.css")
    text: str = (
        environment()
        .from_string(asset("fleet.html.j2"))
        .render(
            policy=policy_of("", style),
            style=style,
            heads=[title for _, title in _NUMBERS],
            rows=[_row(each, links.get(each.path, "")) for each in audits],
        )
    )
    return text


def _row(audit: ModelAudit, link: str) -> dict[str, Any]:
    totals = dict(audit.totals)
    return {
        "path": inert(audit.path),
        "link": link,
        "verdict": audit.verdict,
        "error": inert(audit.error),
        "numbers": [_shown(name, totals.get(name)) for name, _ in _NUMBERS],
        "failures": [(check.rule, inert(check.message)) for check in audit.failures()[:5]],
    }


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    return binary(int(value)) if name in {"weight_bytes", "peak_activations"} else amount(int(value))
