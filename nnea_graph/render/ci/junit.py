"""JUnit XML: one suite a model, one case a check that was made."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from nnea_graph.render.sanitize import inert
from nnea_graph.report.audit.check import FAIL, IGNORED, UNKNOWN, Check, ModelAudit


def render_junit(audits: Sequence[ModelAudit]) -> str:
    """The document; times are left out, so that the same audits give the same bytes."""
    suites = [_suite(audit) for audit in audits]
    tests, failures, errors = (
        sum(numbers) for numbers in zip(*(_counts(each) for each in audits), strict=True)
    )
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="nnea-graph audit" tests="{tests}" failures="{failures}" errors="{errors}" time="0">',
            *suites,
            "</testsuites>",
            "",
        ]
    )


def _counts(audit: ModelAudit) -> tuple[int, int, int]:
    """Cases, failures and errors."""
    failed = sum(check.outcome == FAIL for check in audit.checks)
    undecided = sum(check.outcome == UNKNOWN for check in audit.checks)
    return len(audit.checks) + bool(audit.error), failed, undecided + bool(audit.error)


def _suite(audit: ModelAudit) -> str:
    tests, failures, errors = _counts(audit)
    skipped = sum(check.outcome == IGNORED for check in audit.checks)
    name = _attribute(audit.path)
    cases = [_case(check, audit, place) for place, check in enumerate(audit.checks)]
    if audit.error:
        cases.append(
            f'    <testcase classname={name} name="audit" time="0">'
            f'<error type="audit" message={_attribute(audit.error)}/></testcase>'
        )
    numbers = f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    return "\n".join([f'  <testsuite name={name} {numbers} time="0">', *cases, "  </testsuite>"])


def _case(check: Check, audit: ModelAudit, place: int) -> str:
    """A case; names of cases differ, as readers keep only the first of a name."""
    label = f"{check.name} {check.node}".strip() + f" #{place + 1}"
    head = f'    <testcase classname={_attribute(audit.path)} name={_attribute(label)} time="0"'
    message = _attribute(check.message)
    detail = escape(inert(f"{check.source or check.rule}; value {check.value}, limit {check.threshold}"))
    if check.outcome == FAIL:
        return (
            f"{head}><failure type={_attribute(check.rule)} message={message}>{detail}</failure></testcase>"
        )
    if check.outcome == UNKNOWN:
        return f"{head}><error type={_attribute(check.rule)} message={message}>{detail}</error></testcase>"
    if check.outcome == IGNORED:
        return f"{head}><skipped message={_attribute(check.reason)}/></testcase>"
    return f"{head}/>"


def _attribute(text: str) -> str:
    """A quoted attribute; control characters, which XML has no way to write, are spelled out."""
    return quoteattr(inert(text).encode("utf-8", "backslashreplace").decode())
