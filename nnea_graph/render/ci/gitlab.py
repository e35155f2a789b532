"""GitLab's Code Quality report: a list of issues."""

from __future__ import annotations

import json
from collections.abc import Sequence

from nnea_graph.render.sanitize import inert
from nnea_graph.report.audit.check import ModelAudit

_SEVERITIES = {"note": "info", "warning": "minor", "error": "major"}


def render_gitlab(audits: Sequence[ModelAudit]) -> str:
    """Issues that failed or could not be decided; fingerprints differ, as all but one of a kind would vanish."""
    issues = [
        {
            "description": inert(check.message),
            "check_name": check.rule,
            "fingerprint": f"{check.fingerprint(audit.path)}{place:04x}",
            "severity": _SEVERITIES[check.severity],
            "location": {"path": inert(audit.path.removeprefix("./")), "lines": {"begin": 1}},
        }
        for audit in audits
        for place, check in enumerate(audit.failures())
    ]
    return json.dumps(issues, indent=1, ensure_ascii=False) + "\n"
