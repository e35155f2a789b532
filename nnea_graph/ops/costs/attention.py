"""Attention of the standard: scores = Q · Kᵀ and scores · V are matrix work, what lies between is not.

Every score counts: neither a causal mask nor a window nor a padding mask makes the count smaller,
as the definition computes the full products and masks them. Kernels that skip masked blocks do less.
"""

from __future__ import annotations

from dataclasses import dataclass

from nnea_graph.ops.attribute_checks import need, number, parts, same, shaped, whole
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work
from nnea_graph.ops.costs.softmax import SOFTMAX

SOFTCAP = 3
"""Divide, tanh, multiply."""


@dataclass(frozen=True, slots=True)
class AttentionSizes:
    """Sizes of one attention: ``rows`` queries of all samples, each against ``keys`` keys, in every head."""

    rows: int
    keys: int
    heads: int
    size: int
    value_size: int

    def work(self, *, masked: bool = False, extra: int = 0, estimate: str = "") -> OperatorCost:
        """Both products; a score costs its scale, its mask (where masked), ``extra`` and the softmax."""
        scores = self.rows * self.heads * self.keys
        between = OperatorCost(other_flops=scores * (1 + masked + extra + SOFTMAX), estimate=estimate)
        mixed = dot_products(self.rows * self.heads * self.value_size, self.keys)
        return dot_products(scores, self.size) + between + mixed


@work("Attention")
def attention(call: OpCall) -> OperatorCost:
    """Q, K and V of rank 4 (samples, heads, positions, size) or of rank 3 with heads in the last dim.

    Fewer heads of K and V are shared by groups of queries, which changes no count. Past keys come first.
    """
    query, key, value = (_split(call, index, name) for index, name in enumerate(_HEADS))
    same(query[0], key[0], "samples of Q and K differ")
    same(key[1], value[1], "heads of K and V differ")
    same(key[2], value[2], "positions of K and V differ")
    same(query[3], key[3], "head sizes of Q and K differ")
    parts(query[1], key[1], "query heads")
    past = shaped(call, 4, 4)[2] if call.has(4) else 0
    heads = AttentionSizes(query[0] * query[2], past + key[2], query[1], query[3], value[3])
    masked = call.has(3) or whole(call, "is_causal", 0) == 1 or call.has(6)
    return heads.work(masked=masked, extra=SOFTCAP * (number(call, "softcap", 0.0) != 0))


_HEADS = ("q_num_heads", "kv_num_heads", "kv_num_heads")


def _split(call: OpCall, index: int, heads: str) -> tuple[int, int, int, int]:
    """Samples, heads, positions and head size of an operand."""
    shape = shaped(call, index, 3, 4)
    if len(shape) == 4:
        return shape[0], shape[1], shape[2], shape[3]
    count = whole(call, heads, least=1)
    return shape[0], count, shape[1], parts(shape[2], count, f"features of input {index}")


@work("FlexAttention", domain="ai.onnx.preview")
def flex_attention(call: OpCall) -> OperatorCost:
    """Same as ``Attention`` of rank 4; what the bodies do to every score is counted where they are."""
    query, key, value = (shaped(call, index, 4) for index in range(3))
    same(query[3], key[3], "head sizes of Q and K differ")
    need(key[:3] == value[:3], "samples, heads or positions of K and V differ")
    parts(query[1], key[1], "query heads")
    return AttentionSizes(query[0] * query[2], key[2], query[1], query[3], value[3]).work()
