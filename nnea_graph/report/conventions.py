"""Counting conventions of the report."""

from __future__ import annotations

from nnea_graph.ops.int8_products import EXACT_PRODUCTS
from nnea_graph.passes.cost import ModelCost

_TRAINING = {
    "4x": "4 x inference FLOPs: forward, gradient of inputs, gradient of weights, update",
    "exact": "forward, plus 2 x MACs for each operand that a gradient reaches (frozen weights need none)",
}

_STATISTICS = {
    "weights": "of |w| on the weights alone, without biases; entropies in nats",
    "importance": "of importance on the data used, without biases; entropies in nats",
}
_PATHS = {
    "flow": "share of a path: product of the shares that each channel receives from the previous one, divided by the"
    " number of outputs; shares of all paths add to 1; biases are not on paths",
    "importance": "share of a path: product of the shares of each edge in its layer, divided by the number of"
    " outputs; biases are not on paths",
}


def conventions(
    cost: ModelCost | None,
    statistics_of: str | None = None,
    score: str | None = None,
    *,
    int8_ran: bool = False,
) -> dict[str, str]:
    """One sentence for each kind of number."""
    quantized = {"int8": EXACT_PRODUCTS} if int8_ran else {}
    return quantized | {
        "macs": "multiply-accumulates of convolutions, matrix products, attention and recurrent cells",
        "flops": "exact multiplies and adds of these operators: a dot product of length n is 2n - 1, a bias adds one",
        "other_flops": "all other operators: each add, multiply, compare or elementary function of an element counts"
        " as one",
        "training": _TRAINING[cost.training if cost else "4x"],
        "parameters": "weights, scales and biases; scalars in element-wise operators are settings,"
        " BatchNorm's running statistics are buffers; a tied tensor counts once",
        "importance": "of a weight: |w| times the mean |activation| of its input channel",
        "statistics": _STATISTICS[statistics_of or "weights"],
        "paths": _PATHS[score or "flow"],
        "branches": "the totals include the costlier of two alternative branches",
    }
