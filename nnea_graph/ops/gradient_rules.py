"""Costs that the gradients of an operator's matrix work cost, operand by operand.

Every product of two operands has two gradients, each a product of the same size: the gradient of what it makes
times the other operand. A gradient is computed where something that trains lies behind its operand.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from nnea_graph.ops.call import OpCall
from nnea_graph.ops.input_roles import Role, declared_role
from nnea_graph.ops.registry import MICROSOFT, Registry


@dataclass(frozen=True, slots=True)
class Gradient:
    """``macs`` that are needed where any of the inputs ``behind`` is reached by training."""

    macs: int
    behind: frozenset[int]


GradientRule = Callable[[OpCall, int], list[Gradient]]
"""Gradients of one run of an operator, given its forward MACs."""

GRADIENTS: Registry[GradientRule] = Registry("gradient")

_NO_OPERANDS = frozenset({Role.BIAS, Role.BUFFER, Role.QUANTIZATION, Role.SETTING})


def gradient_macs(call: OpCall, macs: int, reached: AbstractSet[int]) -> int:
    """MACs of the gradients, given the forward MACs and the inputs that training reaches."""
    rule = GRADIENTS.get(call.op_type, call.domain)
    if rule is not None:
        return sum(each.macs for each in rule(call, macs) if each.behind & reached)
    operands = {
        index for index in reached if declared_role(call.op_type, call.domain, index) not in _NO_OPERANDS
    }
    return macs * min(len(operands), 2)


@GRADIENTS.register("RNN", "GRU", "LSTM")
def recurrent(call: OpCall, macs: int) -> list[Gradient]:
    """Inputs and states meet weights of their own; the first state has no gradient unless it is reached."""
    steps = call.shape(0)[1 if call.attr("layout", 0) else 0]
    inputs, hidden = call.shape(1)[-1], call.shape(2)[-1]
    unit = macs // max(1, steps * (inputs + hidden))
    return [
        Gradient(unit * steps * inputs, frozenset({0})),
        Gradient(unit * steps * inputs, frozenset({1})),
        Gradient(unit * steps * hidden, frozenset({2})),
        Gradient(unit * max(0, steps - 1) * hidden, frozenset({0, 1, 2, 3, 5, 6})),
        Gradient(unit * hidden if steps else 0, frozenset({5})),
    ]


@GRADIENTS.register("Attention")
def attention(call: OpCall, macs: int) -> list[Gradient]:
    """Query times key, then what comes of both times the value."""
    query, key, value = frozenset({0}), frozenset({1, 4}), frozenset({2, 5})
    return _two_products(macs, (call.shape(0)[-1], call.out()[-1]), query, key, value)


@GRADIENTS.register("GroupQueryAttention", domain=MICROSOFT)
def grouped_attention(call: OpCall, macs: int) -> list[Gradient]:
    """Same as ``attention``; key and value may be packed with the query."""
    packed = not call.has(1)
    query = frozenset({0})
    key, value = (query, query) if packed else (frozenset({1, 3}), frozenset({2, 4}))
    return _two_products(macs, (1, 1), query, key, value)


@GRADIENTS.register("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(call: OpCall, macs: int) -> list[Gradient]:
    """Same as ``attention`` with one bias for all three; key and value may be packed with the operand before."""
    query = frozenset({0, 3})
    key = frozenset({1, 3, 6}) if call.has(1) else query
    value = frozenset({2, 3, 7}) if call.has(2) else key
    widths = (call.shape(0)[-1], call.out()[-1]) if call.has(1) and call.has(2) else (1, 1)
    return _two_products(macs, widths, query, key, value)


def _two_products(
    macs: int, widths: tuple[int, int], query: frozenset[int], key: frozenset[int], value: frozenset[int]
) -> list[Gradient]:
    """The two products are to each other as the widths of query and output."""
    scores = macs * widths[0] // max(1, sum(widths))
    mixing = macs - scores
    return [
        Gradient(scores, query),
        Gradient(scores, key),
        Gradient(mixing, query | key),
        Gradient(mixing, value),
    ]


@GRADIENTS.register("Attention", "QAttention", domain=MICROSOFT)
def projected_attention(call: OpCall, macs: int) -> list[Gradient]:
    """The projection, then two products of what it makes."""
    projection = min(macs, call.size(0) * call.shape(1)[-1])
    behind = frozenset({0, 1, 2})
    return [
        Gradient(projection, frozenset({0})),
        Gradient(projection, frozenset({1})),
        Gradient(2 * (macs - projection), behind),
    ]
