"""New constants of a model, stored as its version takes them."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto, TensorProto, helper

FREE_INITIALIZERS = 4
"""The first IR version whose initializers need not be inputs as well."""


def add_constants(graph: GraphProto, tensors: Sequence[TensorProto], ir_version: int) -> None:
    """As initializers, in older models as operators in front: an input more would be another model."""
    if ir_version >= FREE_INITIALIZERS:
        graph.initializer.extend(tensors)
        return
    for tensor in reversed(tensors):
        graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], name=tensor.name, value=tensor))
