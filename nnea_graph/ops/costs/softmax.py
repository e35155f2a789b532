"""Softmax and the losses made of it. An element of a softmax is: compare, subtract, exp, add, divide."""

from __future__ import annotations

from nnea_graph.ops.attribute_checks import need, word
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, elementwise, work
from nnea_graph.ops.costs.pooling import DEQUANTIZE, REQUANTIZE
from nnea_graph.ops.registry import MICROSOFT

SOFTMAX = 5
"""Operations an element: the largest is found and subtracted, exp, the sum, the divide."""

# LogSoftmax subtracts the log of the sum where Softmax divides; the one log a line is left out of account.
elementwise(SOFTMAX, "Softmax", "LogSoftmax")
elementwise(1, "Hardmax")
elementwise(1 + SOFTMAX, "BiasSoftmax", domain=MICROSOFT)
elementwise(DEQUANTIZE + SOFTMAX + REQUANTIZE, "QLinearSoftmax", domain=MICROSOFT)


@work("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(call: OpCall) -> OperatorCost:
    """The log-softmax of the scores, then the loss."""
    return OperatorCost(other_flops=SOFTMAX * call.size(0)) + _loss(call)


@work("NegativeLogLikelihoodLoss")
def negative_log_likelihood(call: OpCall) -> OperatorCost:
    """See ``_loss``."""
    return _loss(call)


def _loss(call: OpCall) -> OperatorCost:
    """An element of the target: negate, multiply by its weight; reduced, an add and at the end a divide."""
    need(len(call.shape(0)) >= 2, f"input 0 has rank {len(call.shape(0))}, it has no classes")
    how = word(call, "reduction", "mean")
    targets, weighted = call.size(1), call.has(2)
    each = 1 + weighted + (how != "none") + (how == "mean" and weighted)
    return OperatorCost(other_flops=each * targets + (how == "mean"))
