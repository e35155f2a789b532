"""Baselines: an earlier report of the same model, and the findings that it had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nnea_graph.errors import UsageError
from nnea_graph.report.audit.check import FAIL, IGNORED, Check
from nnea_graph.report.schema.analysis import Report


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier report; findings are the same by rule and by place."""

    report: Report

    def marked(self, check: Check, path: str) -> Check:
        """The check, with how it stands to the baseline."""
        del path
        if check.outcome not in {FAIL, IGNORED}:
            return check
        old = {(finding.rule, finding.node or "") for finding in self.report.findings}
        return replace(check, state="unchanged" if (check.rule, check.node) in old else "new")

    def gone(self, report: Report) -> list[str]:
        """Messages of findings that the baseline has and the report has not."""
        now = {(finding.rule, finding.node) for finding in report.findings}
        return [each.message for each in self.report.findings if (each.rule, each.node) not in now]


def baseline_for(report: Report, before: Report, name: str) -> Baseline:
    """A baseline that can be compared with a report.

    Raises:
        UsageError: the two count by other conventions, at other dims or on another kind of data.
    """
    differences: Mapping[str, tuple[object, object]] = {
        "dims": (dict(before.dims), dict(report.dims)),
        "conventions": (dict(before.conventions), dict(report.conventions)),
        "data": (_kind(before), _kind(report)),
    }
    for what, (old, new) in differences.items():
        if old != new:
            shown = "" if what == "conventions" else f": {old} and {new}"
            raise UsageError(
                f"baseline {name}: it is of other {what}{shown}; make it again with the same options"
            )
    return Baseline(before)


def _kind(report: Report) -> str:
    if report.data is None or report.data.not_run:
        return "not run"
    return "synthetic" if report.data.synthetic else "real"
