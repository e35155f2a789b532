"""Quantization parameters of a model's quantized tensors."""

from __future__ import annotations

from nnea_graph.graph import ModelGraph, OpNode

# Places of (scale, zero point) among an operator's inputs, by the place of the quantized one.
_READ: dict[str, dict[int, tuple[int, int]]] = {
    "DequantizeLinear": {0: (1, 2)},
    "QLinearConv": {0: (1, 2)},
    "QLinearMatMul": {0: (1, 2), 3: (4, 5)},
    "QLinearAdd": {0: (1, 2), 3: (4, 5)},
    "QLinearMul": {0: (1, 2), 3: (4, 5)},
    "QGemm": {0: (1, 2)},
    "QLinearGlobalAveragePool": {0: (1, 2)},
    "QLinearAveragePool": {0: (1, 2)},
    "QLinearLeakyRelu": {0: (1, 2)},
    "QLinearSigmoid": {0: (1, 2)},
}
# The same for an operator's first output.
_MADE: dict[str, tuple[int, int]] = {
    "QuantizeLinear": (1, 2),
    "QLinearConv": (6, 7),
    "QLinearMatMul": (6, 7),
    "QLinearAdd": (6, 7),
    "QLinearMul": (6, 7),
    "QLinearGlobalAveragePool": (3, 4),
    "QLinearAveragePool": (3, 4),
    "QLinearLeakyRelu": (3, 4),
    "QLinearSigmoid": (3, 4),
}


def scale_of(graph: ModelGraph, tensor: str, path: str) -> tuple[str, str] | None:
    """Names of scale and zero point ("" if there is none) of a tensor of body ``path``; None if nothing says.

    Only single scales for the whole tensor, constant or made in that body.
    """
    for found in _candidates(graph, tensor, path):
        scale = graph.constants.get(found[0])
        if (
            scale is not None
            and scale.size == 1
            and all(not name or name in graph.constants for name in found)
        ):
            return found
        producer = graph.producer(found[0])
        if producer is not None and producer.op_type == "DynamicQuantizeLinear" and producer.body == path:
            return found
    return None


def _candidates(graph: ModelGraph, tensor: str, path: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    producer = graph.producer(tensor)
    if producer is not None and producer.outputs[0] == tensor:
        if producer.op_type == "DynamicQuantizeLinear" and len(producer.outputs) == 3:
            found.append((producer.outputs[1], producer.outputs[2]))
        if producer.op_type in _MADE:
            found.append(_named(producer, _MADE[producer.op_type]))
    # A constant that only an inner body reads stands there, out of sight.
    for node in (reader for reader in graph.consumers(tensor) if reader.body == path):
        for place, pair in _READ.get(node.op_type, {}).items():
            if len(node.inputs) > place and node.inputs[place] == tensor:
                found.append(_named(node, pair))
    return found


def _named(node: OpNode, places: tuple[int, int]) -> tuple[str, str]:
    scale, zero = (node.inputs[place] if place < len(node.inputs) else "" for place in places)
    return scale, zero
