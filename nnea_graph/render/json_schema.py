"""The JSON Schema of the report, read off its dataclasses."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin

from nnea_graph.report.schema.analysis import SCHEMA_VERSION, Report
from nnea_graph.report.schema.hints import hints_of
from nnea_graph.report.schema.pruning import PruningReport
from nnea_graph.report.schema.pruning_plan import PruningPlan

_SIMPLE: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


_REPORTS = {"run": Report, "prune": PruningReport, "plan": PruningPlan}
"""By what makes it: ``run``, ``prune``, ``prune --plan-only``."""


def render_schema(made_by: str = "run") -> str:
    """JSON Schema 2020-12 of a report; every field has its meaning as ``description``."""
    definitions: dict[str, Any] = {}
    root = _of(_REPORTS[made_by], definitions)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"nnea-graph {'' if made_by == 'run' else made_by + ' '}report, schema {SCHEMA_VERSION}",
        "$comment": "A new field is no new version; a field that is renamed, removed or means something else is one.",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(whole, indent=2) + "\n"


def _of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in _SIMPLE:
        return {"type": _SIMPLE[kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, definitions)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(each, definitions) for each in arguments]}
    if origin is Sequence:
        return {"type": "array", "items": _of(arguments[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    raise TypeError(f"a report has no field of type {kind}")


def _dataclass(kind: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # holds the place while its fields are read
        hints = hints_of(kind)
        definitions[kind.__name__] = {
            "type": "object",
            "description": (kind.__doc__ or "").strip(),
            "properties": {
                field.name: {**_of(hints[field.name], definitions), "description": field.metadata["doc"]}
                for field in fields(kind)
            },
            "required": [field.name for field in fields(kind)],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}
