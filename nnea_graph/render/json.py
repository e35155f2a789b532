"""The report as JSON, schema 1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from nnea_graph.report import Report


def render_json(report: Report) -> str:
    """Indented by one, keys in the order of the schema, the same bytes for the same report."""
    return json.dumps(plain(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Dataclasses as dicts, sequences as lists; faster than ``dataclasses.asdict``, which copies leaves."""
    if value is None or isinstance(value, str | int | float):
        return value
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise TypeError(f"a report holds no {type(value).__name__}")
