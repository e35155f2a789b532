"""Random numbers: drawing one counts one operation."""

from __future__ import annotations

from nnea_graph.ops.attribute_checks import shaped
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, elementwise, work

elementwise(1, "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
elementwise(2, "Bernoulli")  # draw, compare


@work("Multinomial")
def multinomial(call: OpCall) -> OperatorCost:
    """Running sums of exp over the classes; a draw and a binary search a sample."""
    classes = shaped(call, 0, 2)[1]
    return OperatorCost(other_flops=2 * call.size(0) + call.out_size() * (1 + classes.bit_length()))
