"""Normalizations of the contrib domain, with the statistics and sums that some of them give besides."""

from __future__ import annotations

from nnea_graph.graph import TensorInfo
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.dim_arithmetic import FLOAT, INT32, Shape, attribute, dims, info, like, results, shape
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.value_guards import axis_of

like("GroupNorm", "GatedRMSNorm", "BranchwiseRMSNorm", "QOrderedLayerNormalization", domain=MICROSOFT)
like("MeanVarianceNormalization", "GroupNormalization")


def _statistics(x: Shape | None, axis: int) -> TensorInfo:
    """One number for each normalized slice."""
    if x is None:
        return info(FLOAT, None)
    kept = axis_of(axis, len(x))
    return info(FLOAT, (*x[:kept], *(1 for _ in x[kept:])))


@shape("SimplifiedLayerNormalization")
@shape("SimplifiedLayerNormalization", domain=MICROSOFT)
def simplified_layer_normalization(call: OpCall) -> list[TensorInfo]:
    """Same shape as the input, in the type of the scale; and the inverse deviation."""
    x = dims(call, 0)
    return results(call, info(call.dtype(1), x), _statistics(x, attribute(call, "axis", -1)))


@shape("LayerNormalization")  # onnxruntime's optimizer writes it into models of opsets that have none
@shape("LayerNormalization", domain=MICROSOFT)
def layer_normalization(call: OpCall) -> list[TensorInfo]:
    """Same shape as the input; mean and inverse deviation."""
    x = dims(call, 0)
    statistics = _statistics(x, attribute(call, "axis", -1))
    return results(call, info(call.dtype(0), x), statistics, statistics)


@shape("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_layer_normalization(call: OpCall) -> list[TensorInfo]:
    """Same shape as the input; mean, inverse deviation, and the sum that was normalized."""
    x = dims(call, 0)
    whole, statistics = info(call.dtype(0), x), _statistics(x, -1)
    return results(call, whole, statistics, statistics, whole)


@shape("SkipGroupNorm", domain=MICROSOFT)
def skip_group_norm(call: OpCall) -> list[TensorInfo]:
    """Same shape as the input, and so is the sum that was normalized."""
    whole = info(call.dtype(0), dims(call, 0))
    return results(call, whole, whole)


def _embedded(call: OpCall, table: int) -> tuple[Shape | None, Shape | None]:
    """Shape of the embedded tokens, and of the mask index."""
    ids, words = dims(call, 0, 2), dims(call, table, 2)
    if ids is None:
        return None, (None,)
    return (*ids, words[1] if words else None), (ids[0],)


@shape("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_normalization(call: OpCall) -> list[TensorInfo]:
    """Embedded tokens, a mask index for each sequence, and the sum that was normalized."""
    whole, mask = _embedded(call, 2)
    tokens = info(call.dtype(2), whole)
    return results(call, tokens, info(call.dtype(0) or INT32, mask), tokens)


@shape("QEmbedLayerNormalization", domain=MICROSOFT)
def quantized_embed_layer_normalization(call: OpCall) -> list[TensorInfo]:
    """Embedded tokens in the type of the scales, and a mask index for each sequence."""
    whole, mask = _embedded(call, 2)
    return results(call, info(call.dtype(8), whole), info(call.dtype(0) or INT32, mask))
