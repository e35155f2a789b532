"""Checks: what an audit looked at, one by one, also what held."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

PASS, FAIL, UNKNOWN, IGNORED = "pass", "fail", "unknown", "ignored"
"""Outcomes of a check; an unknown one could not be decided."""

RANKS = {"never": 4, "error": 3, "warning": 2, "note": 1, "off": 0}
"""Severities by weight."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``node`` is the operator that it is about, "" the model.

    ``source`` is where the policy asks for it, ``reason`` why it was ignored or is unknown. ``state`` says how it
    stands to the baseline: new, unchanged, or "" without one.
    """

    rule: str
    name: str
    outcome: str
    severity: str
    message: str
    node: str = ""
    value: float | None = None
    threshold: float | None = None
    source: str = ""
    reason: str = ""
    state: str = ""

    def fingerprint(self, model: str) -> str:
        """The identity across runs: of the rule, the model and the place, not of values or texts."""
        return hashlib.sha256(repr((self.rule, self.name, model, self.node)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ModelAudit:
    """Result of an audit of one model; ``error`` is why it could not be audited, "" if it was."""

    path: str
    checks: Sequence[Check]
    exit_code: int
    sha256: str = ""
    totals: Sequence[tuple[str, float]] = ()
    gaps: Sequence[str] = ()
    error: str = ""
    report: str = ""

    @property
    def verdict(self) -> str:
        """PASSED, PASSED WITH GAPS, FAILED, or ERROR where there is no telling."""
        if self.exit_code > 1:
            return "ERROR"
        if self.exit_code:
            return "FAILED"
        return "PASSED WITH GAPS" if self.gaps else "PASSED"

    def failures(self) -> list[Check]:
        """The checks that failed, the most severe first."""
        found = [each for each in self.checks if each.outcome in {FAIL, UNKNOWN}]
        return sorted(found, key=lambda each: (-RANKS[each.severity], each.rule, each.name, each.node))


def exit_code_of(codes: Sequence[int]) -> int:
    """The exit code of a fleet: the worst of internal error, input error, failed gate, done."""
    return max(codes, default=0)
