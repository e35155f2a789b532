"""Contrib operators whose output looks like an input: activations, biases, rotations, experts."""

from __future__ import annotations

from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.dim_arithmetic import (
    BOOL,
    INT32,
    broadcast,
    dims,
    divided,
    info,
    like,
    replaced,
    results,
    shape,
)
from nnea_graph.ops.registry import MICROSOFT

like("Gelu", "FastGelu", "QuickGelu", "BiasGelu", "BiasAdd", "BiasSoftmax", "ScaledSiLU", domain=MICROSOFT)
like("RotaryEmbedding", "MRotaryEmbedding", "Inverse", "Trilu", "GatedAdd", "ComplexMul", domain=MICROSOFT)
like("ComplexMulConj", "MoE", "QMoE", "MoEPacked", "HyperConnectionPostMix", domain=MICROSOFT)
like("NGramRepeatBlock", source=1, domain=MICROSOFT)


@shape("BiasDropout", "BitmaskBiasDropout", "BitmaskDropout", domain=MICROSOFT)
def dropout(call: OpCall) -> list[TensorInfo]:
    """Same shape as the data; the mask of BiasDropout too, a packed one is left open."""
    data = dims(call, 0)
    mask = info(BOOL, data) if call.op_type == "BiasDropout" else TensorInfo(None, None)
    return results(call, info(call.dtype(0), data), mask)


@shape("BiasSplitGelu", "SwiGLU", domain=MICROSOFT)
def half(call: OpCall) -> list[TensorInfo]:
    """One half of the last axis gates the other."""
    x = dims(call, 0)
    return results(call, info(call.dtype(0), replaced(x, -1, divided(x[-1], 2)) if x else None))


@shape("GemmaRotaryEmbedding", domain=MICROSOFT)
def rotated_pair(call: OpCall) -> list[TensorInfo]:
    """Query and key, each like itself."""
    return results(call, info(call.dtype(1), dims(call, 1)), info(call.dtype(3), dims(call, 3)))


@shape("IsAllFinite", domain=MICROSOFT)
def one_answer(call: OpCall) -> list[TensorInfo]:
    """A scalar."""
    return results(call, info(BOOL, ()))


@shape("MulInteger", domain=MICROSOFT)
def integer_product(call: OpCall) -> list[TensorInfo]:
    """Broadcast, in 32 bits."""
    return results(call, info(INT32, broadcast(dims(call, 0), dims(call, 2))))


@shape("MurmurHash3", domain=MICROSOFT)
def hashed(call: OpCall) -> list[TensorInfo]:
    """A 32-bit number for each element, unsigned where it has to be positive."""
    return results(call, info(BY_NAME["uint32"] if call.attr("positive", 1) else INT32, dims(call, 0)))


@shape("LinearAttentionGate", domain=MICROSOFT)
def gate(call: OpCall) -> list[TensorInfo]:
    """Decay and update rate, each like its projection."""
    return results(call, info(call.dtype(0), dims(call, 0)), info(call.dtype(0), dims(call, 3)))


@shape("CDist", domain=MICROSOFT)
def distances(call: OpCall) -> list[TensorInfo]:
    """Each row of the one with each row of the other."""
    a, b = dims(call, 0, 2), dims(call, 1, 2)
    return results(call, info(call.dtype(0), (a[0] if a else None, b[0] if b else None)))
