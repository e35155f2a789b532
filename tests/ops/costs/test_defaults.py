"""What a cost rule assumes where an attribute is left out is what the operator's schema says."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import onnx
import pytest
from onnx import AttributeProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from nnea_graph.graph import TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import COST_RULES

Asked = dict[tuple[str, str, str], Any]

SHAPES: list[tuple[int, ...]] = [(4,), (4, 4), (4, 4, 4), (4, 4, 4, 4), (1, 4, 4, 4, 4)]


def default_of(attribute: Any) -> Any:
    """The schema's default; None where there is none. onnxruntime keeps it as bytes."""
    stored = getattr(attribute, "default_value", None)
    if stored is None and hasattr(attribute, "_default_value"):
        stored = AttributeProto.FromString(attribute._default_value)
    if stored is None or not stored.ByteSize():
        return None
    found = helper.get_attribute_value(stored)
    return found.decode() if isinstance(found, bytes) else found


def schemas() -> dict[tuple[str, str], Any]:
    found = {(schema.domain, schema.name): schema for schema in get_all_operator_schema()}
    return found | {(schema.domain, schema.name): schema for schema in onnx.defs.get_all_schemas()}


def ask(schema: Any) -> None:
    """Run a rule on inputs of every rank with nothing but the attributes that must be there."""
    rule = COST_RULES.get(schema.name, schema.domain)
    needed = {name: 4 for name, attribute in schema.attributes.items() if attribute.required}
    for shape in SHAPES if rule else ():
        inputs = (TensorInfo(None, shape),) * len(schema.inputs)
        outputs = (TensorInfo(None, shape),) * len(schema.outputs)
        with suppress(BadCallError, UnknownFactError):
            assert rule is not None
            rule(OpCall(schema.name, inputs, outputs, needed, (), schema.domain, schema.since_version))


def test_assumed_defaults_are_those_of_the_schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Asked = {}
    real = OpCall.attr

    def listening(self: OpCall, name: str, default: Any = None) -> Any:
        asked[self.domain, self.op_type, name] = default
        return real(self, name, default)

    monkeypatch.setattr(OpCall, "attr", listening)
    known = schemas()
    for schema in known.values():
        ask(schema)
    stated = {
        (domain, op_type, name): default_of(known[domain, op_type].attributes[name])
        for domain, op_type, name in asked
        if name in known[domain, op_type].attributes and asked[domain, op_type, name] not in {None, ()}
    }
    compared = {place for place, default in stated.items() if default is not None}
    assert len(compared) > 80
    assert {place: asked[place] for place in compared if asked[place] != pytest.approx(stated[place])} == {}
