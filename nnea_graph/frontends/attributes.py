"""Attributes of ONNX nodes as plain Python values, checked against the operator's own schema."""

from __future__ import annotations

from functools import cache
from typing import Any

from onnx import AttributeProto, NodeProto, defs

from nnea_graph.errors import OperatorError
from nnea_graph.frontends.read_onnx import OnnxFile, text

_TYPE = AttributeProto.AttributeType
_GRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
_LISTS = {
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
}
_SINGLE = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
}


@cache
def schema_of(op_type: str, opset: int, domain: str) -> defs.OpSchema | None:
    """The operator's definition at that version of its domain, None where onnx has none."""
    try:
        return defs.get_schema(op_type, opset, domain)
    except defs.SchemaError:
        return None


@cache
def _declared(op_type: str, opset: int, domain: str) -> dict[str, int]:
    schema = schema_of(op_type, opset, domain)
    return {name: int(attribute.type) for name, attribute in schema.attributes.items()} if schema else {}


def attributes_of(node: NodeProto, node_id: str, opset: int, domain: str, file: OnnxFile) -> dict[str, Any]:
    """Every attribute but the graphs: int, float, str, Constant, or a list of them.

    Raises:
        OperatorError: an attribute whose type is not the one that the operator defines.
    """
    if not node.attribute:
        return {}
    declared = _declared(node.op_type, opset, domain)
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        name = text(attribute.name, f"an attribute of node '{node_id}'")
        expected = declared.get(name)
        if expected is not None and attribute.type != expected:
            raise OperatorError(
                f"node '{node_id}' ({node.op_type}): attribute '{name}' is {_TYPE.Name(attribute.type)},"
                f" the operator defines {_TYPE.Name(_TYPE.ValueType(expected))}"
            )
        if attribute.type not in _GRAPHS:
            found[name] = _value(attribute, f"{node_id}:{name}", file)
    return found


def _value(attribute: AttributeProto, where: str, file: OnnxFile) -> Any:
    kind = attribute.type
    if kind in _SINGLE:
        return getattr(attribute, _SINGLE[kind])
    if kind in _LISTS:
        return list(getattr(attribute, _LISTS[kind]))
    if kind == AttributeProto.STRING:
        return attribute.s.decode("utf-8", "backslashreplace")
    if kind == AttributeProto.STRINGS:
        return [item.decode("utf-8", "backslashreplace") for item in attribute.strings]
    if kind == AttributeProto.TENSOR:
        return file.constant(attribute.t, where)
    if kind == AttributeProto.TENSORS:
        return [file.constant(tensor, where) for tensor in attribute.tensors]
    if kind == AttributeProto.SPARSE_TENSOR:
        return file.sparse_constant(attribute.sparse_tensor, where)
    return None
