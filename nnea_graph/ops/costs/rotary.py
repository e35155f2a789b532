"""Rotary position embeddings: a pair is rotated by 4 multiplies and 2 adds, 3 operations an element."""

from __future__ import annotations

from nnea_graph.ops.attribute_checks import need, parts, shaped, whole
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, work
from nnea_graph.ops.costs.normalization import normalized
from nnea_graph.ops.registry import MICROSOFT

PER_ELEMENT = 3


@work("RotaryEmbedding")
def rotary(call: OpCall) -> OperatorCost:
    """All elements, or the first ``rotary_embedding_dim`` of every head."""
    return _rotated(call, call.shape(1)[-1] if call.shape(1) else 0)


@work("RotaryEmbedding", "MRotaryEmbedding", domain=MICROSOFT)
def ms_rotary(call: OpCall) -> OperatorCost:
    """Same as ``RotaryEmbedding`` with the positions before the caches."""
    return _rotated(call, call.shape(2)[-1] if call.shape(2) else 0)


def _rotated(call: OpCall, half: int) -> OperatorCost:
    part = whole(call, "rotary_embedding_dim", 0)
    if not part:
        return OperatorCost(other_flops=PER_ELEMENT * call.size(0))
    shape = call.shape(0)
    need(shape, "input 0 is a scalar")
    size = shape[-1]
    if len(shape) == 3:
        heads = whole(call, "num_heads", 0)
        size = parts(shape[-1], heads, "features") if heads else 2 * half
    need(part <= size, f"rotary_embedding_dim {part} is over the head size {size}")
    return OperatorCost(other_flops=PER_ELEMENT * part * (call.size(0) // size))


@work("RMSNormRotary", domain=MICROSOFT)
def rms_norm_rotary(call: OpCall) -> OperatorCost:
    """Every head normalized over the width of the scale, its first part rotated."""
    samples, positions, heads, _ = shaped(call, 0, 4)
    groups, width = samples * positions * heads, shaped(call, 1, 1)[0]
    part = whole(call, "rotary_embedding_dim", 0) or width
    need(part <= width, f"rotary_embedding_dim {part} is over the width {width}")
    counted = normalized(groups * width, groups, centered=False, shifted=False)
    return counted + OperatorCost(other_flops=PER_ELEMENT * groups * part)
