"""Attention of the contrib domain: the output, and the keys and values that it keeps for the next call."""

from __future__ import annotations

from nnea_graph.graph import Dim, DType, TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.dim_arithmetic import (
    UNKNOWN,
    Shape,
    attribute,
    dims,
    divided,
    info,
    known,
    plus,
    results,
    shape,
    times,
)
from nnea_graph.ops.registry import MICROSOFT


def heads_of(call: OpCall, name: str = "num_heads") -> int:
    """Number of heads, at least one."""
    heads = attribute(call, name)
    if heads < 1:
        raise BadCallError(f"{name} of {call.op_type} is {heads}")
    return heads


def _at(x: Shape | None, axis: int) -> Dim:
    return None if x is None else x[axis]


def _merged_widths(call: OpCall, weight: int, bias: int) -> tuple[Dim, Dim]:
    """Width of keys and of values, of weights that hold query, key and value side by side."""
    sizes = call.attr("qkv_hidden_sizes")
    if sizes:
        if len(sizes) != 3:
            raise BadCallError(f"qkv_hidden_sizes has {len(sizes)} numbers, not 3")
        return int(sizes[1]), int(sizes[2])
    w, b = dims(call, weight, 2), dims(call, bias, 1)
    total = w[1] if w is not None and w[1] is not None else _at(b, 0)
    third = divided(total, 3) if isinstance(total, int) else None
    return third, third


def _merged_present(call: OpCall, past: int, width: Dim, dtype: DType | None) -> TensorInfo:
    """2 x batch x heads x length x head size; the length grows by the new tokens, or the buffer is shared."""
    x, before = dims(call, 0, 3), dims(call, past, 5)
    heads = heads_of(call)
    size = divided(width, heads) if isinstance(width, int) else _at(before, 4)
    if call.attr("past_present_share_buffer", 0):
        return info(dtype, before)
    old: Dim = _at(before, 3) if call.has(past) else 0
    return info(dtype, (2, _at(x, 0), heads, plus(old, _at(x, 1)), size))


def _merged(call: OpCall, *, weight: int, bias: int, past: int, dtype: DType | None) -> list[TensorInfo]:
    keys, values = _merged_widths(call, weight, bias)
    x = dims(call, 0, 3)
    output = None if x is None else (x[0], x[1], values)
    # The cache is one tensor: it exists only where keys and values are equally wide.
    return results(call, info(dtype, output), _merged_present(call, past, keys, dtype))


@shape("Attention", "DecoderMaskedSelfAttention", domain=MICROSOFT)
def merged_attention(call: OpCall) -> list[TensorInfo]:
    """Batch x tokens x width of the values; and the cache."""
    return _merged(call, weight=1, bias=2, past=4, dtype=call.dtype(0))


@shape("QAttention", domain=MICROSOFT)
def quantized_attention(call: OpCall) -> list[TensorInfo]:
    """Same as ``Attention``, in the type of the bias."""
    return _merged(call, weight=1, bias=2, past=8, dtype=call.dtype(3))


@shape("QOrderedAttention", domain=MICROSOFT)
def ordered_attention(call: OpCall) -> list[TensorInfo]:
    """Batch x tokens x width of the value weights."""
    x, values = dims(call, 0, 3), dims(call, 7, 2)
    return results(call, info(call.dtype(0), (*x[:2], _at(values, 1)) if x else None))


@shape("PackedAttention", domain=MICROSOFT)
def packed_attention(call: OpCall) -> list[TensorInfo]:
    """Tokens x width of the values."""
    _, values = _merged_widths(call, 1, 2)
    return results(call, info(call.dtype(0), (_at(dims(call, 0, 2), 0), values)))


@shape("PackedMultiHeadAttention", domain=MICROSOFT)
def packed_multi_head_attention(call: OpCall) -> list[TensorInfo]:
    """Tokens x width of the values."""
    query, value = dims(call, 0, 2, 4), dims(call, 2, 2)
    packed = query is not None and len(query) == 4
    width = times(query[1], query[3]) if query and packed else _at(value, 1)
    return results(call, info(call.dtype(0), (_at(query, 0), width)))


@shape("LongformerAttention", "QOrderedLongformerAttention", domain=MICROSOFT)
def longformer_attention(call: OpCall) -> list[TensorInfo]:
    """Same shape as the input."""
    return results(call, info(call.dtype(0), dims(call, 0, 3)))


@shape("DecoderAttention", domain=MICROSOFT)
def decoder_attention(call: OpCall) -> list[TensorInfo]:
    """Same shape as the query; how long the caches are depends on flags that are tensors."""
    query, heads = dims(call, 0, 3), heads_of(call)
    size = divided(query[2], heads) if query and isinstance(query[2], int) else None
    cache = info(call.dtype(0), (_at(query, 1), heads, None, size))
    return results(call, info(call.dtype(0), query), cache, cache)


def _value_side(call: OpCall, heads: int) -> tuple[Dim, Dim, bool]:
    """Tokens and head size of the values, and whether they come as another operator's cache."""
    query, key, value = dims(call, 0), dims(call, 1), dims(call, 2)
    if query is not None and len(query) == 5:
        return query[1], query[4], False
    if not call.has(1):
        return _at(query, 1), _third(query, heads), False
    if key is not None and len(key) == 5:
        return key[1], key[4], False
    if value is None or len(value) not in (3, 4):
        return None, None, False
    if len(value) == 4:
        return value[2], value[3], True
    return value[1], divided(value[2], heads) if isinstance(value[2], int) else None, False


def _third(query: Shape | None, heads: int) -> Dim:
    """Head size where query, key and value lie side by side."""
    width = _at(query, -1)
    return divided(width, 3 * heads) if isinstance(width, int) else None


def _multi_head(call: OpCall, past: int, shared: int, *, shared_attribute: bool) -> list[TensorInfo]:
    query, heads, dtype = dims(call, 0, 3, 5), heads_of(call), call.dtype(0)
    tokens, value_size, cross = _value_side(call, heads)
    batch, length = _at(query, 0), _at(query, 1)
    key_size = _key_size(call, heads) if not cross else value_size
    before = dims(call, past, 4)
    fixed = call.has(shared) if not shared_attribute else bool(call.attr("past_present_share_buffer", 0))
    total: Dim = tokens
    if call.has(past):
        total = None if before is None else before[2] if fixed else plus(before[2], tokens)
    output = None if query is None else (batch, length, times(heads, value_size))
    present = [info(dtype, (batch, heads, total, size)) for size in (key_size, value_size)]
    # The definition leaves the scores' type to the model.
    scores = info(None, (batch, heads, length, None if fixed else total))
    return results(call, info(dtype, output), *present, scores)


def _key_size(call: OpCall, heads: int) -> Dim:
    query = dims(call, 0)
    if query is None:
        return None
    if len(query) == 5:
        return query[4]
    if not call.has(1):
        return _third(query, heads)
    return divided(query[2], heads) if isinstance(query[2], int) else None


@shape("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(call: OpCall) -> list[TensorInfo]:
    """Batch x tokens x heads * head size; keys, values, scores."""
    return _multi_head(call, 6, 8, shared_attribute=False)


@shape("DecoderMaskedMultiHeadAttention", domain=MICROSOFT)
def decoder_multi_head_attention(call: OpCall) -> list[TensorInfo]:
    """Same as ``MultiHeadAttention``, of one new token."""
    return _multi_head(call, 5, 7, shared_attribute=True)


def _grouped_sizes(call: OpCall) -> tuple[Dim, int, int]:
    """Head size, heads, and heads of keys and values."""
    heads, groups = heads_of(call), heads_of(call, "kv_num_heads")
    width = _at(dims(call, 0), -1)
    parts = heads if call.has(1) else heads + 2 * groups
    return divided(width, parts) if isinstance(width, int) else None, heads, groups


@shape("GroupQueryAttention", domain=MICROSOFT)
def group_query_attention(call: OpCall) -> list[TensorInfo]:
    """Batch x tokens x heads * head size; keys and values as long as buffer or whole text."""
    size, heads, groups = _grouped_sizes(call)
    query, past = dims(call, 0, 3), dims(call, 3, 4)
    batch, dtype = _at(query, 0), call.dtype(0)
    output = info(dtype, (batch, _at(query, 1), times(heads, size)))
    length = _cache_length(call, past)
    cache_size = past[3] if past else size
    kinds = [call.dtype(index) if call.has(index) else dtype for index in (3, 4)]
    present = [info(kind, (batch, groups, length, cache_size)) for kind in kinds]
    return results(call, output, *present, UNKNOWN)


def _cache_length(call: OpCall, past: Shape | None) -> Dim:
    if call.attr("sliding_window_cache", 0):
        return _at(past, 2)
    total = known(call, 6)
    before: Dim = 0 if not call.has(3) else _at(past, 2)
    if not total or not isinstance(before, int):
        return None
    return max(before, total[0])


@shape("SparseAttention", domain=MICROSOFT)
def sparse_attention(call: OpCall) -> list[TensorInfo]:
    """Batch x tokens x heads * head size; the caches are updated in place."""
    size, heads, _ = _grouped_sizes(call)
    query = dims(call, 0, 3)
    output = info(call.dtype(0), (_at(query, 0), _at(query, 1), times(heads, size)))
    return results(call, output, *(info(call.dtype(index), dims(call, index)) for index in (3, 4)))


@shape("PagedAttention", domain=MICROSOFT)
def paged_attention(call: OpCall) -> list[TensorInfo]:
    """Tokens x heads * head size; the caches are updated in place."""
    size, heads, _ = _grouped_sizes(call)
    wanted = attribute(call, "v_head_size") or size
    output = info(call.dtype(0), (_at(dims(call, 0, 2), 0), times(heads, wanted)))
    return results(call, output, *(info(call.dtype(index), dims(call, index)) for index in (3, 4)))
