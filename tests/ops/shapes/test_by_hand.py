"""Shape rules of operators that onnxruntime has no CPU kernel for: their definitions, worked by hand."""
# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from nnea_graph.graph import Dim, TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.shape_rules import SHAPE_RULES

NCHWC = "com.microsoft.nchwc"
NAMES = {
    "f": "float32",
    "h": "float16",
    "i": "int32",
    "l": "int64",
    "b": "int8",
    "u": "uint8",
    "t": "bool",
    "U": "uint32",
}


def tensor(text: str) -> TensorInfo | None:
    """``f[2,n,?]``: letter of the type (``?`` unknown), dims; no brackets: shape unknown; "-": left out."""
    if text == "-":
        return None
    kind, _, body = text.partition("[")
    dtype = None if kind == "?" else BY_NAME[NAMES[kind]]
    return TensorInfo(dtype, None if "[" not in text else tuple(map(dim, re.findall(r"[^,\]]+", body))))


def dim(text: str) -> Dim:
    return int(text) if text.lstrip("-").isdigit() else None if text == "?" else text


def call(
    op: str,
    inputs: str,
    attributes: dict[str, Any],
    outputs: int = 1,
    *,
    domain: str = MICROSOFT,
    known: Mapping[int, Any] | None = None,
) -> OpCall:
    infos = tuple(tensor(text) for text in inputs.split())
    values = tuple(
        np.asarray(known[index]) if known and index in known else None for index in range(len(infos))
    )
    return OpCall(op, infos, (TensorInfo(None, None),) * outputs, attributes, values, domain, 1)


H = {"num_heads": 2}
GQA = {"num_heads": 4, "kv_num_heads": 2}
ONE: list[tuple[str, str, dict[str, Any], str]] = [
    ("BiasAdd", "f[2,9,4] f[4] f[2,9,4]", {}, "f[2,9,4]"),
    ("BiasSplitGelu", "h[2,n,8] h[8]", {}, "h[2,n,4]"),
    ("BiasSoftmax", "f[2,3,4,5] f[2,1,1,5]", {"axis": 3}, "f[2,3,4,5]"),
    ("BiasDropout", "f[b,4] f[4]", {}, "f[b,4] t[b,4]"),
    ("BitmaskDropout", "f[b,4]", {}, "f[b,4] ?"),
    ("GroupNorm", "h[2,9,8,32] f[32] f[32]", {"groups": 4}, "h[2,9,8,32]"),
    ("SkipGroupNorm", "h[2,9,8,32] f[32] f[32] h[2,9,8,32]", {"groups": 4}, "h[2,9,8,32] h[2,9,8,32]"),
    ("LayerNormalization", "f[2,n,4] f[4]", {"axis": 1}, "f[2,n,4] f[2,1,1] f[2,1,1]"),
    ("SkipLayerNormalization", "h[b,s,4] h[b,s,4] h[4]", {}, "h[b,s,4] f[b,s,1] f[b,s,1] h[b,s,4]"),
    ("QEmbedLayerNormalization", "i[b,s] - u[9,4] u[8,4] - u[4] u[4] - f[] f[] - f[] f[]", {}, "f[b,s,4] i[b]"),
    ("GemmaRotaryEmbedding", "f[b,s,8] h[b,4,s,8] h[b,4,s,8] h[b,4,s,8] h[b,4,s,8]", {}, "h[b,4,s,8] h[b,4,s,8]"),
    ("IsAllFinite", "f[2] f[n]", {}, "t[]"),
    ("MulInteger", "u[2,1] u[] u[1,3] u[]", {}, "i[2,3]"),
    ("ReduceSumInteger", "u[2,3,4]", {"axes": [-1], "keepdims": 1}, "?[2,3,1]"),
    ("QLinearReduceMean", "u[2,3,4] f[] u[] f[] u[]", {"axes": [1], "keepdims": 0}, "u[2,4]"),
    ("QLinearConcat", "f[] u[] u[2,n] f[] u[] u[?,4] f[] u[]", {"axis": 1}, "u[2,?]"),
    ("QuantizeWithOrder", "f[2,3] f[]", {"order_input": 1, "order_output": 1}, "b[2,3]"),
    ("DequantizeWithOrder", "b[2,3] f[]", {"to": 10, "order_input": 1, "order_output": 1}, "h[2,3]"),
    ("QOrderedMatMul", "b[2,3,4] f[] b[5,4] f[] f[]", {"order_B": 0}, "b[2,3,5]"),
    ("QOrderedMatMul", "b[2,3,4] f[] b[4,5] f[] f[]", {"order_B": 1}, "b[2,3,5]"),
    ("GemmFastGelu", "h[2,n,4] h[4,5] h[5]", {}, "h[2,n,5]"),
    ("FusedMatMul", "f[b,3,4] f[4,n]", {}, "f[b,3,n]"),
    ("FusedMatMul", "f[b,3,4] f[c,4,5]", {}, "f[?,3,5]"),
    ("FusedMatMul", "f[b,3,4] f[8,4,5]", {}, "f[8,3,5]"),
    ("FusedGemm", "f f[4,5]", {}, "f[?,5]"),
    ("GemmFloat8", "f[3,4] f[5,4]", {"transB": 1, "dtype": 10}, "h[3,5]"),
    ("MatMulBnb4", "f[2,3,8] u[20] f[1]", {"N": 5, "K": 8, "transB": 0}, "f[2,3,8]"),
    ("MatMulNBits", "h[b,s,32] u[5,2,8] h[10]", {"N": 5, "K": 32, "block_size": 16}, "h[b,s,5]"),
    ("MatMulNBitsMlp", "h[b,32] - - u[5] h[1] - u[5] h[1]", {"N": 5, "K": 32}, "h[b,5] h[b,32]"),
    ("MatMulNBitsQkv", "h[b,32] h[b,32] h[32] u[5]", {"Nq": 8, "Nkv": 4}, "h[b,8] h[b,4] h[b,4] h[b,32]"),
    ("MatMulBlockQuantizedFp8Weight", "h[b,4] ?[6,4] f[6,1]", {}, "h[b,6]"),
    ("NhwcConv", "h[1,9,8,4] h[6,4,3,3]", {"pads": [1, 1, 1, 1], "strides": [2, 2]}, "h[1,5,4,6]"),
    ("NhwcFusedConv", "h[n,9,w,4] h[6,4,3,3] h[6]", {"auto_pad": "SAME_LOWER"}, "h[n,9,w,6]"),
    ("FusedConv", "f[n,4,h,8] f[6,4,3,3]", {}, "f[n,6,?,6]"),
    ("CausalConvWithState", "h[b,6,s] h[6,1,4]", {"ndim": 1}, "h[b,6,s] h[b,6,3]"),
    ("DynamicQuantizeLSTM", "f[s,b,3] b[1,3,16] b[1,4,16]", {"hidden_size": 4}, "f[s,1,b,4] f[1,b,4] f[1,b,4]"),
    ("Attention", "h[b,s,6] h[6,24] h[24]", H, "h[b,s,8] h[2,b,2,s,4]"),
    ("Attention", "h[b,s,6] h[6,24] h[24] - h[2,b,2,p,4]", H, "h[b,s,8] h[2,b,2,?,4]"),
    ("DecoderMaskedSelfAttention", "h[b,1,6] h[6,24] h[24] - h[2,b,2,9,4]", {**H, "past_present_share_buffer": 1}, "h[b,1,8] h[2,b,2,9,4]"),
    ("PackedAttention", "h[t,6] h[6,24] h[24] i[b,s] i[c]", H, "h[t,8]"),
    ("PackedMultiHeadAttention", "h[t,2,3,4]", H, "h[t,8]"),
    ("PackedMultiHeadAttention", "h[t,8] h[t,8] h[t,10]", H, "h[t,10]"),
    ("LongformerAttention", "f[b,s,8] f[8,24] f[24]", H, "f[b,s,8]"),
    ("QOrderedAttention", "b[b,s,6] f[] f[] f[] f[] b[6,8] b[6,8] b[6,8]", H, "b[b,s,8]"),
    ("MultiHeadAttention", "h[b,s,2,3,4]", H, "h[b,s,8] h[b,2,s,4] h[b,2,s,4] ?[b,2,s,s]"),
    ("MultiHeadAttention", "h[b,s,8] h[b,t,2,2,4]", H, "h[b,s,8] h[b,2,t,4] h[b,2,t,4] ?[b,2,s,t]"),
    ("GroupQueryAttention", "h[b,s,32] h[b,s,16] h[b,s,16] h[b,2,p,8] h[b,2,p,8] i[b] i[]", GQA, "h[b,s,32] h[b,2,?,8] h[b,2,?,8]"),
    ("SparseAttention", "f[b,3,32] f[b,3,16] f[b,3,16] f[b,2,64,8] f[b,2,64,8]", GQA, "f[b,3,32] f[b,2,64,8] f[b,2,64,8]"),
    ("PagedAttention", "h[t,64] - - h[9,16,2,8] h[9,16,2,8]", GQA, "h[t,32] h[9,16,2,8] h[9,16,2,8]"),
    ("LinearAttention", "h[b,s,8] h[b,s,8] h[b,s,12] f[b,2,4,6]", {"q_num_heads": 2, "kv_num_heads": 2}, "h[b,s,12] f[b,2,4,6]"),
    ("GatherPacked", "u[9,16] l[b,s]", {"K": 32, "output_dtype": 10}, "h[b,s,32]"),
    ("TorchEmbedding", "f[9,4] l[b,s]", {}, "f[b,s,4]"),
    ("Unique", "f[6]", {}, "f[?] l[6] l[?]"),
    ("RemovePadding", "h[2,s,8] i[2]", {}, "h[?,8] i[2,s] i[3] i[1]"),
    ("RestorePadding", "h[t,8] i[b,s]", {}, "h[b,s,8]"),
    ("GatedRelativePositionBias", "f[b,s,8] f[8] f[1,2,s,s] f[4,8] f[8] f[1,2,1,1]", H, "f[b,2,s,s]"),
    ("Rfft", "f[2,8]", {"signal_ndim": 1, "onesided": 1}, "f[2,5,2]"),
    ("Irfft", "f[2,5,2]", {"signal_ndim": 1, "onesided": 1}, "f[2,8]"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "outputs"),
    [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(ONE)],
)
def test_rules_follow_the_operators_definition(
    op: str, inputs: str, attributes: dict[str, Any], outputs: str
) -> None:
    expected = [tensor(text) for text in outputs.split()]
    rule = SHAPE_RULES.get(op, MICROSOFT)
    assert rule is not None
    assert rule(call(op, inputs, attributes, len(expected))) == expected


VALUED: list[tuple[str, str, dict[str, Any], dict[int, Any], str]] = [
    ("RelativePositionBias", "f[32,8] l[1] l[1]", {}, {1: [5], 2: [7]}, "f[1,8,5,7]"),
    ("Sampling", "i[b,s] i[1]", {"vocab_size": 99}, {1: [40]}, "i[b,40] ?[b,99]"),
    ("GreedySearch", "i[2,s] i[1]", {}, {1: [40]}, "i[2,40]"),
    ("BeamSearch", "i[2,8] i[1] - i[1] i[1]", {"vocab_size": 99}, {1: [40], 3: [4], 4: [3]}, "i[2,3,40] ?[2,3] ?[32,2,4,99]"),
    ("MatMulFpQ4", "f[b,32] u[99] l[2]", {}, {2: [32, 7]}, "f[b,7]"),
    ("GroupQueryAttention", "h[b,s,32] h[b,s,16] h[b,s,16] - - i[b] i[]", GQA, {6: 9}, "h[b,s,32] h[b,2,9,8] h[b,2,9,8]"),
    ("Pad", "f[b,4] l[4]", {}, {1: [0, 1, 0, 2]}, "f[b,7]"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "known", "outputs"), [pytest.param(*row, id=row[0]) for row in VALUED]
)
def test_rules_use_the_values_that_are_known(
    op: str, inputs: str, attributes: dict[str, Any], known: dict[int, Any], outputs: str
) -> None:
    expected = [tensor(text) for text in outputs.split()]
    rule = SHAPE_RULES.get(op, MICROSOFT)
    assert rule is not None
    assert rule(call(op, inputs, attributes, len(expected), known=known)) == expected


def test_channels_that_are_no_multiple_of_sixteen_are_not_known_in_blocks() -> None:
    rule = SHAPE_RULES.get("ReorderInput", NCHWC)
    assert rule is not None
    assert rule(call("ReorderInput", "f[1,3,9,8]", {}, domain=NCHWC)) == [tensor("f[1,?,9,8]")]


BAD: list[tuple[str, str, dict[str, Any], str]] = [
    ("FusedConv", "f[1,4,9,8] f[6,4,3,3]", {"strides": [0, 1]}, r"strides of FusedConv is \[0, 1\]"),
    ("FusedConv", "f[1,4,2,2] f[6,4,3,3]", {}, "does not fit a dim of 2"),
    ("FusedConv", "f[1,4,9,8] f[6,4,3]", {}, "filters of 3 dimensions"),
    ("FusedConv", "f[4]", {}, "cannot slide"),
    ("FusedMatMul", "f[2,3] f[4,5]", {}, "over 3 and 4 terms"),
    ("FusedMatMul", "f[] f[4,5]", {}, "scalar operand"),
    ("MultiHeadAttention", "f[2,5,8] f[2,5,8] f[2,5,8]", {"num_heads": 3}, "8 cannot be divided by 3"),
    ("Attention", "f[2,5,6] f[6,24]", {}, "num_heads of Attention is 0"),
    ("MatMulNBits", "f[2,32] u[5,2,8] f[10]", {}, "N of MatMulNBits is -1"),
    ("QLinearAdd", "u[2] f[] u[] u[3]", {}, "dims 2 and 3"),
    ("SkipLayerNormalization", "f[] f[]", {}, "axis -1 is outside"),
    ("EmbedLayerNormalization", "i[2]", {}, "has 1 dimensions"),
    ("UnfoldTensor", "f[9]", {"size": 0}, "windows of 0"),
    ("BiasSplitGelu", "f[2,3,7]", {}, "7 cannot be divided by 2"),
]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "message"),
    [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(BAD)],
)
def test_calls_that_contradict_the_definition_are_refused(
    op: str, inputs: str, attributes: dict[str, Any], message: str
) -> None:
    rule = SHAPE_RULES.get(op, MICROSOFT)
    assert rule is not None
    with pytest.raises(BadCallError, match=message):
        rule(call(op, inputs, attributes))
