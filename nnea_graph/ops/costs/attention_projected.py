"""Attention of com.microsoft that projects its own input, and forms of it on packed or quantized data.

The projection to Q, K and V is a matrix product on every position; attention follows as in ``attention``.
"""

from __future__ import annotations

from itertools import pairwise

from nnea_graph.ops.attribute_checks import (
    counts,
    known,
    made,
    need,
    numbers,
    parts,
    same,
    shaped,
    single,
    whole,
)
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work
from nnea_graph.ops.costs.attention import AttentionSizes
from nnea_graph.ops.costs.pooling import REQUANTIZE
from nnea_graph.ops.costs.rotary import PER_ELEMENT
from nnea_graph.ops.registry import MICROSOFT

PADDED = "sequence lengths are known only at run time: every position counts"
SHARED = "the buffer of the past is shared: its whole length counts"


def _widths(call: OpCall, total: int) -> tuple[int, int, int]:
    """Columns of Q, K and V in the merged weight: thirds, unless ``qkv_hidden_sizes`` says otherwise."""
    listed = numbers(call, "qkv_hidden_sizes")
    if not listed:
        third = parts(total, 3, "columns of the weight")
        return third, third, third
    need(
        len(listed) == 3 and all(isinstance(size, int) and size > 0 for size in listed),
        "bad qkv_hidden_sizes",
    )
    same(sum(listed), total, "qkv_hidden_sizes and the weight's columns differ")
    return listed[0], listed[1], listed[2]


def _projection(call: OpCall, rows: int, weight: int, bias: int) -> OperatorCost:
    features, columns = shaped(call, weight, 2)
    same(call.shape(0)[-1], features, "features of the input and of the weight differ")
    return dot_products(rows * columns, features, bias=call.has(bias))


def _sizes(call: OpCall, weight: int, rows: int, keys: int) -> AttentionSizes:
    query, key, value = _widths(call, shaped(call, weight, 2)[1])
    heads = whole(call, "num_heads", least=1)
    same(query, key, "widths of Q and K differ")
    return AttentionSizes(
        rows, keys, heads, parts(query, heads, "columns of Q"), parts(value, heads, "columns of V")
    )


def _projected(call: OpCall, *, weight: int, mask: int, past: int, bias: int = 2) -> OperatorCost:
    samples, positions, _ = shaped(call, 0, 3)
    rows = samples * positions
    before = shaped(call, past, 5)[3] if call.has(past) else 0
    keys, reason = past_and_new(call, positions, past=before, length=6 if past == 4 else len(call.inputs))
    heads = _sizes(call, weight, rows, keys)
    masked = call.has(mask) or whole(call, "unidirectional", 0) == 1
    rotated = 2 * PER_ELEMENT * rows * heads.heads * heads.size * whole(call, "do_rotary", 0)
    return (
        _projection(call, rows, weight, bias)
        + heads.work(masked=masked, extra=_biased(call), estimate=reason)
        + OperatorCost(other_flops=rotated)
    )


def _biased(call: OpCall) -> int:
    """An add a score where Attention or DecoderMaskedSelfAttention has an attention bias."""
    return int(call.has(5) and not call.op_type.startswith("Q"))


def past_and_new(call: OpCall, new: int, *, past: int, length: int) -> tuple[int, str]:
    """Keys that a query meets; where the past's length is an input, the past is a buffer for all keys."""
    if not call.has(length):
        return past + new, ""
    found = known(call, length)
    if found is None:
        return max(past, new), SHARED
    return single(found, "past_sequence_length") + new, ""


@work("Attention", "DecoderMaskedSelfAttention", domain=MICROSOFT)
def attention(call: OpCall) -> OperatorCost:
    """Projection of the input by a merged weight, then attention over past and present."""
    return _projected(call, weight=1, mask=3, past=4)


@work("QAttention", domain=MICROSOFT)
def qattention(call: OpCall) -> OperatorCost:
    """Same as ``Attention`` on quantized numbers: zero points beforehand, a scale on every projected element."""
    columns = shaped(call, 1, 2)[1]
    rows = call.shape(0)[0] * call.shape(0)[1] if len(call.shape(0)) > 1 else 0
    shifted = call.size(0) * call.has(6) + call.size(1) * call.has(7)
    return _projected(call, weight=1, mask=5, past=8) + OperatorCost(other_flops=shifted + rows * columns)


@work("QOrderedAttention", domain=MICROSOFT)
def qordered_attention(call: OpCall) -> OperatorCost:
    """Same as ``Attention`` with three weights; every product is quantized again."""
    samples, positions, features = shaped(call, 0, 3)
    rows, count = samples * positions, whole(call, "num_heads", least=1)
    widths = [shaped(call, index, 2)[1] for index in (5, 6, 7)]
    past = shaped(call, 18, 5)[3] if call.has(18) else 0
    size, value_size = parts(widths[0], count, "columns of Q"), parts(widths[2], count, "columns of V")
    heads = AttentionSizes(rows, past + positions, count, size, value_size)
    masked = call.has(17) or whole(call, "unidirectional", 0) == 1
    scores = rows * count * heads.keys
    requantized = REQUANTIZE * (rows * sum(widths) + 2 * scores + rows * widths[2])
    return (
        dot_products(rows * sum(widths), features, bias=call.has(11))
        + heads.work(masked=masked, extra=int(call.has(19)))
        + OperatorCost(other_flops=requantized)
    )


@work("PackedAttention", domain=MICROSOFT)
def packed_attention(call: OpCall) -> OperatorCost:
    """Same as ``Attention`` on the tokens of all sequences one after another, each against its own sequence."""
    tokens, _ = shaped(call, 0, 2)
    pairs, reason = packed_pairs(call, tokens, offsets=3, lengths=4)
    heads = _sizes(call, 1, pairs, 1)
    counted = packed_products(heads, tokens, masked=call.has(5), estimate=reason)
    return _projection(call, tokens, 1, 2) + counted


def packed_pairs(call: OpCall, tokens: int, *, offsets: int, lengths: int) -> tuple[int, str]:
    """Pairs of a query and a key over all sequences; the padded length where the lengths are not known."""
    found = known(call, lengths)
    if found is None:
        return tokens * shaped(call, offsets, 2)[1], PADDED
    ends = counts(found, "cumulative_sequence_length")
    steps = [after - before for before, after in pairwise(ends)]
    need(all(step >= 0 for step in steps), "cumulative sequence lengths go down")
    return sum(step**2 for step in steps), ""


def packed_products(pairs: AttentionSizes, tokens: int, *, masked: bool, estimate: str) -> OperatorCost:
    """Work of the pairs in every head; each token's value is one sum over its keys."""
    counted = pairs.work(masked=masked, estimate=estimate)
    # A pair alone is no sum: of all products of a token all but one are added.
    joined = max(pairs.rows - tokens, 0) * pairs.heads * pairs.value_size
    return counted + OperatorCost(flops=joined)


@work("LongformerAttention", "QOrderedLongformerAttention", domain=MICROSOFT)
def longformer(call: OpCall) -> OperatorCost:
    """Local and global projections; a token meets ``window`` tokens on both sides and itself."""
    quantized = call.op_type.startswith("Q")
    weight, bias, wide, wide_bias = (2, 4, 8, 10) if quantized else (1, 2, 4, 5)
    samples, positions, _ = shaped(call, 0, 3)
    rows = samples * positions
    keys = min(2 * whole(call, "window", least=1) + 1, positions)
    local = _sizes(call, weight, rows, keys)
    reason = "how many tokens attend to all is known only at run time: none count"
    projections = _projection(call, rows, weight, bias) + _projection(call, rows, wide, wide_bias)
    return projections + local.work(masked=True, estimate=reason)


@work("DecoderAttention", domain=MICROSOFT)
def decoder_attention(call: OpCall) -> OperatorCost:
    """Projections of query and key, then attention over the new key cache; (positions, samples, features)."""
    positions, samples, features = shaped(call, 0, 3)
    length = shaped(call, 1, 3)[0]
    count = whole(call, "num_heads", least=1)
    keys = made(call, 1, 4)[2] if len(call.outputs) > 1 and call.outputs[1] is not None else length
    size = parts(features, count, "features")
    reason = "whether the cache replaces the projection of the key is known only at run time: it is projected"
    query = dot_products(positions * samples * features, features, bias=call.has(4))
    both = dot_products(length * samples * 2 * features, features, bias=call.has(4))
    heads = AttentionSizes(positions * samples, keys, count, size, size)
    return query + both + heads.work(masked=call.has(5), estimate=reason)
