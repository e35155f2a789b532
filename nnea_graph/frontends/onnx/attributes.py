"""Attributes of ONNX nodes as plain Python values, checked against the operator's own schema."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from onnx import AttributeProto, NodeProto, defs

from nnea_graph.errors import OperatorError
from nnea_graph.frontends.onnx.file import OnnxFile, text

_TYPE = AttributeProto.AttributeType


@cache
def schema_of(op_type: str, opset: int, domain: str) -> defs.OpSchema | None:
    """The operator's definition at that version of its domain, None where onnx has none."""
    try:
        return defs.get_schema(op_type, opset, domain)
    except defs.SchemaError:
        return None


@cache
def _declared(op_type: str, opset: int, domain: str) -> dict[str, int] | None:
    """The types of an operator's attributes, None where onnx does not define the operator."""
    schema = schema_of(op_type, opset, domain)
    if schema is None:
        return None
    return {name: int(cast("Any", attribute.type)) for name, attribute in schema.attributes.items()}


@cache
def _elsewhere(op_type: str, domain: str) -> dict[str, int]:
    """The types in the newest definition, for an operator that its version of the domain does not define."""
    if not defs.has(op_type, domain):
        return {}
    schema = defs.get_schema(op_type, domain=domain)
    return {name: int(cast("Any", attribute.type)) for name, attribute in schema.attributes.items()}


def attributes_of(node: NodeProto, node_id: str, opset: int, domain: str, file: OnnxFile) -> dict[str, Any]:
    """Every attribute but graphs and types: int, float, str, Constant, or a list of them.

    Raises:
        OperatorError: an attribute that the operator does not define, or not of that type.
    """
    if not node.attribute:
        return {}
    declared = _declared(node.op_type, opset, domain)
    known = declared or {}
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        name = text(attribute.name, f"an attribute of node '{node_id}'")
        expected = known.get(name) if declared is not None else _elsewhere(node.op_type, domain).get(name)
        if attribute.ref_attr_name:
            raise OperatorError(
                f"node '{node_id}' ({node.op_type}): attribute '{name}' refers to one of a function, and is in none"
            )
        if expected is None and declared is not None:
            raise OperatorError(f"node '{node_id}' ({node.op_type}): the operator has no attribute '{name}'")
        if expected is not None and attribute.type != expected:
            raise OperatorError(
                f"node '{node_id}' ({node.op_type}): attribute '{name}' is {_TYPE.Name(attribute.type)},"
                f" the operator defines {_TYPE.Name(_TYPE.ValueType(expected))}"
            )
        reader = _READERS.get(attribute.type)
        if reader is not None:
            found[name] = reader(attribute, f"{node_id}:{name}", file)
    return found


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


_READERS: dict[int, Callable[[AttributeProto, str, OnnxFile], Any]] = {
    AttributeProto.FLOAT: lambda attribute, _where, _file: attribute.f,
    AttributeProto.INT: lambda attribute, _where, _file: attribute.i,
    AttributeProto.STRING: lambda attribute, _where, _file: _text(attribute.s),
    AttributeProto.TENSOR: lambda attribute, where, file: file.constant(attribute.t, where),
    AttributeProto.SPARSE_TENSOR: lambda attribute, where, file: file.sparse_constant(
        attribute.sparse_tensor, where
    ),
    AttributeProto.FLOATS: lambda attribute, _where, _file: list(attribute.floats),
    AttributeProto.INTS: lambda attribute, _where, _file: list(attribute.ints),
    AttributeProto.STRINGS: lambda attribute, _where, _file: [_text(item) for item in attribute.strings],
    AttributeProto.TENSORS: lambda attribute, where, file: [
        file.constant(tensor, where) for tensor in attribute.tensors
    ],
}
