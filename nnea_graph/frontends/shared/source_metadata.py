"""Source facts in the metadata of an ONNX model, so that the file alone tells what the live model was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from onnx import ModelProto

from nnea_graph.errors import ModelError
from nnea_graph.graph.source_facts import SourceFacts, SourceModule, SourceParameter

KEY = "nnea_graph.source"
_VERSION = 1
_LARGEST = 1 << 62


def put_facts(proto: ModelProto, facts: SourceFacts) -> None:
    """Write the facts into a model, in the place of any that it has."""
    kept = [(prop.key, prop.value) for prop in proto.metadata_props if prop.key != KEY]
    del proto.metadata_props[:]
    for key, value in [*kept, (KEY, _encoded(facts))]:
        proto.metadata_props.add(key=key, value=value)


def facts_of(proto: ModelProto) -> SourceFacts | None:
    """The facts that a model carries, None where it carries none.

    Raises:
        ModelError: they are not what ``put_facts`` writes.
    """
    found = next((prop.value for prop in proto.metadata_props if prop.key == KEY), None)
    if found is None:
        return None
    try:
        return _decoded(json.loads(found))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f"metadata '{KEY}' does not say what a source model says of itself; remove it or export again"
        ) from error


def _encoded(facts: SourceFacts) -> str:
    table = {
        "version": _VERSION,
        "framework": facts.framework,
        "parameters": [_row(each) for each in facts.parameters],
        "buffers": [_row(each) for each in facts.buffers],
        "modules": [[each.name, each.class_name] for each in facts.modules],
        "origins": {name: list(origins) for name, origins in facts.origins.items()},
    }
    return json.dumps(table, separators=(",", ":"), ensure_ascii=True)


def _row(parameter: SourceParameter) -> list[Any]:
    return [parameter.name, list(parameter.shape), parameter.trainable, parameter.shared_with]


def _decoded(table: Mapping[str, Any]) -> SourceFacts:
    if table["version"] != _VERSION:
        raise ValueError("of another version")
    return SourceFacts(
        framework=_text(table["framework"]),
        parameters=tuple(_parameter(row) for row in table["parameters"]),
        modules=tuple(SourceModule(_text(name), _text(kind)) for name, kind in table["modules"]),
        buffers=tuple(_parameter(row) for row in table["buffers"]),
        origins={
            _text(name): tuple(_text(origin) for origin in origins)
            for name, origins in table["origins"].items()
        },
    )


def _parameter(row: list[Any]) -> SourceParameter:
    name, shape, trainable, shared_with = row
    if not isinstance(trainable, bool) or not isinstance(shape, list):
        raise TypeError("no parameter")
    return SourceParameter(_text(name), tuple(_dim(dim) for dim in shape), trainable, _text(shared_with))


def _dim(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise TypeError("no dim")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
