"""How the report counts, in its own words."""

from __future__ import annotations

from nnea_graph.passes.cost import ModelCost

_TRAINING = {
    "4x": "4 x inference FLOPs: forward, gradient of inputs, gradient of weights, update",
    "exact": "forward, plus 2 x MACs for each operand that a gradient reaches (frozen weights need none)",
}


def conventions(cost: ModelCost | None) -> dict[str, str]:
    """One sentence for each kind of number."""
    return {
        "macs": "multiply-accumulates of convolutions, matrix products, attention and recurrent cells",
        "flops": "multiplies and adds of the same, exactly: a dot product over n is 2n - 1, a bias one more",
        "other_flops": "everything else: each add, multiply, compare or elementary function of an element is one",
        "training": _TRAINING[cost.training if cost else "4x"],
        "parameters": "weights, scales and biases; single numbers in element-wise operators are settings,"
        " BatchNorm's running statistics are buffers; a tied tensor counts once",
        "importance": "of a weight: |w| times the mean |activation| of the channel that it meets",
        "statistics": "of |w| on the weights alone, biases left out; entropies in nats",
        "branches": "of two alternative branches the totals take the costlier one",
    }
