"""Gates of the command line: ``--policy``, ``--baseline`` and ``--fail-on``, for one model or for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from nnea_graph.commands.messages import say
from nnea_graph.errors import UsageError
from nnea_graph.render.sanitize import inert
from nnea_graph.report.audit.check import UNKNOWN, ModelAudit
from nnea_graph.report.audit.gates import Subject, audit
from nnea_graph.report.audit.policy import Policy
from nnea_graph.report.schema.analysis import Report


def gates_of(options: Mapping[str, Any]) -> tuple[Policy, Report | None]:
    """The policy and the baseline that the options name; read before anything else is done.

    Raises:
        UsageError: something in them is not known.
        DataError: the baseline is no report.
    """
    path: Path | None = options.get("policy")
    policy = _policy(path, options.get("fail_on", ()))
    before: Path | None = options.get("baseline")
    if before is None and any(True for _ in policy.table("baseline")) and "baseline" in options:
        say("nnea-graph: the policy's [baseline] is not checked: there is no --baseline\n")
    return policy, _baseline(before)


def _policy(path: Path | None, fail_on: Sequence[str]) -> Policy:
    if path is None and not fail_on:
        return Policy()
    from nnea_graph.report.audit.gates import with_gates  # noqa: PLC0415 - start-up
    from nnea_graph.report.audit.policy_file import load_policy  # noqa: PLC0415 - start-up

    return with_gates(load_policy(path) if path else Policy(), fail_on)


def _baseline(path: Path | None) -> Report | None:
    """The report; None for a folder of reports, which is looked into model by model."""
    if path is None or path.is_dir():
        return None
    if not path.exists():
        raise UsageError(f"--baseline {path}: there is no such report")
    from nnea_graph.report.schema.load import load_report  # noqa: PLC0415 - start-up

    return load_report(path)


def audit_report(
    report: Report, path: str, policy: Policy, before: Report | None, today: date | None = None
) -> ModelAudit:
    """Check a report; the day is today's (UTC) unless it is given."""
    baseline = None
    if before is not None:
        from nnea_graph.report.audit.baseline import baseline_for  # noqa: PLC0415 - start-up

        baseline = baseline_for(report, before, "--baseline")
    return audit(Subject(report, path, baseline=baseline), policy, today or datetime.now(UTC).date())


def exit_code(found: ModelAudit, *, exit_zero: bool = False) -> int:
    """The exit code of a command; a limit on what is not known is told on stderr."""
    if found.exit_code == 2:
        for check in found.failures():
            if check.outcome == UNKNOWN:
                say(f"nnea-graph: error: {inert(f'{check.source}: {check.message}')}\n")
        return 2
    return 0 if exit_zero else found.exit_code
