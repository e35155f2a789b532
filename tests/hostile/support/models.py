"""Makes models that no exporter makes, in a line or two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

OPSET = 21
X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)

op = helper.make_node


def tensor(name: str, values: ArrayLike, dtype: type[Any] = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype), name)


def ints(name: str, *values: int) -> TensorProto:
    return tensor(name, values, np.int64)


def typed(name: str, *shape: int | str | None, dtype: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def graph(
    nodes: Iterable[NodeProto],
    inputs: Iterable[Any] = (X,),
    outputs: Iterable[Any] = (Y,),
    weights: Iterable[TensorProto] = (),
    name: str = "g",
) -> GraphProto:
    return helper.make_graph(list(nodes), name, list(inputs), list(outputs), list(weights))


def model(
    nodes: Iterable[NodeProto],
    inputs: Iterable[Any] = (X,),
    outputs: Iterable[Any] = (Y,),
    weights: Iterable[TensorProto] = (),
    *,
    opset: int = OPSET,
    functions: Sequence[FunctionProto] = (),
    domains: Sequence[str] = (),
) -> ModelProto:
    """By default from ``x``, float32 of shape [1, 4], to ``y``, of which nothing is said."""
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(
        graph(nodes, inputs, outputs, weights), opset_imports=opsets, functions=functions, ir_version=10
    )


def function(name: str, nodes: Iterable[NodeProto], domain: str = "local", **more: Any) -> FunctionProto:
    """From ``a`` to ``b``."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("local", 1)]
    return helper.make_function(domain, name, ["a"], ["b"], list(nodes), opsets, **more)


def call(name: str, source: str, target: str) -> NodeProto:
    return op(name, [source], [target], domain="local")


def chain(count: int, op_type: str = "Relu", name: str = "") -> list[NodeProto]:
    """So many operators one after the other, all of that name, from ``x`` to ``y``."""
    names = ["x", *(f"t{n}" for n in range(count - 1)), "y"]
    return [op(op_type, [source], [target], name=name) for source, target in pairwise(names)]


def varint(number: int) -> bytes:
    """As protobuf writes it."""
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field on the wire."""
    return varint(number << 3 | 2) + varint(len(content)) + content
