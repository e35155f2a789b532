"""Recurrent cells of the contrib domain."""

from __future__ import annotations

from nnea_graph.graph import TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.dim_arithmetic import dims, info, results, shape
from nnea_graph.ops.registry import MICROSOFT


@shape("DynamicQuantizeLSTM", "AttnLSTM", domain=MICROSOFT)
def lstm(call: OpCall) -> list[TensorInfo]:
    """All hidden states, the last one, the last cell state."""
    hidden = call.attr("hidden_size")
    if hidden is not None and (not isinstance(hidden, int) or hidden < 1):
        raise BadCallError(f"hidden_size of {call.op_type} is {hidden!r}")
    x, dtype = dims(call, 0, 3), call.dtype(0)
    steps, batch = x[:2] if x else (None, None)
    directions = 2 if call.attr("direction") in ("bidirectional", b"bidirectional") else 1
    last = info(dtype, (directions, batch, hidden))
    return results(call, info(dtype, (steps, directions, batch, hidden)), last, last)
