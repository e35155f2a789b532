"""Gates: a report checked against a policy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from nnea_graph.errors import UsageError
from nnea_graph.report.audit.check import FAIL, IGNORED, PASS, RANKS, UNKNOWN, Check, ModelAudit
from nnea_graph.report.audit.limit import BYTES, COUNT, Change, Limit, parse_limit
from nnea_graph.report.audit.metrics import METRICS, MetricValue, flat, measured, metric_named
from nnea_graph.report.audit.policy import Policy, PolicySetting
from nnea_graph.report.audit.structure import structure
from nnea_graph.report.schema.analysis import Report
from nnea_graph.report.units import amount

if TYPE_CHECKING:
    from nnea_graph.report.audit.baseline import Baseline

BUDGET, REGRESSION = "NNEA901", "NNEA902"
EXPIRED = "NNEA910"

_GATE = re.compile(r"([a-z_]+)\s*(<=|>=|==|<|>)\s*(.+)")
_INVERSE = {"<": ">=", ">": "<=", "<=": ">", ">=": "<"}


def with_gates(policy: Policy, expressions: Sequence[str]) -> Policy:
    """The policy with what ``--fail-on`` asks for: ``macs>600M``, or a severity.

    Raises:
        UsageError: it is no gate, or on a metric that there is not.
    """
    for text in expressions:
        where = f"--fail-on '{text}'"
        if text in RANKS and text not in {"never", "off"}:
            policy = _failing_on(policy, text, where)
            continue
        found = _GATE.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"{where}: write METRIC>LIMIT, for example macs>600M, or note, warning, error")
        metric = metric_named(found[1], where)
        if found[2] not in _INVERSE:
            raise UsageError(f"{where}: a gate compares by <, >, <= or >=")
        limit = parse_limit(_INVERSE[found[2]] + found[3], metric.kind, where)
        policy = policy.with_limit(
            metric.name, replace(limit, text=f"{_INVERSE[found[2]]} {found[3]}"), where
        )
    return policy


def _failing_on(policy: Policy, severity: str, where: str) -> Policy:
    """The stricter of what the policy and the command line ask for."""
    now = policy.get("gate.fail_on", "error")
    if RANKS[now] <= RANKS[severity]:
        return policy
    return replace(policy, settings=dict(policy.settings) | {"gate.fail_on": PolicySetting(severity, where)})


@dataclass(frozen=True, slots=True)
class Subject:
    """A report to check: ``path`` is the model's as policies and results name it, ``gaps`` what is not known of it.

    ``baseline`` is what it is compared with, None for nothing.
    """

    report: Report
    path: str
    gaps: Sequence[str] = ()
    baseline: Baseline | None = None


def audit(subject: Subject, policy: Policy, today: date) -> ModelAudit:
    """Check one report against a policy; ignores expire by ``today``."""
    report, path, baseline = subject.report, subject.path, subject.baseline
    mine = policy.for_model(path)
    checks = [_severed(each, mine) for each in _checks(report, mine, baseline)]
    checks = [each for each in checks if each.severity != "off"]
    checks = list(_ignored(checks, mine, path, today))
    if baseline is not None:
        checks = [baseline.marked(each, path) for each in checks]
    return ModelAudit(
        path=path,
        checks=checks,
        exit_code=_exit_code(checks, mine),
        sha256=report.model.sha256 or "",
        totals=tuple(flat(report).items()),
        gaps=tuple(subject.gaps),
    )


def _exit_code(checks: Sequence[Check], policy: Policy) -> int:
    if any(each.outcome == UNKNOWN and each.severity == "error" for each in checks):
        return 2
    least = RANKS[policy.get("gate.fail_on", "error")]
    new_only = policy.get("gate.new_only", default=False)
    failing = [
        each
        for each in checks
        if each.outcome in {FAIL, UNKNOWN} and RANKS[each.severity] >= least
        if not (new_only and each.state == "unchanged" and not each.rule.startswith("NNEA90"))
    ]
    return 1 if failing else 0


def _checks(report: Report, policy: Policy, baseline: Baseline | None) -> Iterator[Check]:
    yield from _budgets(report, policy)
    yield from _regressions(report, policy, baseline)
    yield from structure(report, policy)
    for finding in report.findings:
        yield Check(
            finding.rule,
            finding.rule,
            FAIL,
            finding.severity,
            finding.message,
            finding.node or "",
            finding.value,
            finding.threshold,
        )


def _severed(check: Check, policy: Policy) -> Check:
    """Check with the severity that the policy gives its rule; the longest prefix wins."""
    rules = {name: setting.value for name, setting in policy.table("rules") if check.rule.startswith(name)}
    return replace(check, severity=rules[max(rules, key=len)]) if rules else check


# Limits


@dataclass(frozen=True, slots=True)
class _Gate:
    """A limit on a metric; ``unknown`` is the severity where its value is not known."""

    rule: str
    metric: str
    limit: Limit
    source: str
    unknown: str

    def check(self, found: MetricValue) -> Check:
        """A value against the limit. A lower bound decides only where it is over a ceiling already."""
        value = found.value
        broken = value is not None and not self.limit.holds(value)
        if value is None or (found.reason and not (broken and self.limit.is_ceiling)):
            message = f"{self.metric} is not known: {found.reason}; the limit is {self.limit.text}"
            return replace(self._check(UNKNOWN, message, value), severity=self.unknown, reason=found.reason)
        shown = f"{self.metric} is {_shown(self.metric, value)}"
        if not broken:
            return self._check(PASS, f"{shown}, within {self.limit.text}", value)
        more = f" or more: {found.reason}" if found.reason else ""
        return self._check(FAIL, f"{shown}{more}; the limit is {self.limit.text}", value)

    def _check(self, outcome: str, message: str, value: float | None) -> Check:
        name = f"{'baseline' if self.rule == REGRESSION else 'budget'}.{self.metric}"
        return Check(
            self.rule,
            name,
            outcome,
            "error",
            message,
            value=value,
            threshold=self.limit.number,
            source=self.source,
        )


def _shown(name: str, value: float) -> str:
    if METRICS[name].kind == COUNT and value == int(value):
        return f"{amount(int(value))} ({int(value):,})" if value >= 1000 else f"{int(value)}"
    return f"{value:,.0f} bytes" if METRICS[name].kind == BYTES else f"{value:.4g}"


def _budgets(report: Report, policy: Policy) -> Iterator[Check]:
    unknown = policy.get("gate.unknown", "error")
    limits = [(key.rstrip("+"), setting) for key, setting in policy.table("budget")]
    versions = [each for each in policy.table("operators") if each[0] in METRICS]
    for name, setting in (*limits, *versions):
        gate = _Gate(BUDGET, name, setting.value, setting.source, unknown)
        yield gate.check(measured(METRICS[name], report))


def _regressions(report: Report, policy: Policy, baseline: Baseline | None) -> Iterator[Check]:
    if baseline is None:
        return
    unknown = policy.get("gate.unknown", "error")
    for name, setting in policy.table("baseline"):
        before, found = measured(METRICS[name], baseline.report), measured(METRICS[name], report)
        if before.value is None or before.reason:
            limit = Limit(setting.value.sign, 0.0, setting.value.text)
            found = MetricValue(None, f"the baseline does not have it: {before.reason}")
        else:
            limit = _against(setting, name, before.value)
        yield _Gate(REGRESSION, name, limit, setting.source, unknown).check(found)


def _against(setting: PolicySetting, name: str, before: float) -> Limit:
    """The limit that the baseline's value gives."""
    limit: Limit = setting.value.limit(before) if isinstance(setting.value, Change) else setting.value
    return replace(limit, text=f"{limit.text} (baseline: {_shown(name, before)})")


# Ignores


def _ignored(checks: Sequence[Check], policy: Policy, path: str, today: date) -> Iterator[Check]:
    """The checks, those that somebody ignores marked; an ignore that has run out says so."""
    expired = set()
    for check in checks:
        taken = [each for each in policy.ignores if each.takes(check.rule, path, check.node)]
        current = next((each for each in taken if each.expires is None or today <= each.expires), None)
        if check.outcome != FAIL or not taken:
            yield check
        elif current is not None:
            until = f" until {current.expires}" if current.expires else ""
            yield replace(check, outcome=IGNORED, reason=f"ignored{until}: {current.reason}")
        else:
            expired.update(taken)
            yield check
    for each in sorted(expired, key=lambda one: (one.rule, one.reason)):
        message = f"the ignore of {each.rule} ({each.reason}) expired on {each.expires}"
        yield Check(EXPIRED, f"ignore.{each.rule}", FAIL, "error", message, source=each.source)
