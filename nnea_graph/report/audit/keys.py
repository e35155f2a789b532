"""Keys of a policy and their types: one table for reading, for the JSON Schema and for the manual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from nnea_graph.errors import UsageError
from nnea_graph.report.audit.limit import COUNT, NUMBER, UNITS, VERSION, parse_change, parse_limit
from nnea_graph.report.audit.metrics import METRICS

SEVERITIES = ("off", "note", "warning", "error")


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """A key: ``type`` is limit, change, texts, flag or one of ``words``; ``kind`` is the metric's."""

    type: str
    about: str
    kind: str = ""
    words: tuple[str, ...] = ()


_GATED = {name: each for name, each in METRICS.items() if each.kind != VERSION}
KEYS: Mapping[str, Mapping[str, PolicyKey]] = MappingProxyType(
    {
        "budget": {name: PolicyKey("limit", each.about, each.kind) for name, each in _GATED.items()},
        "baseline": {name: PolicyKey("change", each.about, each.kind) for name, each in _GATED.items()},
        "operators": {
            "opset": PolicyKey("limit", "version of ai.onnx", VERSION),
            "ir_version": PolicyKey("limit", "version of the file format", VERSION),
            "allow": PolicyKey("texts", "domain:operator globs; all else is forbidden"),
            "forbid": PolicyKey("texts", "domain:operator globs; stronger than allow"),
            "reason": PolicyKey("text", "printed with an operator that is not allowed"),
        },
        "shapes": {
            "dynamic": PolicyKey(
                "texts", "symbols of input dims that may be dynamic; [] allows none, ['*'] all"
            ),
            "must_stay_dynamic": PolicyKey("texts", "symbols that an input dim must have"),
            "rank": PolicyKey("limit", "of inputs and outputs", COUNT),
        },
        "metadata": {
            "required": PolicyKey("texts", "keys of the model's metadata_props, or producer, doc_string"),
            "license": PolicyKey("texts", "SPDX ids that the metadata key license may have"),
        },
        "weights": {
            "finite": PolicyKey("flag", "no NaN and no infinity"),
            "external_data": PolicyKey("word", "where weights may lie", words=("none", "relative", "any")),
            "dtypes": PolicyKey("texts", "types that weights may have"),
        },
        "files": {"sha256": PolicyKey("texts", "hashes that the model file may have")},
        "rules": {"*": PolicyKey("word", "severity of a rule or of rules by prefix", words=SEVERITIES)},
        "gate": {
            "fail_on": PolicyKey(
                "word", "the least severity that fails", words=("error", "warning", "note", "never")
            ),
            "unknown": PolicyKey(
                "word", "a limit on what is not known: exit 2, or a finding", words=("error", "warning")
            ),
            "new_only": PolicyKey("flag", "findings that the baseline has do not fail"),
        },
    }
)
TABLES = tuple(KEYS)


def checked(key: PolicyKey, value: object, where: str) -> Any:
    """A value as its key wants it.

    Raises:
        UsageError: it is of another type.
    """
    if key.type == "limit":
        return parse_limit(value, key.kind, where)
    if key.type == "change":
        return parse_change(value, key.kind, where)
    if key.type == "flag" and isinstance(value, bool):
        return value
    if key.type == "text" and isinstance(value, str):
        return value
    if key.type == "word":
        if value not in key.words:
            raise UsageError(f"{where}: '{value}' is none of {', '.join(key.words)}")
        return value
    if key.type == "texts" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    wanted = {"flag": "true or false", "text": "a text", "texts": "a list of texts"}[key.type]
    raise UsageError(f"{where}: it must be {wanted}")


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a policy, for editors."""
    tables = {name: _table(keys) for name, keys in KEYS.items()}
    texts = {"type": "array", "items": {"type": "string", "minLength": 1}}
    override = {name: each for name, each in tables.items() if name != "gate"}
    ignore = {"rule": _RULE, "reason": {"type": "string", "minLength": 1}, "models": texts, "nodes": texts}
    properties = {
        "version": {"const": 1},
        "extends": texts,
        **tables,
        "ignore": {
            "type": "array",
            "items": _object(ignore | {"expires": {"type": "string", "format": "date"}}, ["rule", "reason"]),
        },
        "override": {"type": "array", "items": _object({"models": texts, **override}, ["models"])},
    }
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nnea-graph policy, version 1",
    }
    return {**head, **_object(properties, ["version"])}


_RULE = {"type": "string", "pattern": "^NNEA[0-9]{0,3}$"}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return found | ({"required": required} if required else {})


def _table(keys: Mapping[str, PolicyKey]) -> dict[str, Any]:
    named = {name: _type(key) | {"description": key.about} for name, key in keys.items() if name != "*"}
    found = _object(named)
    if "*" in keys:
        found["patternProperties"] = {_RULE["pattern"]: _type(keys["*"])}
    return found


def _type(key: PolicyKey) -> dict[str, Any]:
    if key.type in {"limit", "change"}:
        units = "|".join(sorted((each for each in UNITS[key.kind] if each), key=len, reverse=True))
        patterns = [rf"^(<=|>=|<|>|==)? *{NUMBER} *({units})?$"]
        if key.type == "change":
            patterns.append(rf"^(<=|>=|<|>)? *({NUMBER}x|[+-]{NUMBER} *(%|pp))$")
        return {"anyOf": [{"type": "number"}, *({"type": "string", "pattern": each} for each in patterns)]}
    simple: dict[str, dict[str, Any]] = {
        "flag": {"type": "boolean"},
        "text": {"type": "string"},
        "texts": {"type": "array", "items": {"type": "string"}},
        "word": {"enum": list(key.words)},
    }
    return simple[key.type]
