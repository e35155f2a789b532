"""Has onnxruntime multiply int8 weights exactly on every CPU.

Its kernels for uint8 times int8 add pairs of products in 16 bits on x86 without VNNI, and these saturate. Its
kernels for uint8 times uint8 do not: weights and zero points move up by 128, their difference stays what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from nnea_graph.ops.int8_products import INT8_PRODUCTS, Int8Product
from nnea_graph.runtime.export.to_onnx import Written

_SHIFT = 128
_CARRIERS = frozenset(
    {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather"}
)
"""Operators whose output has the type of their first input."""


def with_exact_int8(written: Written) -> Written:
    """The same model where nothing can saturate; itself where nothing could.

    What is written in QDQ form is not touched: see ``Settings.native``.
    """
    if not _has_products(written.proto.graph):
        return written
    proto = ModelProto()
    proto.CopyFrom(written.proto)
    _Rewriting(proto.graph, {}).run()
    return replace(written, proto=proto)


def _has_products(graph: GraphProto) -> bool:
    return any(_products(node) or any(_has_products(body) for body in _bodies(node)) for node in graph.node)


def _products(node: NodeProto) -> tuple[Int8Product, ...]:
    domain = "" if node.domain == "ai.onnx" else node.domain
    return INT8_PRODUCTS.get((domain, node.op_type), ())


def _bodies(node: NodeProto) -> list[GraphProto]:
    """Graphs in an operator, as they are, to be changed."""
    found = []
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            found.append(attribute.g)
        found.extend(attribute.graphs)
    return found


class _Rewriting:
    """A graph, and the types of the tensors that are seen in it."""

    def __init__(self, graph: GraphProto, outer: Mapping[str, int]) -> None:
        self._graph = graph
        self._types = dict(outer)
        for value in (*graph.input, *graph.value_info, *graph.output):
            self._types[value.name] = value.type.tensor_type.elem_type
        self._types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
        self._shifted: dict[str, str] = {}

    def run(self) -> None:
        """Put the operators that move a weight in front of the first one that multiplies it."""
        nodes = list(self._graph.node)
        made: list[NodeProto] = []
        for node in nodes:
            for body in _bodies(node):
                _Rewriting(body, self._types).run()
            for product in _products(node):
                if self._saturates(node, product):
                    made += self._move(node, product)
            made.append(node)
            self._learn(node)
        copies = [NodeProto.FromString(node.SerializeToString()) for node in made]
        del self._graph.node[:]
        self._graph.node.extend(copies)

    def _saturates(self, node: NodeProto, product: Int8Product) -> bool:
        """Tells whether an operator multiplies uint8 by int8; kernels for two int8 do not saturate."""
        weight, other = (
            self._types.get(_input(node, place)) for place in (product.weight, product.activation)
        )
        return weight == TensorProto.INT8 and other != TensorProto.INT8

    def _move(self, node: NodeProto, product: Int8Product) -> list[NodeProto]:
        """Operators that make what it reads from now on."""
        node.input.extend([""] * (product.zero_point + 1 - len(node.input)))
        zero = node.input[product.zero_point]
        made = self._up(node.input[product.weight])
        node.input[product.weight] = self._shifted[node.input[product.weight]]
        if zero:
            made += self._up(zero)
            node.input[product.zero_point] = self._shifted[zero]
        else:
            node.input[product.zero_point] = self._constant(np.uint8)
        return made

    def _up(self, name: str) -> list[NodeProto]:
        """``name`` plus 128 in uint8: in int32 between, where it has room."""
        if name in self._shifted:
            return []
        wide, moved, self._shifted[name] = (f"{name}//{part}" for part in ("int32", "moved", "uint8"))
        return [
            helper.make_node("Cast", [name], [wide], to=TensorProto.INT32),
            helper.make_node("Add", [wide, self._constant(np.int32)], [moved]),
            helper.make_node("Cast", [moved], [self._shifted[name]], to=TensorProto.UINT8),
        ]

    def _constant(self, dtype: type[np.integer]) -> str:
        name = f"//{_SHIFT} {np.dtype(dtype).name}"
        if name not in self._types:
            self._graph.initializer.append(numpy_helper.from_array(np.array(_SHIFT, dtype), name))
            self._types[name] = self._graph.initializer[-1].data_type
        return name

    def _learn(self, node: NodeProto) -> None:
        """The type of what it makes, where it is plain."""
        found = {attribute.name: attribute for attribute in node.attribute}
        kind = None
        if node.op_type == "Cast" and "to" in found:
            kind = found["to"].i
        elif node.op_type == "QuantizeLinear":
            kind = self._types.get(_input(node, 2))
        elif node.op_type in _CARRIERS:
            kind = self._types.get(_input(node, 0))
        if kind is not None and node.output:
            self._types.setdefault(node.output[0], kind)


def _input(node: NodeProto, place: int) -> str:
    return node.input[place] if place < len(node.input) else ""
