"""Results of an audit over many models: one table of formats for ``audit --format``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

from nnea_graph.render.ci.github import render_github
from nnea_graph.render.ci.gitlab import render_gitlab
from nnea_graph.render.ci.junit import render_junit
from nnea_graph.render.ci.sarif import render_sarif
from nnea_graph.render.markdown import render_summary
from nnea_graph.render.sanitize import inert
from nnea_graph.report.audit.check import ModelAudit, exit_code_of

_SHOWN = 5
"""Failed checks of a model that the text lists."""


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """A format of results, and its usual file name."""

    file: str
    about: str
    render: Callable[[Sequence[ModelAudit]], str]


def _text(audits: Sequence[ModelAudit]) -> str:
    return "".join(f"{line}\n" for line in _lines(audits))


def _lines(audits: Sequence[ModelAudit]) -> Iterator[str]:
    width = max((len(each.verdict) for each in audits), default=0)
    for each in audits:
        failed = [check for check in each.failures() if check.severity != "note"]
        notes = len(each.failures()) - len(failed)
        yield f"{each.verdict:{width}}  {inert(each.path)}{f'  ({notes:,} notes)' if notes else ''}"
        if each.error:
            yield f"    {inert(each.error)}"
        for check in failed[:_SHOWN]:
            yield f"    {check.severity:7}  {check.rule}  {inert(check.message)}"
        if len(failed) > _SHOWN:
            yield f"    and {len(failed) - _SHOWN:,} more (--format json)"
    counts = {verdict: sum(each.verdict == verdict for each in audits) for verdict in _VERDICTS}
    yield ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items() if count)


_VERDICTS = ("PASSED", "PASSED WITH GAPS", "FAILED", "ERROR")


def _json(audits: Sequence[ModelAudit]) -> str:
    models = [
        {**asdict(each), "totals": dict(each.totals), "verdict": each.verdict, "fingerprints": _marks(each)}
        for each in audits
    ]
    found = {
        "schema_version": "1",
        "exit_code": exit_code_of([each.exit_code for each in audits]),
        "models": models,
    }
    return json.dumps(found, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _marks(audit: ModelAudit) -> list[str]:
    return [check.fingerprint(audit.path) for check in audit.checks]


RESULT_FORMATS: Mapping[str, ResultFormat] = MappingProxyType(
    {
        "text": ResultFormat("audit.txt", "for a terminal", _text),
        "json": ResultFormat("audit.json", "every check", _json),
        "sarif": ResultFormat("audit.sarif", "SARIF 2.1.0 for code scanning", render_sarif),
        "junit": ResultFormat("junit.xml", "JUnit XML, a suite a model", render_junit),
        "gitlab": ResultFormat("gl-code-quality-report.json", "GitLab Code Quality", render_gitlab),
        "github": ResultFormat("annotations.txt", "GitHub workflow commands", render_github),
        "md": ResultFormat("audit.md", "Markdown for a job summary", render_summary),
    }
)


def render_results(name: str, audits: Sequence[ModelAudit]) -> str:
    """The results in a format; the same bytes for the same audits."""
    return RESULT_FORMATS[name].render(audits)
