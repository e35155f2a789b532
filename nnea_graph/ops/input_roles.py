"""Determines which input of an operator is a weight, a bias, a buffer, or a mere setting."""

from __future__ import annotations

from enum import StrEnum

from nnea_graph.ops.registry import MICROSOFT


class Role(StrEnum):
    """Role that a constant has to the operator that reads it. Only the first three are parameters."""

    WEIGHT = "weight"
    SCALE = "scale"
    BIAS = "bias"
    BUFFER = "buffer"
    CONSTANT = "constant"
    QUANTIZATION = "quantization"
    SETTING = "setting"


PARAMETER_ROLES = frozenset({Role.WEIGHT, Role.SCALE, Role.BIAS})

_W, _S, _B, _Q, _X = Role.WEIGHT, Role.SCALE, Role.BIAS, Role.QUANTIZATION, Role.SETTING
_BUFFER = Role.BUFFER

Layout = tuple[Role | None, ...]
"""Roles by input position; None is an input that the model computes, or any other constant."""

_NORM: Layout = (None, _S, _B)
_RECURRENT: Layout = (None, _W, _W, _B, _X, _X, _X, _W)

_ONNX: dict[str, Layout] = {
    "BatchNormalization": (None, _S, _B, _BUFFER, _BUFFER),
    "Clip": (None, _X, _X),
    "Conv": (_W, _W, _B),
    "ConvInteger": (None, _W, _Q, _Q),
    "ConvTranspose": (_W, _W, _B),
    "DeformConv": (None, _W, None, _B),
    "DequantizeLinear": (None, _Q, _Q),
    "Dropout": (None, _X, _X),
    "Equal": (_X, _X),
    "Expand": (None, _X),
    "GRU": _RECURRENT,
    "Gather": (_W, _X),
    "GatherElements": (_W, _X),
    "GatherND": (_W, _X),
    "Gemm": (_W, _W, _B),
    "Greater": (_X, _X),
    "GreaterOrEqual": (_X, _X),
    "GroupNormalization": _NORM,
    "If": (_X,),
    "InstanceNormalization": _NORM,
    "LSTM": _RECURRENT,
    "LayerNormalization": _NORM,
    "Less": (_X, _X),
    "LessOrEqual": (_X, _X),
    "Loop": (_X,) * 64,
    "MatMul": (_W, _W),
    "MatMulInteger": (_W, _W, _Q, _Q),
    "NonMaxSuppression": (_X,) * 5,
    "OneHot": (_X, _X, _X),
    "PRelu": (None, _W),
    "Pad": (None, _X, _X, _X),
    "QLinearConv": (None, _Q, _Q, _W, _Q, _Q, _Q, _Q, _B),
    "QLinearMatMul": (_W, _Q, _Q, _W, _Q, _Q, _Q, _Q),
    "QuantizeLinear": (None, _Q, _Q),
    "RMSNormalization": (None, _S),
    "RNN": _RECURRENT,
    "Range": (_X, _X, _X),
    "Resize": (None, _X, _X, _X),
    "RoiAlign": (None, _X, _X),
    "Scan": (_X,) * 64,
    "SimplifiedLayerNormalization": (None, _S),
    "TopK": (None, _X),
    "Upsample": (None, _X),
}

_CONTRIB: dict[str, Layout] = {
    "Attention": (None, _W, _B, _X, None, None, _X),
    "BiasAdd": (None, _B, None),
    "BiasGelu": (None, _B),
    "BiasSplitGelu": (None, _B),
    "BiasDropout": (None, _B, None, _X, _X),
    "DequantizeLinear": (None, _Q, _Q),
    "DynamicQuantizeLSTM": (None, _W, _W, _B, _X, _X, _X, _W, _Q, _Q, _Q, _Q),
    "DynamicQuantizeMatMul": (None, _W, _Q, _Q, _B),
    "EmbedLayerNormalization": (None, None, _W, _W, _W, _S, _B, _X, _X),
    "FastGelu": (None, _B),
    "FusedConv": (None, _W, _B),
    "FusedGemm": (_W, _W, _B),
    "FusedMatMul": (_W, _W),
    "GatherBlockQuantized": (_W, _X, _Q, _Q),
    "GemmFastGelu": (None, _W, _B),
    "GroupNorm": _NORM,
    "GroupQueryAttention": (None, None, None, None, None, _X, _X, _X, _X, _X, _X),
    "LayerNormalization": _NORM,
    "MatMulBnb4": (None, _W, _Q),
    "MatMulIntegerToFloat": (None, _W, _Q, _Q, _Q, _Q, _B),
    "MatMulNBits": (None, _W, _Q, _Q, _X, _B),
    "MultiHeadAttention": (None, None, None, _B, _X, _X),
    "NhwcConv": (None, _W, _B),
    "NhwcFusedConv": (None, _W, _B),
    "QAttention": (None, _W, _B, _Q, _Q, _X, _Q, _Q),
    "QGemm": (_W, _Q, _Q, _W, _Q, _Q, _B, _Q, _Q),
    "QLinearAdd": (None, _Q, _Q, None, _Q, _Q, _Q, _Q),
    "QLinearAveragePool": (None, _Q, _Q, _Q, _Q),
    "QLinearConv": (None, _Q, _Q, _W, _Q, _Q, _Q, _Q, _B),
    "QLinearGlobalAveragePool": (None, _Q, _Q, _Q, _Q),
    "QLinearLeakyRelu": (None, _Q, _Q, _Q, _Q),
    "QLinearMul": (None, _Q, _Q, None, _Q, _Q, _Q, _Q),
    "QLinearSigmoid": (None, _Q, _Q, _Q, _Q),
    "QLinearSoftmax": (None, _Q, _Q, _Q, _Q),
    "QuantizeLinear": (None, _Q, _Q),
    "RotaryEmbedding": (None, _X, _X, _X),
    "SkipGroupNorm": (None, _S, _B, None, _B),
    "SkipLayerNormalization": (None, None, _S, _B, _B),
    "SkipSimplifiedLayerNormalization": (None, None, _S, _B),
    "TransposeMatMul": (_W, _W),
}

_TABLES = {"": _ONNX, "ai.onnx": _ONNX, MICROSOFT: _CONTRIB}


def declared_role(op_type: str, domain: str, index: int) -> Role | None:
    """The role that the operator's definition gives an input; None where any operand may stand there."""
    layout = _TABLES.get(domain, {}).get(op_type, ())
    return layout[index] if index < len(layout) else None


_OPERANDS = {"Add": Role.BIAS, "Sub": Role.BIAS, "Mul": Role.SCALE, "Div": Role.SCALE}


def operand_role(op_type: str, shape: tuple[int, ...]) -> Role:
    """The role of a constant operand of several elements.

    Added or multiplied along one axis it is a bias or a scale, as exporters write the two when they
    take a layer apart; in more than one axis (position embeddings) it is a weight.
    """
    axes = sum(dim != 1 for dim in shape)
    return _OPERANDS.get(op_type, Role.WEIGHT) if axes < 2 else Role.WEIGHT
