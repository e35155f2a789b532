"""onnxruntime's own layout, channels in blocks (com.microsoft.nchwc): shapes as NCHW, channels rounded up."""

from __future__ import annotations

from nnea_graph.graph import Dim, TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.dim_arithmetic import attribute, dims, info, results, shape, times
from nnea_graph.ops.shapes.convolution import convolved, global_pooling, pooled

NCHWC = "com.microsoft.nchwc"


@shape("Conv", domain=NCHWC)
def blocked_convolution(call: OpCall) -> list[TensorInfo]:
    """Same as ``Conv``."""
    return results(call, info(call.dtype(0), convolved(call, 1, last=False)))


@shape("MaxPool", "AveragePool", domain=NCHWC)
def blocked_pooling(call: OpCall) -> list[TensorInfo]:
    """Same as ``MaxPool`` and ``AveragePool``."""
    return results(call, info(call.dtype(0), pooled(call, last=False)))


shape("GlobalMaxPool", "GlobalAveragePool", domain=NCHWC)(global_pooling(last=False))


@shape("Upsample", domain=NCHWC)
def blocked_upsample(call: OpCall) -> list[TensorInfo]:
    """Each dim times its whole scale."""
    x, scales = dims(call, 0), call.attr("scales")
    if x is None or scales is None:
        return results(call, info(call.dtype(0), None))
    if len(scales) != len(x):
        raise BadCallError(f"Upsample has {len(scales)} scales for {len(x)} dimensions")
    return results(call, info(call.dtype(0), [times(dim, int(s)) for dim, s in zip(x, scales, strict=True)]))


@shape("ReorderInput", domain=NCHWC)
def reorder_input(call: OpCall) -> list[TensorInfo]:
    """Reorders into blocks: channels are rounded up to the machine's block, so only multiples of 16 are sure."""
    x = dims(call, 0)
    if x is None or len(x) < 3:
        return results(call, info(call.dtype(0), None))
    last = bool(call.attr("channels_last", 0))
    channels, spatial = (x[-1], x[1:-1]) if last else (x[1], x[2:])
    return results(call, info(call.dtype(0), (x[0], _whole_blocks(channels), *spatial)))


def _whole_blocks(channels: Dim) -> Dim:
    """Blocks have 8 or 16 channels, by the machine."""
    return channels if isinstance(channels, int) and channels % 16 == 0 else None


@shape("ReorderOutput", domain=NCHWC)
def reorder_output(call: OpCall) -> list[TensorInfo]:
    """Out of blocks, to the true number of channels."""
    x = dims(call, 0)
    if x is None or len(x) < 3:
        return results(call, info(call.dtype(0), None))
    channels = attribute(call, "channels")
    plain = (x[0], *x[2:], channels) if call.attr("channels_last", 0) else (x[0], channels, *x[2:])
    return results(call, info(call.dtype(0), plain))
