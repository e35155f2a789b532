"""Quantizing, dequantizing, and element-wise operators on quantized numbers.

Dequantizing takes 2 operations (subtract, multiply), quantizing 5 (divide, round, add, clamp twice).
"""

from __future__ import annotations

from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, elementwise, work
from nnea_graph.ops.costs.elementwise import FUNCTIONS, GELU
from nnea_graph.ops.costs.pooling import DEQUANTIZE, REQUANTIZE
from nnea_graph.ops.registry import MICROSOFT

elementwise(2 * DEQUANTIZE + 1 + REQUANTIZE, "QLinearAdd", "QLinearMul", domain=MICROSOFT)
elementwise(DEQUANTIZE + FUNCTIONS["Sigmoid"] + REQUANTIZE, "QLinearSigmoid", domain=MICROSOFT)
elementwise(DEQUANTIZE + FUNCTIONS["LeakyRelu"] + REQUANTIZE, "QLinearLeakyRelu", domain=MICROSOFT)
# These bring each of their inputs to the scale of the output.
elementwise(DEQUANTIZE + REQUANTIZE, "QLinearConcat", "QLinearWhere", domain=MICROSOFT)
elementwise(1 + GELU + REQUANTIZE, "QOrderedGelu", domain=MICROSOFT)
elementwise(REQUANTIZE - 1, "QuantizeWithOrder", domain=MICROSOFT)
elementwise(1, "DequantizeWithOrder", domain=MICROSOFT)
elementwise(2 + 1, "MulInteger", domain=MICROSOFT)


@work("QuantizeLinear")
@work("QuantizeLinear", domain=MICROSOFT)
def quantize_linear(call: OpCall) -> OperatorCost:
    """Divide, round, clamp twice; add the zero point if it is there."""
    return OperatorCost(other_flops=(REQUANTIZE - 1 + call.has(2)) * call.out_size())


@work("DequantizeLinear")
@work("DequantizeLinear", domain=MICROSOFT)
def dequantize_linear(call: OpCall) -> OperatorCost:
    """Multiply; subtract the zero point if it is there."""
    return OperatorCost(other_flops=(1 + call.has(2)) * call.out_size())


@work("DynamicQuantizeLinear")
def dynamic_quantize_linear(call: OpCall) -> OperatorCost:
    """Least and largest element, then as ``QuantizeLinear``; the scale itself is left out of account."""
    return OperatorCost(other_flops=(2 + REQUANTIZE) * call.size(0))


@work("GatherBlockQuantized", domain=MICROSOFT)
def gather_block_quantized(call: OpCall) -> OperatorCost:
    """The rows that are looked up are dequantized."""
    return OperatorCost(other_flops=(1 + call.has(3)) * call.out_size())


@work("GatherPacked", domain=MICROSOFT)
def gather_packed(call: OpCall) -> OperatorCost:
    """Same as ``GatherBlockQuantized``, with an offset that the format implies."""
    return OperatorCost(other_flops=DEQUANTIZE * call.out_size())
