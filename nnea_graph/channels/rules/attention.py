"""Attention as one operator: the output's channels are the values', head by head; queries and keys end."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np

from nnea_graph.channels.graph import Floats, Places
from nnea_graph.channels.rule_context.computed_products import QUERY_KEY, VALUES
from nnea_graph.channels.rule_context.join_shares import JoinShare
from nnea_graph.channels.rule_context.model_view import ConstantView
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import channels
from nnea_graph.channels.rule_context.strength import StrengthBlock, magnitudes
from nnea_graph.channels.rules.convolution import weights_of
from nnea_graph.ops.call import BadCallError, UnknownFactError
from nnea_graph.ops.registry import MICROSOFT


def repeated(heads: int, value_heads: int, size: int) -> Places:
    """The value channel of each output channel where several heads share the values of one."""
    if value_heads < 1 or heads % value_heads:
        raise BadCallError(f"{heads} heads for {value_heads} heads of values")
    head = np.arange(heads) // (heads // value_heads)
    return (head[:, None] * size + np.arange(size)).reshape(-1)


def _last(site: OpContext, index: int) -> int:
    size = site.dims(index)[-1]
    if size is None:
        raise UnknownFactError(
            f"how many channels '{site.name(index)}' has is not known before the model runs"
        )
    return size


def _values(site: OpContext, index: int, axes: tuple[int, ...], places: Places) -> None:
    """Lead values with channels along ``axes`` (and only there) to the output."""
    source = site.channels(index)
    if source is None:
        return
    out = site.out_dims()
    if any(axis not in axes for axis in source.real):
        raise UnknownFactError("its values have channels along positions")
    target_axes = (1, 3) if len(out) == 4 else (len(out) - 1,)
    sizes = [out[axis] for axis in target_axes]
    dims = [size for size in sizes if size is not None]
    if len(dims) < len(sizes) or np.prod(dims, dtype=np.int64) != places.size:
        raise UnknownFactError("the channels of its output are not known before the model runs")
    site.lead(
        site.target(0, target_axes, dims), [JoinShare(source, _numbers(site, index, axes)[places])], VALUES
    )


def _numbers(site: OpContext, index: int, axes: tuple[int, ...]) -> Places:
    """The channel of the source at each place along ``axes``, of which it may have fewer."""
    source, dims = site.channels(index), site.dims(index)
    sizes = [dims[axis] for axis in axes]
    if source is None or None in sizes:
        raise UnknownFactError("the channels of its values are not known before the model runs")
    own = dict(zip(source.axes, source.dims, strict=True))
    numbers = np.arange(source.count).reshape([own.get(axis, 1) for axis in axes])
    return np.broadcast_to(numbers, [size for size in sizes if size is not None]).reshape(-1)


def _ends(site: OpContext, *indices: int) -> None:
    for index in indices:
        site.end(index, QUERY_KEY)


@channels("Attention")
@channels("FlexAttention", domain="ai.onnx.preview")
def attention(site: OpContext) -> None:
    """ai.onnx: operands of three or four axes."""
    if len(site.dims(2)) == 4:
        heads, value_heads, size = site.dims(0)[1], site.dims(2)[1], _last(site, 2)
        axes: tuple[int, ...] = (1, 3)
    else:
        heads, value_heads = int(site.call.attr("q_num_heads", 0)), int(site.call.attr("kv_num_heads", 0))
        size, axes = _last(site, 2) // max(1, value_heads), (2,)
    if heads is None or value_heads is None:
        raise UnknownFactError("its number of heads is not known before the model runs")
    _values(site, 2, axes, repeated(heads, value_heads, size))
    _ends(site, 0, 1)
    _keep(site, 2, 2)


def _keep(site: OpContext, index: int, output: int) -> None:
    """The values that it hands on (batch, heads, positions, size)."""
    source = site.channels(index)
    if source is None or not site.out(output):
        return
    heads, size = site.out_dims(output)[1], site.out_dims(output)[3]
    places = _numbers(site, index, (1, 3) if len(site.dims(index)) == 4 else (2,))
    if heads is None or size is None or heads * size != places.size:
        raise UnknownFactError("the values that it hands on are of another shape")
    site.lead(site.target(output, (1, 3), (heads, size)), [JoinShare(source, places)], VALUES)


@channels("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(site: OpContext) -> None:
    """Values apart, packed with the keys, or packed with queries and keys."""
    heads = int(site.call.attr("num_heads", 0))
    packed = next((index for index in (0, 1) if site.name(index) and len(site.dims(index)) == 5), None)
    if packed is not None:
        _unpack(site, packed)
        return
    size = _last(site, 2) // (1 if len(site.dims(2)) == 4 else max(1, heads))
    _values(site, 2, (1, 3) if len(site.dims(2)) == 4 else (2,), np.arange(heads * size))
    _ends(site, 0, 1)
    _keep(site, 2, 2)


def _unpack(site: OpContext, index: int) -> None:
    """(batch, positions, heads, 2 or 3, size): the values are the last of each head."""
    source = site.channels(index)
    if source is None:
        return
    dims = [dim for dim in site.dims(index)[2:] if dim is not None]
    places = np.arange(prod(dims)).reshape(dims)[:, -1].reshape(-1)
    _values(site, index, (2, 3, 4), places)
    _ends(site, index)


@channels("GroupQueryAttention", domain=MICROSOFT)
def group_query_attention(site: OpContext) -> None:
    """Several heads share the values of one; without keys all three are packed in the first input."""
    heads, value_heads = int(site.call.attr("num_heads", 0)), int(site.call.attr("kv_num_heads", 0))
    packed = not site.name(2)
    width = _last(site, 0) if packed else _last(site, 2)
    size = width // max(1, heads + 2 * value_heads if packed else value_heads)
    places = repeated(heads, value_heads, size)
    if packed:
        _values(site, 0, (2,), places + (heads + value_heads) * size)
        _ends(site, 0)
        return
    _values(site, 2, (2,), places)
    _ends(site, 0, 1)
    _keep(site, 2, 2)


@channels("Attention", "QAttention", domain=MICROSOFT)
def projected_attention(site: OpContext) -> None:
    """Projects its input by weights (I, queries + keys + values); only the values' part leads on."""
    reader = weights_of(site, 1)
    source = site.demand(0, (2,))
    if source is None:
        return
    inputs, whole = reader.shape
    sizes = site.call.attr("qkv_hidden_sizes") or [whole // 3] * 3
    size = int(sizes[2])
    block = StrengthBlock(1, size, inputs, partial(_value_part, reader, size))
    target = site.target(0, (2,), (size,))
    site.lead_dense(target, [site.dense(target, source, (2,), block, VALUES)])
    _ends(site, 0)


def _value_part(reader: ConstantView, size: int) -> Floats:
    return np.ascontiguousarray(magnitudes(reader.array()[:, -size:]).T)[None]


@channels("LinearAttention")
@channels("LinearAttention", domain=MICROSOFT)
def linear_attention(site: OpContext) -> None:
    """Heads side by side; several may share the values of one."""
    heads, value_heads = int(site.call.attr("q_num_heads", 0)), int(site.call.attr("kv_num_heads", 0))
    _values(site, 2, (2,), repeated(heads, value_heads, _last(site, 2) // max(1, value_heads)))
    _ends(site, 0, 1)


@channels("DecoderMaskedMultiHeadAttention", domain=MICROSOFT)
def masked_attention(site: OpContext) -> None:
    """One step of decoding."""
    _values(site, 2, (2,), np.arange(_last(site, 2)))
    _ends(site, 0, 1)
