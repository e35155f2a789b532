"""Policies: what a model must hold, read from TOML; every key is typed, and a key that nobody knows is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from nnea_graph.errors import UsageError
from nnea_graph.report.audit.keys import KEYS, TABLES, PolicyKey, checked
from nnea_graph.report.audit.limit import Limit
from nnea_graph.report.audit.metrics import nearest

VERSION = 1
_TOP = ("version", "extends", "ignore", "override")


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
        """What holds for one model, its overrides applied key by key; ``"..."`` in a list keeps what was."""
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


def load_policy(path: Path, _open: tuple[Path, ...] = ()) -> Policy:
    """Reads a policy file and those that it extends.

    Raises:
        UsageError: it cannot be read, or something in it is unknown or of the wrong type; the line is named.
    """
    if path.resolve() in _open:
        raise UsageError(f"{path}: extends itself, by way of {' > '.join(each.name for each in _open)}")
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: no valid TOML: {error}") from error
    return _Reader(path, text).read(found, (*_open, path.resolve()))


class _Reader:
    """One policy file."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._lines = path, text.splitlines()

    def read(self, found: dict[str, Any], opened: tuple[Path, ...]) -> Policy:
        known = {*_TOP, *TABLES}
        for name in found:
            if name not in known:
                raise UsageError(f"{self._at(name)}: there is no table or key '{name}'{nearest(name, known)}")
        version = found.get("version")
        if version != VERSION:
            raise UsageError(f"{self._at('version')}: version must be {VERSION}, not {version}")
        policy = Policy()
        for other in self._texts("extends", found.get("extends", [])):
            policy = _joined(policy, load_policy(self._path.parent / other, opened))
        mine = Policy(
            self._settings(found),
            tuple(self._ignore(each) for each in self._tables("ignore", found)),
            tuple(self._override(each) for each in self._tables("override", found)),
        )
        return _joined(policy, mine)

    def _at(self, key: str) -> str:
        """File and line of a key, the first line that begins with it."""
        for number, line in enumerate(self._lines, 1):
            if line.split("=")[0].strip(" []\"'").split(".")[-1] == key:
                return f"{self._path}:{number}"
        return str(self._path)

    def _settings(self, found: Mapping[str, Any]) -> dict[str, PolicySetting]:
        settings = {}
        for table in TABLES:
            values = found.get(table, {})
            if not isinstance(values, dict):
                raise UsageError(f"{self._at(table)}: [{table}] is a table of keys")
            for name, value in values.items():
                settings[f"{table}.{name}"] = self._setting(table, name, value)
        return settings

    def _setting(self, table: str, name: str, value: object) -> PolicySetting:
        where = f"{self._at(name)}: [{table}] {name}"
        return PolicySetting(checked(_key(table, name, where), value, where), where)

    def _tables(self, name: str, found: Mapping[str, Any]) -> list[dict[str, Any]]:
        values = found.get(name, [])
        if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
            raise UsageError(f"{self._at(name)}: write [[{name}]]")
        return values

    def _texts(self, name: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise UsageError(f"{self._at(name)}: {name} is a list of texts")
        return tuple(value)

    def _ignore(self, found: dict[str, Any]) -> Ignore:
        at = self._at("ignore")
        known = {"rule", "reason", "models", "nodes", "expires"}
        for name in found:
            if name not in known:
                raise UsageError(f"{self._at(name)}: [[ignore]] has no key '{name}'{nearest(name, known)}")
        rule, reason, expires = found.get("rule"), found.get("reason"), found.get("expires")
        if not isinstance(rule, str) or not isinstance(reason, str) or not reason.strip():
            raise UsageError(f"{at}: [[ignore]] needs a rule and a reason")
        if expires is not None and type(expires) is not date:
            raise UsageError(f"{self._at('expires')}: expires is a date such as 2027-03-31, without quotes")
        models, nodes = (self._texts(each, found.get(each, [])) for each in ("models", "nodes"))
        return Ignore(rule, reason, models, nodes, expires, f"{self._at(rule)}" if rule in found else at)

    def _override(self, found: dict[str, Any]) -> Override:
        models = self._texts("models", found.get("models", []))
        if not models:
            raise UsageError(f"{self._at('override')}: [[override]] needs models = [globs]")
        rest = {name: value for name, value in found.items() if name != "models"}
        known = set(TABLES) - {"gate"}
        for name in rest:
            if name not in known:
                raise UsageError(
                    f"{self._at(name)}: [[override]] has no table '{name}'{nearest(name, known)}"
                )
        return Override(models, self._settings(rest))


def _key(table: str, name: str, where: str) -> PolicyKey:
    keys = KEYS[table]
    found = keys.get(name) or (keys.get("*") if name.startswith("NNEA") else None)
    if found is None:
        raise UsageError(f"{where}: there is no key '{name}'{nearest(name, keys)}")
    return found


def _joined(first: Policy, second: Policy) -> Policy:
    return Policy(
        dict(first.settings) | dict(second.settings),
        first.ignores + second.ignores,
        first.overrides + second.overrides,
    )
