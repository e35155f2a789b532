"""The report as JSON, schema 1."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from nnea_graph.report import Report


def render_json(report: Report) -> str:
    """The whole text; see ``json_pieces``."""
    return "".join(json_pieces(report))


def json_pieces(report: Any) -> Iterator[str]:
    """One line a layer, node or finding; keys in the order of the schema; the same bytes for the same report.

    Indented throughout, a large graph would take Python's slow encoder and ten times the lines; in one
    piece, as much memory again as the report itself.
    """
    opening = "{\n"
    for name in _names(type(report)):
        yield f"{opening} {_compact(name)}: "
        yield from _value(getattr(report, name))
        opening = ",\n"
    yield "\n}\n"


def _value(value: Any) -> Iterator[str]:
    if isinstance(value, list) and value and is_dataclass(value[0]):
        yield from _lines("[", (_compact(plain(item)) for item in value), "]")
    elif is_dataclass(value):
        items = ((name, getattr(value, name)) for name in _names(type(value)))
        yield from _lines("{", (f"{_compact(name)}: {_compact(plain(item))}" for name, item in items), "}")
    elif isinstance(value, Mapping) and any(map(is_dataclass, value.values())):
        yield from _lines(
            "{", (f"{_compact(name)}: {_compact(plain(item))}" for name, item in value.items()), "}"
        )
    else:
        yield _compact(plain(value))


def _lines(opening: str, lines: Iterator[str], closing: str) -> Iterator[str]:
    separator = opening + "\n  "
    for line in lines:
        yield separator + line
        separator = ",\n  "
    yield "\n " + closing


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


_LEAVES = frozenset({str, int, float, bool, type(None)})


def plain(value: Any) -> Any:
    """Dataclasses as dicts, sequences as lists."""
    if type(value) in _LEAVES:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if type(item) in _LEAVES else plain(item) for item in value]
    items = ((name, getattr(value, name)) for name in _names(type(value)))
    return {name: item if type(item) in _LEAVES else plain(item) for name, item in items}


def _names(kind: Any) -> Iterator[str]:
    return iter(kind.__dataclass_fields__)
