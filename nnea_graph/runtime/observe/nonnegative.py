"""Determines which tensors can hold no negative number, so that |x| is x."""

from __future__ import annotations

from nnea_graph.graph import ModelGraph, OpNode

_NEVER_NEGATIVE = frozenset(
    {"Abs", "Exp", "HardSigmoid", "ReduceL1", "ReduceL2", "ReduceSumSquare", "Relu", "Sigmoid"}
    | {"Softmax", "Softplus", "Sqrt"}
)
_OF_FIRST_INPUT = frozenset(
    {
        "AveragePool",
        "Dropout",
        "Expand",
        "Flatten",
        "Gather",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Identity",
    }
    | {"MaxPool", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Reshape", "Slice", "Split", "Squeeze"}
    | {"Tile", "Transpose", "Unsqueeze"}
)
_OF_ALL_INPUTS = frozenset({"Add", "Concat", "Max", "Mul", "Sum"})


def never_negative(graph: ModelGraph) -> frozenset[str]:
    """Names of tensors that are 0 or more whatever goes in; one pass over the operators."""
    found: set[str] = set()
    for node in graph:
        if not node.domain and _holds(graph, node, found):
            # The second output of Dropout and MaxPool is a mask or indices: not negative either.
            found.update(node.outputs)
    return frozenset(found)


def _holds(graph: ModelGraph, node: OpNode, found: set[str]) -> bool:
    if node.op_type in _NEVER_NEGATIVE:
        return True
    if node.op_type in _OF_FIRST_INPUT:
        return bool(node.inputs) and node.inputs[0] in found
    if node.op_type in _OF_ALL_INPUTS:
        return all(name in found for name in node.inputs)
    return node.op_type == "Clip" and _lower_bound(graph, node) >= 0


def _lower_bound(graph: ModelGraph, node: OpNode) -> float:
    """The smallest number that Clip lets through: an attribute before opset 11, then an input."""
    if "min" in node.attributes:
        return float(node.attributes["min"])
    low = graph.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
    return float(low.array().reshape(-1)[0]) if low is not None and low.size == 1 else float("-inf")
