"""GitHub's workflow commands: annotations of a run, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from nnea_graph.render.sanitize import inert
from nnea_graph.report.audit.check import RANKS, Check, ModelAudit

_COMMANDS = {"note": "notice", "warning": "warning", "error": "error"}
_SHOWN = 10
"""Annotations of one kind that GitHub shows of a step."""


def render_github(audits: Sequence[ModelAudit]) -> str:
    """One command a line; where more would not be shown, the last one says how many are left."""
    found = [(check, audit) for audit in audits for check in audit.failures()]
    lines = [
        f"::error title=nnea-graph::{_data(f'{each.path}: {each.error}')}" for each in audits if each.error
    ]
    for severity in sorted(_COMMANDS, key=lambda each: -RANKS[each]):
        mine = [each for each in found if each[0].severity == severity]
        shown = mine if len(mine) <= _SHOWN else mine[: _SHOWN - 1]
        lines += [_line(check, audit) for check, audit in shown]
        if len(shown) < len(mine):
            lines.append(
                f"::{_COMMANDS[severity]} title=nnea-graph::{len(mine) - len(shown):,} more of this severity"
            )
    return "".join(f"{line}\n" for line in lines)


def _line(check: Check, audit: ModelAudit) -> str:
    place = f"file={_property(audit.path)},line=1,title={_property(f'nnea-graph ({check.rule})')}"
    return f"::{_COMMANDS[check.severity]} {place}::{_data(check.message)}"


def _data(text: str) -> str:
    return inert(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
