"""Biases that exporters write as an operator of their own: the same network counts the same however written."""

from __future__ import annotations

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.static.result import StaticFacts

_MATRIX = frozenset(
    {"Conv", "ConvTranspose", "Einsum", "FusedMatMul", "Gemm", "MatMul", "MatMulBnb4", "MatMulNBits"}
)


def biased_operator(graph: ModelGraph, found: StaticFacts, node: OpNode) -> OpNode | None:
    """The matrix product that an Add of a constant along one axis is the bias of; None where it is none."""
    if node.op_type != "Add" or node.domain or len(node.inputs) != 2:
        return None
    operands = [name for name in node.inputs if name not in found.constant]
    if len(operands) != 1:
        return None
    constant = next(name for name in node.inputs if name in found.constant)
    shape = found.types[constant].static if constant in found.types else None
    maker = graph.producer(operands[0])
    if maker is None or shape is None or sum(dim != 1 for dim in shape) != 1:
        return None
    return maker if maker.op_type in _MATRIX and maker.body == node.body else None
