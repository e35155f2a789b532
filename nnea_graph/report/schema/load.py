"""A report read back from the JSON that was written of it."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin

from nnea_graph.errors import DataError
from nnea_graph.report.schema.analysis import SCHEMA_VERSION, Report
from nnea_graph.report.schema.hints import hints_of


def load_report(path: Path) -> Report:
    """Reads a ``report.json``.

    Raises:
        DataError: it cannot be read, is no report, or is one of another schema version.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: not a report: no valid JSON; run nnea-graph run MODEL --format json"
        ) from error
    return report_of(found, str(path))


def report_of(found: Any, source: str = "report") -> Report:
    """A report of parsed JSON; ``source`` is named in errors.

    Raises:
        DataError: it is no report, or one of another schema version.
    """
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version is None:
        raise DataError(f"{source}: not a report of nnea-graph: it has no schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{source}: a report of schema {str(version)[:20]}, not {SCHEMA_VERSION}: analyze the model again"
        )
    try:
        return cast("Report", _value(Report, found, "report"))
    except _FieldError as error:
        raise DataError(
            f"{source}: not a report of this version: {error}; analyze the model again"
        ) from error


class _FieldError(Exception):
    """A value that its field cannot hold."""


def _value(kind: Any, found: Any, where: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind, found, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(arguments, found, where)
    if origin is Sequence and isinstance(found, list):
        return [_value(arguments[0], each, where) for each in found]
    if origin is Mapping and isinstance(found, dict):
        return {name: _value(arguments[1], each, where) for name, each in found.items()}
    if kind is float and type(found) in (int, float):
        return found
    if isinstance(kind, type) and type(found) is kind:
        return found
    raise _FieldError(f"{where} is {type(found).__name__}")


def _union(kinds: Sequence[Any], found: Any, where: str) -> Any:
    """The first kind that takes the value."""
    if found is None and type(None) in kinds:
        return None
    misfit = _FieldError(f"{where} is {type(found).__name__}")
    for kind in kinds:
        try:
            return _value(kind, found, where)
        except _FieldError as error:
            misfit = error
    raise misfit


def _record(kind: Any, found: Any, where: str) -> Any:
    hints = _hints(kind)
    if not isinstance(found, dict):
        raise _FieldError(f"{where} is no object")
    if odd := found.keys() ^ hints.keys():
        raise _FieldError(
            f"{where} has no field '{min(odd)}'" if min(odd) in hints else f"{where}.{min(odd)} is unknown"
        )
    return kind(**{name: _value(hint, found[name], f"{where}.{name}") for name, hint in hints.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = hints_of(kind)
    return {each.name: hints[each.name] for each in fields(kind)}
