"""Operators that carry a running state: causal convolutions and linear attention."""

from __future__ import annotations

from nnea_graph.graph import TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.dim_arithmetic import attribute, dims, divided, info, results, shape, times
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.shapes.attention import heads_of


@shape("CausalConvWithState", domain=MICROSOFT)
def causal_convolution(call: OpCall) -> list[TensorInfo]:
    """Same shape as the input; and the last ``kernel - 1`` positions, channels first unless told otherwise."""
    x, w, dtype = dims(call, 0), dims(call, 1), call.dtype(0)
    plain = not any(call.attr(name, 0) for name in ("input_channel_offset", "state_window", "state_length"))
    if x is None or w is None or not plain or len(x) != 3 or call.attr("channels_last", 0):
        return results(call, info(dtype, x if plain else None), info(dtype, None))
    kernel = w[-1]
    history = (kernel - 1) * attribute(call, "dilation", 1) if isinstance(kernel, int) else None
    state = (x[0], history, x[1]) if call.attr("state_channels_last", 0) else (x[0], x[1], history)
    return results(call, info(dtype, x), info(dtype, state))


@shape("LinearAttention", domain=MICROSOFT)
def linear_attention(call: OpCall) -> list[TensorInfo]:
    """Batch x tokens x heads * value size; and one key size x value size matrix a head."""
    queries, heads = heads_of(call, "q_num_heads"), heads_of(call, "kv_num_heads")
    query, value = dims(call, 0, 3), dims(call, 2, 3)
    source = 3 if call.has(3) else 0
    if query is None or value is None:
        return results(call, info(call.dtype(0), None), info(call.dtype(source), None))
    key_size, value_size = (divided(dim, count) for dim, count in ((query[2], queries), (value[2], heads)))
    state = (query[0], heads, key_size, value_size)
    slots = attribute(call, "state_window")
    if slots < 0:
        raise BadCallError(f"state_window of LinearAttention is {slots}")
    kept = (slots, *state) if slots else state
    output = (query[0], query[1], times(max(queries, heads), value_size))
    return results(call, info(call.dtype(0), output), info(call.dtype(source), kept))
