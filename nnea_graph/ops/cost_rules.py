"""Work: what one run of an operator computes, and the table of rules that say so.

Conventions (the report prints them). ``macs`` and ``flops`` are of matrix work only: convolutions,
matrix products, attention, recurrent cells. A dot product over n terms is n MACs and 2n - 1 FLOPs,
adding a bias one more. Everything else counts ``other_flops``: every add, multiply, compare, divide
or elementary function (exp, tanh, sqrt …) of an element is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nnea_graph.ops.call import OpCall
from nnea_graph.ops.registry import Registry


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """Counts for one run. ``estimate`` is the reason where the count depends on data; "" means exact.

    ``free`` is the reason why an operator computes nothing (it moves or describes data); "" where it does.
    """

    macs: int = 0
    flops: int = 0
    other_flops: int = 0
    estimate: str = ""
    free: str = ""

    def __add__(self, other: OperatorCost) -> OperatorCost:
        """Both together: an estimate if either is one, free only if both are."""
        return OperatorCost(
            self.macs + other.macs,
            self.flops + other.flops,
            self.other_flops + other.other_flops,
            self.estimate or other.estimate,
            self.free and other.free,
        )


CostRule = Callable[[OpCall], OperatorCost]
COST_RULES: Registry[CostRule] = Registry("cost", families="nnea_graph.ops.costs")

work = COST_RULES.register
"""``@work("Conv")``: the decorated function counts this operator."""


def free(reason: str, *op_types: str, domain: str = "") -> None:
    """Declare operators that compute nothing."""
    nothing = OperatorCost(free=reason)
    COST_RULES.add(lambda _: nothing, *op_types, domain=domain)


def elementwise(flops: int, *op_types: str, domain: str = "") -> None:
    """Declare operators that do so many operations an output element."""
    COST_RULES.add(lambda call: OperatorCost(other_flops=flops * call.out_size()), *op_types, domain=domain)


def dot_products(count: int, terms: int, *, bias: bool = False) -> OperatorCost:
    """``count`` dot products over ``terms`` terms each."""
    adds = terms - 1 if terms else 0
    return OperatorCost(macs=count * terms, flops=count * (terms + adds + bias))
