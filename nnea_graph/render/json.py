"""The report as JSON, schema 1."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from nnea_graph.report import Report


def render_json(report: Report) -> str:
    """One line a layer, node or finding; keys in the order of the schema; the same bytes for the same report.

    Indented throughout, a large graph would take Python's slow encoder and ten times the lines.
    """
    return "".join(_pieces(plain(report)))


def _pieces(whole: Mapping[str, Any]) -> Iterator[str]:
    opening = "{\n"
    for name, value in whole.items():
        yield f"{opening} {_compact(name)}: "
        yield from _value(value)
        opening = ",\n"
    yield "\n}\n"


def _value(value: Any) -> Iterator[str]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _lines("[", [_compact(item) for item in value], "]")
    elif isinstance(value, dict) and value:
        yield from _lines("{", [f"{_compact(key)}: {_compact(item)}" for key, item in value.items()], "}")
    else:
        yield _compact(value)


def _lines(opening: str, lines: Sequence[str], closing: str) -> Iterator[str]:
    yield opening + "\n  " + ",\n  ".join(lines) + "\n " + closing


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """Dataclasses as dicts, sequences as lists."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if is_dataclass(value):
        return {name: plain(getattr(value, name)) for name in _names(type(value))}
    return [plain(item) for item in value]


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
