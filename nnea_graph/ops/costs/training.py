"""Optimizer steps of ai.onnx.preview.training, by the operations of their formulas a parameter."""

from __future__ import annotations

from nnea_graph.ops.attribute_checks import parts
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import COST_RULES, OperatorCost, work

TRAINING = "ai.onnx.preview.training"


def optimizer(op_type: str, *, tensors: int, flops: int) -> None:
    """Declare an optimizer whose inputs are rate, count and ``tensors`` tensors a parameter tensor."""

    def count(call: OpCall) -> OperatorCost:
        parameters = parts(len(call.inputs) - 2, tensors, "inputs after R and T")
        return OperatorCost(other_flops=flops * sum(call.size(2 + index) for index in range(parameters)))

    COST_RULES.add(count, op_type, domain=TRAINING)


# Regularized gradient: 2. Its square and the sum: 2. Root, add epsilon, divide, times the rate, subtract: 5.
optimizer("Adagrad", tensors=3, flops=9)
# Regularized gradient: 2. Two running means: 3 and 4. Root, add epsilon, divide, rate, subtract, shrink: 6.
optimizer("Adam", tensors=4, flops=15)
# Regularized gradient: 2. Momentum: 3. Rate, subtract: 2.
optimizer("Momentum", tensors=3, flops=7)


@work("Gradient", domain=TRAINING)
def gradient(_: OpCall) -> OperatorCost:
    """Unknown: the work is that of the operators it differentiates, which are elsewhere in the graph.

    Raises:
        UnknownFactError: always.
    """
    raise UnknownFactError("a gradient costs what the operators between its inputs and its output cost")
