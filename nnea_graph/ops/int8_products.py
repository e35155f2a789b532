"""Operators of onnxruntime that multiply uint8 with int8, and where their operands stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnea_graph.graph import ModelGraph
from nnea_graph.ops.registry import MICROSOFT

EXACT_PRODUCTS = (
    "what is quantized is run as the model says, in floats or exact integers, never in kernels that add products of"
    " int8 in 16 bits: outputs are those of every CPU, times those of this CPU's own kernels"
)
"""What a report says of models that ``is_quantized``."""


@dataclass(frozen=True, slots=True)
class Int8Product:
    """Places of an operand's inputs: its numbers and their zero point. ``activation`` is the other operand."""

    activation: int
    weight: int
    zero_point: int


_LSTM = Int8Product(0, 1, 9), Int8Product(0, 2, 11)

INT8_PRODUCTS: Mapping[tuple[str, str], tuple[Int8Product, ...]] = {
    ("", "MatMulInteger"): (Int8Product(0, 1, 3),),
    ("", "QLinearMatMul"): (Int8Product(0, 3, 5),),
    ("", "QLinearConv"): (Int8Product(0, 3, 5),),
    (MICROSOFT, "QLinearConv"): (Int8Product(0, 3, 5),),
    (MICROSOFT, "QGemm"): (Int8Product(0, 3, 5),),
    (MICROSOFT, "MatMulIntegerToFloat"): (Int8Product(0, 1, 5),),
    (MICROSOFT, "DynamicQuantizeMatMul"): (Int8Product(0, 1, 3),),
    (MICROSOFT, "QAttention"): (Int8Product(0, 1, 7),),
    (MICROSOFT, "DynamicQuantizeLSTM"): _LSTM,
}
"""By domain and type. ConvInteger is not among them: its int8 weights are the first operand of the kernel."""


def is_quantized(graph: ModelGraph) -> bool:
    """Tells whether kernels of int8 may run it."""
    return any(
        node.op_type == "DequantizeLinear" or (node.domain, node.op_type) in INT8_PRODUCTS for node in graph
    )
