"""Policies are read from TOML; every key is typed, and a key that nobody knows is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from nnea_graph.errors import UsageError
from nnea_graph.report.audit.keys import KEYS, TABLES, PolicyKey, checked
from nnea_graph.report.audit.metrics import nearest
from nnea_graph.report.audit.policy import Ignore, Override, Policy, PolicySetting

VERSION = 1
_TOP = ("version", "extends", "ignore", "override")


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
