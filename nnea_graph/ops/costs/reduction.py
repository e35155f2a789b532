"""Reductions and running sums. A sum over n elements is n - 1 adds, the largest of them n - 1 compares."""

from __future__ import annotations

from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import COST_RULES, OperatorCost, elementwise
from nnea_graph.ops.registry import MICROSOFT


def reduction(*op_types: str, before: int = 0, folds: int = 1, after: int = 0, domain: str = "") -> None:
    """Declare reductions: operations an element before each of the folds, and an output after them."""

    def count(call: OpCall) -> OperatorCost:
        elements, outputs = call.size(0), call.out_size()
        folded = folds * max(elements - outputs, 0)
        return OperatorCost(other_flops=before * elements + folded + after * outputs)

    COST_RULES.add(count, *op_types, domain=domain)


reduction("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ArgMax", "ArgMin")
reduction("ReduceMean", after=1)
reduction("ReduceL1", before=1)
reduction("ReduceL2", before=1, after=1)
reduction("ReduceSumSquare", before=1)
reduction("ReduceLogSum", after=1)
# The largest element is subtracted before exp and added after log.
reduction("ReduceLogSumExp", before=2, folds=2, after=2)
reduction("ReduceSumInteger", domain=MICROSOFT)
# Zero point and scale of every element; divide by the count; then scale, round, add, clamp twice.
reduction("QLinearReduceMean", before=2, after=6, domain=MICROSOFT)

# The first element of a line is copied, which the convention leaves out of account.
elementwise(1, "CumSum", "CumProd")
