"""SARIF 2.1.0: results by rule, with what GitHub's code scanning needs beyond the schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nnea_graph import __version__
from nnea_graph.render.sanitize import inert
from nnea_graph.report.audit.check import FAIL, IGNORED, UNKNOWN, Check, ModelAudit
from nnea_graph.report.audit.rules import rule_facts

_LEVELS = {"note": "note", "warning": "warning", "error": "error"}
_REGION = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2}
"""A model has no lines; GitHub takes no result without a region."""
_TEXT = 1024


def render_sarif(audits: Sequence[ModelAudit]) -> str:
    """One run over all models; the same bytes for the same audits."""
    rules = sorted({check.rule for audit in audits for check in _told(audit)})
    places = {rule: place for place, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "nnea-graph",
                "semanticVersion": __version__,
                "informationUri": "https://pypi.org/project/nnea-graph/",
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "artifacts": [_artifact(audit) for audit in audits],
        "automationDetails": {"id": "nnea-graph/audit/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(audits)],
        "results": [
            _result(check, audit, place, places)
            for place, audit in enumerate(audits)
            for check in _told(audit)
        ],
    }
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _told(audit: ModelAudit) -> list[Check]:
    """Checks that failed, was ignored or could not be decided; what passed is no result."""
    return [check for check in audit.checks if check.outcome in {FAIL, IGNORED, UNKNOWN}]


def _rule(rule_id: str) -> dict[str, Any]:
    about = rule_facts(rule_id)
    return {
        "id": rule_id,
        "name": about.name,
        "shortDescription": {"text": about.summary[:_TEXT]},
        "fullDescription": {"text": about.rationale[:_TEXT]},
        "help": {
            "text": about.mitigation,
            "markdown": f"**Why.** {about.rationale}\n\n**What to do.** {about.mitigation}",
        },
        "defaultConfiguration": {"level": _LEVELS[about.severity]},
        "properties": {"tags": [about.category], "precision": "very-high"},
    }


def _artifact(audit: ModelAudit) -> dict[str, Any]:
    found: dict[str, Any] = {"location": _location(audit), "roles": ["analysisTarget"]}
    if audit.sha256:
        found["hashes"] = {"sha-256": audit.sha256}
    return found


def _location(audit: ModelAudit) -> dict[str, str]:
    from urllib.parse import quote  # noqa: PLC0415 - only SARIF needs it

    return {"uri": quote(audit.path.encode("utf-8", "backslashreplace")), "uriBaseId": "SRCROOT"}


def _invocation(audits: Sequence[ModelAudit]) -> dict[str, Any]:
    failed = [audit for audit in audits if audit.error]
    return {
        "executionSuccessful": not failed,
        "exitCode": max((audit.exit_code for audit in audits), default=0),
        "toolExecutionNotifications": [
            {"level": "error", "message": {"text": f"{inert(audit.path)}: {inert(audit.error)}"}}
            for audit in failed
        ],
    }


def _result(check: Check, audit: ModelAudit, place: int, places: Mapping[str, int]) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {**_location(audit), "index": place},
            "region": dict(_REGION),
        }
    }
    if check.node:
        name = inert(check.node)
        location["logicalLocations"] = [
            {"name": name.rpartition("/")[2], "fullyQualifiedName": name, "kind": "element"}
        ]
    mark = check.fingerprint(audit.path)
    result: dict[str, Any] = {
        "ruleId": check.rule,
        "ruleIndex": places[check.rule],
        "kind": "fail",
        "level": _LEVELS[check.severity],
        "message": {"text": inert(check.message)},
        "locations": [location],
        "partialFingerprints": {"primaryLocationLineHash": f"{mark}:1", "nneaFinding/v1": mark},
    }
    if check.state:
        result["baselineState"] = check.state
    if check.outcome == IGNORED:
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": inert(check.reason)}
        ]
    numbers = {"value": check.value, "threshold": check.threshold}
    known = {name: value for name, value in numbers.items() if value is not None}
    return result | ({"properties": known} if known else {})
