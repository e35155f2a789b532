"""Policies: what a model must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnea_graph.report.audit.limit import Limit


@dataclass(frozen=True, slots=True)
class Ignore:
    """Findings that do not count, for a reason, until a day."""

    rule: str
    reason: str
    models: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    expires: date | None = None
    source: str = ""

    def takes(self, rule: str, model: str, node: str) -> bool:
        """Tells whether it is about this finding; the date is not asked."""
        return (
            rule.startswith(self.rule)
            and (not self.models or any(glob_match(each, model) for each in self.models))
            and (not self.nodes or any(fnmatchcase(node, each) for each in self.nodes))
        )


@dataclass(frozen=True, slots=True)
class PolicySetting:
    """A value of a policy and where it was written."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Override:
    """Settings for some models only."""

    models: tuple[str, ...]
    settings: Mapping[str, PolicySetting]


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings by ``table.key``, ignores, and overrides in the order in which they apply."""

    settings: Mapping[str, PolicySetting] = field(default_factory=dict)
    ignores: tuple[Ignore, ...] = ()
    overrides: tuple[Override, ...] = ()

    def for_model(self, path: str) -> Policy:
        """Policy that holds for one model, its overrides applied key by key; ``"..."`` in a list keeps what was."""
        settings = dict(self.settings)
        for each in self.overrides:
            if any(glob_match(glob, path) for glob in each.models):
                settings |= {name: _kept(new, settings.get(name)) for name, new in each.settings.items()}
        return replace(self, settings=settings, overrides=())

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""
        return self.settings[key].value if key in self.settings else default

    def table(self, name: str) -> Iterator[tuple[str, PolicySetting]]:
        """The settings of a table by their keys, in order of name."""
        for key in sorted(self.settings):
            head, _, tail = key.partition(".")
            if head == name:
                yield tail, self.settings[key]

    def with_limit(self, metric: str, limit: Limit, source: str) -> Policy:
        """The policy and one more budget; it never loosens one: both must hold."""
        key = f"budget.{metric}"
        while key in self.settings:
            key += "+"
        return replace(self, settings=dict(self.settings) | {key: PolicySetting(limit, source)})


def _kept(new: PolicySetting, old: PolicySetting | None) -> PolicySetting:
    if not isinstance(new.value, tuple) or "..." not in new.value:
        return new
    before = old.value if old else ()
    return PolicySetting((*before, *(each for each in new.value if each != "...")), new.source)


def glob_match(glob: str, path: str) -> bool:
    """Tells whether a path matches; ``**`` crosses folders, ``*`` does not.

    >>> glob_match("models/**", "models/a/b.onnx"), glob_match("models/*", "models/a/b.onnx")
    (True, False)
    """
    return _parts_match(glob.split("/"), path.split("/"))


def _parts_match(globs: Sequence[str], parts: Sequence[str]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_parts_match(globs[1:], parts[start:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and _parts_match(globs[1:], parts[1:])
