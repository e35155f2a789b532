"""Linear attention: every token updates and reads a state of size x value size in every head.

Updating the state by an outer product and reading it are matrix work; decays and gates are not.
"""

from __future__ import annotations

from math import prod

from nnea_graph.ops.attribute_checks import made, need, parts, shaped, whole, word
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work
from nnea_graph.ops.costs.elementwise import FUNCTIONS
from nnea_graph.ops.registry import MICROSOFT

RULES = ("linear", "gated", "delta", "gated_delta")


def recurrence(rule: str, states: int, reads: int, size: int, value_size: int) -> OperatorCost:
    """``states`` updates and ``reads`` readings of a state of size x value_size.

    An update adds an outer product: a MAC, two FLOPs, an element. A delta rule reads the state at the key
    first, subtracts that from the value and scales it. A gate multiplies every element of the state.
    """
    need(rule in RULES, f"update_rule is {rule!r:.60}, not one of {', '.join(RULES)}")
    elements = size * value_size
    update = OperatorCost(macs=states * elements, flops=2 * states * elements)
    read = dot_products(reads * value_size, size) + OperatorCost(other_flops=reads * value_size)
    if "delta" in rule:
        update += dot_products(states * value_size, size) + OperatorCost(other_flops=2 * states * value_size)
    if "gated" in rule:
        update += OperatorCost(other_flops=states * (elements + 1))
    return update + read


@work("LinearAttention")
@work("LinearAttention", domain=MICROSOFT)
def linear_attention(call: OpCall) -> OperatorCost:
    """One update a token and key head, one reading a token and query head."""
    samples, positions, features = shaped(call, 0, 3)
    heads, states = whole(call, "q_num_heads", least=1), whole(call, "kv_num_heads", least=1)
    size = parts(features, heads, "features of the query")
    value_size = parts(shaped(call, 2, 3)[2], states, "features of the value")
    rows = samples * positions
    rule = word(call, "update_rule", "gated_delta")
    return recurrence(rule, rows * states, rows * max(heads, states), size, value_size)


@work("GatedDeltaNet", domain=MICROSOFT)
def gated_delta_net(call: OpCall) -> OperatorCost:
    """Same as ``LinearAttention`` with heads in a dim of their own, one token a row."""
    query = call.shape(0)
    need(len(query) >= 2, f"input 0 has rank {len(query)}, it has no heads")
    states, value_size, size = _states(call)
    reads = made(call, 0, 3, 4)[-2]
    rows = prod(query[:-1]) if not call.has(1) else prod(query[:-2])
    return recurrence(word(call, "update_rule", "gated_delta"), rows * states, rows * reads, size, value_size)


def _states(call: OpCall) -> tuple[int, int, int]:
    """Heads, value size and size of the states: of the initial state, else of value and key."""
    if call.has(6):
        return shaped(call, 6, 4)[1], shaped(call, 6, 4)[2], shaped(call, 6, 4)[3]
    value = shaped(call, 2, 3, 4)
    return value[-2], value[-1], shaped(call, 1, 3, 4)[-1]


@work("LinearAttentionGate", domain=MICROSOFT)
def linear_attention_gate(call: OpCall) -> OperatorCost:
    """Softplus of a biased gate, scaled; a sigmoid where there is an update rate."""
    each = 2 + FUNCTIONS["Softplus"] + FUNCTIONS["Sigmoid"] * call.has(3)
    return OperatorCost(other_flops=each * call.size(0))
