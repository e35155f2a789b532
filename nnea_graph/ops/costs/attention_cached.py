"""Attention of com.microsoft on Q, K and V that are projected already, with caches of the past.

Where the real lengths are not known, the length of the cache counts: an upper bound, called an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from nnea_graph.ops.attribute_checks import counts, known, made, number, parts, same, shaped, single, whole
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, work
from nnea_graph.ops.costs.attention import SOFTCAP, AttentionSizes
from nnea_graph.ops.costs.attention_projected import (
    PADDED,
    SHARED,
    packed_pairs,
    packed_products,
    past_and_new,
)
from nnea_graph.ops.costs.normalization import normalized
from nnea_graph.ops.costs.rotary import PER_ELEMENT
from nnea_graph.ops.registry import MICROSOFT

SPARSE = "which entries a query meets is known only at run time: the most it can meet count"


@dataclass(frozen=True, slots=True)
class Operands:
    """Samples, positions of the query, new positions of the key, and sizes of a head."""

    samples: int
    queries: int
    keys: int
    size: int
    value_size: int


@work("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(call: OpCall) -> OperatorCost:
    """Attention over past and present; the bias of the projections is added here, the products are not."""
    heads = whole(call, "num_heads", least=1)
    operands = _multi_head(call, heads)
    keys, reason = past_and_new(
        call, operands.keys, past=shaped(call, 6, 4)[2] if call.has(6) else 0, length=8
    )
    counted = _heads(operands, heads, keys)
    masked = call.has(4) or whole(call, "unidirectional", 0) == 1
    biased = _qkv_elements(operands, heads, heads) if call.has(3) else 0
    products = counted.work(masked=masked, extra=int(call.has(5)), estimate=reason)
    return products + OperatorCost(other_flops=biased)


def _multi_head(call: OpCall, heads: int) -> Operands:
    """Separate tensors of rank 3, QKV or KV in one of rank 5, or keys of a cross attention in rank 4."""
    query = shaped(call, 0, 3, 5)
    if len(query) == 5:
        return Operands(query[0], query[1], query[1], query[4], query[4])
    size = parts(query[2], heads, "features of the query")
    key = shaped(call, 1, 3, 5)
    if len(key) == 5:
        return Operands(query[0], query[1], key[1], size, key[4])
    if len(key) == 4:
        return Operands(query[0], query[1], key[2], size, shaped(call, 2, 4)[3])
    same(key[2], query[2], "features of query and key differ")
    value_size = parts(shaped(call, 2, 3)[2], heads, "features of the value")
    return Operands(query[0], query[1], key[1], size, value_size)


def _heads(operands: Operands, heads: int, keys: int) -> AttentionSizes:
    return AttentionSizes(
        operands.samples * operands.queries, keys, heads, operands.size, operands.value_size
    )


def _qkv_elements(operands: Operands, heads: int, kv_heads: int) -> int:
    query = operands.queries * heads * operands.size
    return operands.samples * (query + operands.keys * kv_heads * (operands.size + operands.value_size))


@work("DecoderMaskedMultiHeadAttention", domain=MICROSOFT)
def decoder_masked_attention(call: OpCall) -> OperatorCost:
    """Same as ``MultiHeadAttention`` for one new position; packed QKV where there is no key."""
    heads = whole(call, "num_heads", least=1)
    operands = _decoder(call, heads)
    keys, reason = past_and_new(
        call, operands.keys, past=shaped(call, 5, 4)[2] if call.has(5) else 0, length=7
    )
    counted = _heads(operands, heads, keys)
    biased = _qkv_elements(operands, heads, heads) if call.has(10) else 0
    products = counted.work(masked=call.has(3), extra=int(call.has(4)), estimate=reason)
    return products + OperatorCost(other_flops=biased)


def _decoder(call: OpCall, heads: int) -> Operands:
    if call.has(1):
        return _multi_head(call, heads)
    samples, positions, _ = shaped(call, 0, 3)
    value = parts(made(call, 0, 2, 3)[-1], heads, "features of the output")
    size = parts(shaped(call, 0, 3)[2] - heads * value, 2 * heads, "features of the packed query and key")
    return Operands(samples, positions, positions, size, value)


@work("PackedMultiHeadAttention", domain=MICROSOFT)
def packed_multi_head_attention(call: OpCall) -> OperatorCost:
    """Same as ``MultiHeadAttention`` on the tokens of all sequences, each against its own sequence."""
    heads = whole(call, "num_heads", least=1)
    query = shaped(call, 0, 2, 4)
    size = query[3] if len(query) == 4 else parts(query[1], heads, "features of the query")
    value = parts(made(call, 0, 2, 3)[-1], heads, "features of the output")
    pairs, reason = packed_pairs(call, query[0], offsets=4, lengths=5)
    biased = query[0] * heads * (2 * size + value) * call.has(3)
    counted = packed_products(
        AttentionSizes(pairs, 1, heads, size, value), query[0], masked=call.has(6), estimate=reason
    )
    return counted + OperatorCost(other_flops=biased)


@work("GroupQueryAttention", domain=MICROSOFT)
def group_query_attention(call: OpCall) -> OperatorCost:
    """Query heads share fewer key heads. Lengths come from seqlens_k, total_sequence_length or the cache."""
    return _grouped(call, *_lengths(call, 5, 6))


@work("SparseAttention", domain=MICROSOFT)
def sparse_attention(call: OpCall) -> OperatorCost:
    """Same as ``GroupQueryAttention``; which blocks are left out is data, so all count."""
    return _grouped(call, *_lengths(call, None, 7)) + OperatorCost(estimate=SPARSE)


def _lengths(call: OpCall, lasts: int | None, total: int) -> tuple[int, str]:
    """Keys that all samples meet together, and why that is an estimate."""
    samples = shaped(call, 0, 3)[0]
    last = known(call, lasts) if lasts is not None else None
    if last is not None:
        lengths = [end + 1 for end in counts(last, "seqlens_k")]
        same(len(lengths), samples, "sequence lengths and samples differ in number")
        return sum(lengths), ""
    longest = known(call, total)
    if longest is not None:
        return samples * single(longest, "total_sequence_length"), PADDED
    return samples * _cache_length(call), SHARED


def _cache_length(call: OpCall) -> int:
    if len(call.outputs) > 1 and call.outputs[1] is not None:
        return made(call, 1, 4)[2]
    past = shaped(call, 3, 4)[2] if call.has(3) else 0
    return past + shaped(call, 0, 3)[1]


def _grouped(call: OpCall, keys: int, reason: str) -> OperatorCost:
    samples, queries, features = shaped(call, 0, 3)
    heads, kv_heads = whole(call, "num_heads", least=1), whole(call, "kv_num_heads", least=1)
    parts(heads, kv_heads, "query heads")
    size = parts(features, heads if call.has(1) else heads + 2 * kv_heads, "features of the query")
    counted = AttentionSizes(queries * keys, 1, heads, size, size)
    products = packed_products(counted, samples * queries, masked=True, estimate=reason)
    capped = SOFTCAP * (number(call, "softcap", 0.0) != 0) + call.has(10) * (call.op_type[0] == "G")
    around = OperatorCost(other_flops=capped * queries * keys * heads)
    return products + around + _before(call, samples * queries, heads + kv_heads, size)


def _before(call: OpCall, rows: int, heads: int, size: int) -> OperatorCost:
    """Cost of what is done to Q and the new K: rotation, normalization of every head."""
    elements = rows * heads * size
    rotated = OperatorCost(other_flops=PER_ELEMENT * elements * whole(call, "do_rotary", 0))
    normed = {
        "GroupQueryAttention": 14,
        "PagedAttention": 12,
        "SparsePagedAttention": 17,
        "DynamicSparseAttention": 14,
    }
    if not call.has(normed.get(call.op_type, len(call.inputs))):
        return rotated
    return rotated + normalized(elements, rows * heads, centered=False, shifted=False)


@work("PagedAttention", domain=MICROSOFT)
def paged_attention(call: OpCall) -> OperatorCost:
    """Every token against as many keys as its sequence has blocks for."""
    block, blocks = shaped(call, 3, 4)[1], shaped(call, 7, 2)[1]
    return _by_token(call, block * blocks, PADDED)


@work("SparsePagedAttention", domain=MICROSOFT)
def sparse_paged_attention(call: OpCall) -> OperatorCost:
    """Every token against the entries that are selected for it, and a local window where there is one."""
    return _by_token(call, shaped(call, 9, 2)[1] + max(_window(call), 0), SPARSE)


@work("DynamicSparseAttention", domain=MICROSOFT)
def dynamic_sparse_attention(call: OpCall) -> OperatorCost:
    """Same as ``SparsePagedAttention`` on samples of equal length."""
    return _by_token(call, shaped(call, 7, 2)[1] + max(_window(call), 0), SPARSE)


def _window(call: OpCall) -> int:
    return whole(call, "local_window_size", -1, least=-1)


def _by_token(call: OpCall, keys: int, reason: str) -> OperatorCost:
    query = shaped(call, 0, 2, 3)
    rows = prod(query[:-1])
    heads, kv_heads = whole(call, "num_heads", least=1), whole(call, "kv_num_heads", least=1)
    parts(heads, kv_heads, "query heads")
    size = parts(query[-1], heads if call.has(1) else heads + 2 * kv_heads, "features of the query")
    products = AttentionSizes(
        rows, keys, heads, size, parts(made(call, 0, 2, 3)[-1], heads, "features of the output")
    )
    capped = SOFTCAP * (number(call, "softcap", 0.0) != 0)
    return products.work(masked=True, extra=capped, estimate=reason) + _before(
        call, rows, heads + kv_heads, size
    )
