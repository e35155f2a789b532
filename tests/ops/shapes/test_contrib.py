"""Shape rules of onnxruntime's operators against what onnxruntime returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.shape_rules import SHAPE_RULES

Array = NDArray[Any]
NCHWC = "com.microsoft.nchwc"


def f(*shape: int) -> Array:
    return np.random.default_rng(0).random(shape, np.float32) + np.float32(0.1)


def ints(dtype: Any, *shape: int, high: int = 5) -> Array:
    return np.asarray(np.random.default_rng(0).integers(0, high, shape), dtype)


def u8(*shape: int) -> Array:
    return ints(np.uint8, *shape, high=200)


def i8(*shape: int) -> Array:
    return ints(np.int8, *shape, high=100)


def i32(*numbers: int) -> Array:
    return np.array(numbers, np.int32)


def i64(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


S = np.array(0.1, np.float32)
Z = np.array(3, np.uint8)
ZI = np.array(0, np.int8)
H = {"num_heads": 2}
GQA = {"num_heads": 4, "kv_num_heads": 2}
SEVEN = np.array([7], np.int32).reshape(())

# Operator, inputs (None is left out), attributes, outputs.
ROWS: list[tuple[str, list[Array | None], dict[str, Any], int]] = [
    ("Gelu", [f(2, 3)], {}, 1),
    ("FastGelu", [f(2, 3), f(3)], {}, 1),
    ("QuickGelu", [f(2, 3)], {}, 1),
    ("BiasGelu", [f(2, 3, 4), f(4)], {}, 1),
    ("Inverse", [np.eye(3, dtype=np.float32)], {}, 1),
    ("Trilu", [f(2, 3, 4)], {}, 1),
    ("RotaryEmbedding", [f(2, 5, 16), i64(0), f(8, 4), f(8, 4)], {}, 1),
    ("RotaryEmbedding", [f(2, 4, 5, 8), i64(0), f(8, 4), f(8, 4)], {}, 1),
    ("NGramRepeatBlock", [ints(np.int64, 2, 6), f(2, 9)], {"ngram_size": 2}, 1),
    ("MurmurHash3", [ints(np.int32, 2, 3)], {"positive": 0}, 1),
    ("MurmurHash3", [ints(np.int32, 2, 3)], {}, 1),
    ("CDist", [f(3, 4), f(5, 4)], {"metric": "euclidean"}, 1),
    ("SimplifiedLayerNormalization", [f(2, 3, 4), f(4)], {"axis": -1}, 2),
    ("SkipLayerNormalization", [f(2, 3, 4), f(2, 3, 4), f(4), f(4)], {}, 4),
    ("SkipLayerNormalization", [f(2, 3, 4), f(1, 3, 4), f(4)], {}, 1),
    ("SkipSimplifiedLayerNormalization", [f(2, 3, 4), f(2, 3, 4), f(4)], {}, 4),
    ("SkipSimplifiedLayerNormalization", [f(6, 4), f(6, 4), f(4)], {}, 4),
    (
        "EmbedLayerNormalization",
        [ints(np.int32, 2, 3), ints(np.int32, 2, 3, high=2), f(9, 4), f(8, 4), f(2, 4), f(4), f(4)],
        {},
        3,
    ),
    (
        "EmbedLayerNormalization",
        [ints(np.int32, 2, 3), None, f(9, 4), f(8, 4), None, f(4), f(4), ints(np.int32, 2, 3)],
        {},
        2,
    ),
    ("FusedMatMul", [f(2, 3, 4), f(2, 4, 5)], {}, 1),
    ("FusedMatMul", [f(2, 4, 3), f(2, 5, 4)], {"transA": 1, "transB": 1}, 1),
    ("FusedMatMul", [f(3, 2, 4), f(2, 4, 5)], {"transBatchA": 1}, 1),
    (
        "FusedMatMul",
        [f(4, 2, 3), f(5, 2, 4)],
        {"transA": 1, "transB": 1, "transBatchA": 1, "transBatchB": 1},
        1,
    ),
    ("FusedMatMul", [f(4), f(4, 5)], {"transA": 1}, 1),
    ("FusedMatMul", [f(3, 4), f(4)], {"transB": 1}, 1),
    ("FusedMatMul", [f(7, 1, 3, 4), f(2, 4, 5)], {}, 1),
    ("TransposeMatMul", [f(2, 4, 3), f(2, 4, 5)], {"transA": 1}, 1),
    ("FusedGemm", [f(4, 3), f(5, 4), f(5)], {"transA": 1, "transB": 1, "activation": "Relu"}, 1),
    ("QGemm", [u8(3, 4), S, Z, u8(4, 5), S, Z], {}, 1),
    ("QGemm", [u8(3, 4), S, Z, u8(5, 4), S, Z, None, S, Z], {"transB": 1}, 1),
    ("MatMulIntegerToFloat", [u8(2, 3, 4), u8(4, 5), S, S], {}, 1),
    ("DynamicQuantizeMatMul", [f(2, 3, 4), u8(4, 5), S], {}, 1),
    ("MatMulInteger16", [ints(np.int16, 3, 4), ints(np.int16, 4, 5)], {}, 1),
    ("MatMulNBits", [f(2, 3, 32), u8(5, 2, 8), f(5, 2)], {"N": 5, "K": 32, "bits": 4, "block_size": 16}, 1),
    ("MatMulBnb4", [f(2, 3, 32), u8(80), f(10)], {"N": 5, "K": 32, "block_size": 16, "quant_type": 1}, 1),
    (
        "FusedConv",
        [f(1, 4, 9, 8), f(6, 4, 3, 3)],
        {"activation": "Relu", "strides": [2, 1], "pads": [1, 0, 1, 2]},
        1,
    ),
    ("FusedConv", [f(1, 4, 9, 8), f(4, 1, 3, 3)], {"activation": "Relu", "group": 4, "dilations": [2, 2]}, 1),
    (
        "FusedConv",
        [f(1, 4, 9, 8), f(6, 4, 3, 3)],
        {"activation": "Relu", "auto_pad": "SAME_UPPER", "strides": [2, 2]},
        1,
    ),
    ("FusedConv", [f(1, 4, 9, 8), f(6, 4, 3, 3)], {"activation": "Relu", "auto_pad": "VALID"}, 1),
    ("QLinearConv", [u8(1, 4, 9, 8), S, Z, u8(6, 4, 3, 3), S, Z, S, Z], {}, 1),
    (
        "QLinearConv",
        [u8(1, 9, 8, 4), S, Z, u8(6, 4, 3, 3), S, Z, S, Z],
        {"channels_last": 1, "strides": [2, 2]},
        1,
    ),
    ("NhwcMaxPool", [u8(1, 9, 8, 4)], {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}, 1),
    ("QLinearAveragePool", [u8(1, 4, 9, 8), S, Z, S, Z], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 1),
    (
        "QLinearAveragePool",
        [u8(1, 8, 8, 4), S, Z, S, Z],
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "channels_last": 1},
        1,
    ),
    ("QLinearGlobalAveragePool", [u8(1, 4, 9, 8), S, Z, S, Z], {}, 1),
    ("QLinearGlobalAveragePool", [u8(1, 9, 8, 4), S, Z, S, Z], {"channels_last": 1}, 1),
    (
        "MaxpoolWithMask",
        [f(1, 4, 9, 8), ints(np.int32, 1, 4, 9, 8)],
        {"kernel_shape": [3, 3], "strides": [2, 2]},
        1,
    ),
    (
        "ConvTransposeWithDynamicPads",
        [f(1, 4, 5, 6), f(4, 3, 3, 3), i64(1, 0, 1, 1)],
        {"strides": [2, 2], "output_padding": [1, 1], "dilations": [1, 1], "kernel_shape": [3, 3]},
        1,
    ),
    (
        "ConvTransposeWithDynamicPads",
        [f(1, 4, 5, 6), f(4, 3, 3, 3), i64(1, 0, 1, 1)],
        {"group": 2, "kernel_shape": [3, 3]},
        1,
    ),
    ("DequantizeLinear", [u8(2, 3), S, Z], {}, 1),
    ("QuantizeLinear", [f(2, 3), S, ZI], {}, 1),
    ("QLinearLeakyRelu", [u8(2, 3), S, Z, S, Z], {"alpha": 0.1}, 1),
    ("QLinearSigmoid", [i8(2, 3), S, ZI, S, ZI], {}, 1),
    ("QLinearSoftmax", [u8(2, 3), S, Z, S, Z], {"axis": -1, "opset": 13}, 1),
    ("QLinearAdd", [u8(2, 1, 3), S, Z, u8(4, 1), S, Z, S, Z], {}, 1),
    ("QLinearMul", [u8(2, 3), S, Z, u8(3), S, Z, S, Z], {}, 1),
    ("QLinearConcat", [S, Z, u8(2, 3), S, Z, u8(2, 4), S, Z], {"axis": 1}, 1),
    ("QLinearWhere", [np.array([[True], [False]]), u8(1, 3), S, Z, u8(2, 1), S, Z, S, Z], {}, 1),
    (
        "DynamicQuantizeLSTM",
        [f(5, 2, 3), i8(2, 3, 16), i8(2, 4, 16), None, None, None, None, None, f(2), i8(2), f(2), i8(2)],
        {"hidden_size": 4, "direction": "bidirectional"},
        3,
    ),
    ("Attention", [f(2, 5, 6), f(6, 24), f(24)], H, 2),
    ("Attention", [f(2, 5, 6), f(6, 24), f(24), None, f(2, 2, 2, 3, 4)], H, 2),
    ("Attention", [f(2, 5, 6), f(6, 28), f(28)], {**H, "qkv_hidden_sizes": [8, 8, 12]}, 1),
    ("QAttention", [u8(2, 5, 6), u8(6, 24), f(24), S, S, None, Z, Z], H, 1),
    (
        "QAttention",
        [u8(2, 5, 6), u8(6, 24), f(24), S, S, None, Z, Z, f(2, 2, 2, 3, 4)],
        {**H, "unidirectional": 1},
        2,
    ),
    ("MultiHeadAttention", [f(2, 5, 8), f(2, 7, 8), f(2, 7, 12)], H, 1),
    ("MultiHeadAttention", [f(2, 5, 8), f(2, 5, 8), f(2, 5, 12)], H, 3),
    ("MultiHeadAttention", [f(2, 5, 8), f(2, 2, 7, 4), f(2, 2, 7, 4)], H, 1),
    (
        "MultiHeadAttention",
        [f(2, 5, 8), f(2, 5, 8), f(2, 5, 8), None, None, None, f(2, 2, 3, 4), f(2, 2, 3, 4)],
        H,
        4,
    ),
    (
        "DecoderMaskedMultiHeadAttention",
        [f(2, 1, 8), f(2, 1, 8), f(2, 1, 8), None, None, f(2, 2, 9, 4), f(2, 2, 9, 4), i32(3)],
        {**H, "past_present_share_buffer": 1},
        3,
    ),
    ("GroupQueryAttention", [f(2, 7, 32), f(2, 7, 16), f(2, 7, 16), None, None, i32(6, 6), SEVEN], GQA, 3),
    ("GroupQueryAttention", [f(2, 7, 64), None, None, None, None, i32(6, 6), SEVEN], GQA, 3),
    (
        "GroupQueryAttention",
        [f(2, 1, 32), f(2, 1, 16), f(2, 1, 16), f(2, 2, 6, 8), f(2, 2, 6, 8), i32(6, 6), SEVEN],
        GQA,
        3,
    ),
    (
        "GroupQueryAttention",
        [f(2, 1, 32), f(2, 1, 16), f(2, 1, 16), f(2, 2, 12, 8), f(2, 2, 12, 8), i32(6, 6), SEVEN],
        GQA,
        3,
    ),
    (
        "LinearAttention",
        [f(2, 3, 8), f(2, 3, 8), f(2, 3, 12)],
        {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "linear"},
        2,
    ),
    ("CausalConvWithState", [f(2, 6, 5), f(6, 1, 4)], {"ndim": 1}, 2),
    (
        "GatherBlockQuantized",
        [u8(7, 16), ints(np.int64, 2, 3), f(7, 2)],
        {"bits": 4, "block_size": 16, "quantize_axis": 1},
        1,
    ),
    (
        "GatherBlockQuantized",
        [u8(7, 32), i64(2), f(7, 2)],
        {"bits": 8, "block_size": 16, "quantize_axis": -1},
        1,
    ),
    ("GatherND", [f(3, 4, 5), ints(np.int64, 2, 2, high=3)], {}, 1),
    ("ExpandDims", [f(3, 4), i32(1).reshape(())], {}, 1),
    ("ExpandDims", [f(3, 4), i32(-1).reshape(())], {}, 1),
    ("Pad", [f(3, 4), i64(1, 0, 2, -1)], {}, 1),
    ("CropAndResize", [f(2, 3, 9, 8), f(5, 4), ints(np.int32, 5, high=2), i32(4, 6)], {}, 1),
    ("GridSample", [f(2, 3, 9, 8), f(2, 4, 5, 2)], {}, 1),
    ("UnfoldTensor", [f(3, 9, 2)], {"dim": 1, "size": 4, "step": 2}, 1),
    ("Range", [f().reshape(()), np.array(3, np.float32)], {}, 1),
    ("MoE", [f(6, 8), f(6, 4), f(4, 16, 8), None, f(4, 8, 16)], {"k": 2, "activation_type": "gelu"}, 1),
]
NCHWC_ROWS: list[tuple[str, list[Array | None], dict[str, Any], int]] = [
    ("Conv", [f(1, 16, 9, 8), f(32, 16, 3, 3)], {"strides": [2, 2], "pads": [1, 1, 1, 1]}, 1),
    ("MaxPool", [f(1, 16, 9, 8)], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, 1),
    ("AveragePool", [f(1, 16, 9, 8)], {"kernel_shape": [3, 3], "auto_pad": "VALID"}, 1),
    ("GlobalMaxPool", [f(1, 16, 9, 8)], {}, 1),
    ("GlobalAveragePool", [f(1, 16, 9, 8)], {}, 1),
    ("Upsample", [f(1, 16, 3, 4)], {"scales": [1, 1, 2, 3]}, 1),
    ("ReorderInput", [f(1, 16, 9, 8)], {}, 1),
    ("ReorderInput", [f(1, 9, 8, 16)], {"channels_last": 1}, 1),
    ("ReorderOutput", [f(1, 16, 9, 8)], {"channels": 13}, 1),
    ("ReorderOutput", [f(1, 16, 9, 8)], {"channels": 13, "channels_last": 1}, 1),
]
ML = "ai.onnx.ml"
TREE: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [1, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}
LEAVES = {"treeids": [0, 0], "nodeids": [1, 2], "ids": [0, 1], "weights": [1.0, 2.0]}
ML_ROWS: list[tuple[str, list[Array | None], dict[str, Any], int]] = [
    ("Scaler", [f(2, 3)], {"offset": [0.0], "scale": [2.0]}, 1),
    ("Normalizer", [f(2, 3)], {"norm": "L2"}, 1),
    ("Imputer", [f(2, 3)], {"imputed_value_floats": [0.0], "replaced_value_float": 1.0}, 1),
    ("LinearRegressor", [f(2, 3)], {"coefficients": [1.0] * 6, "targets": 2}, 1),
    ("FeatureVectorizer", [f(2, 3), f(2, 4)], {"inputdimensions": [3, 4]}, 1),
    (
        "TreeEnsembleRegressor",
        [f(5, 3)],
        TREE | {f"target_{k}": v for k, v in LEAVES.items()} | {"n_targets": 2},
        1,
    ),
    (
        "TreeEnsembleClassifier",
        [f(5, 3)],
        TREE | {f"class_{k}": v for k, v in LEAVES.items()} | {"classlabels_int64s": [0, 1]},
        2,
    ),
]
TABLE = [
    pytest.param(op, domain, inputs, attributes, count, id=f"{op}-{number}")
    for domain, rows in ((MICROSOFT, ROWS), (NCHWC, NCHWC_ROWS), (ML, ML_ROWS))
    for number, (op, inputs, attributes, count) in enumerate(rows)
]


def declared(name: str) -> ValueInfoProto:
    """Only the scores of MultiHeadAttention, its fourth output, have no type of their own."""
    if name == "o3":
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    return ValueInfoProto(name=name)


UNTYPED = {"MultiHeadAttention"}


def run(
    op: str, domain: str, inputs: Sequence[Array | None], attributes: dict[str, Any], count: int
) -> list[Array]:
    names = [f"i{index}" if array is not None else "" for index, array in enumerate(inputs)]
    outputs = [f"o{index}" for index in range(count)]
    domain = "" if op == "SimplifiedLayerNormalization" else domain
    node = helper.make_node(op, names, outputs, domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "one operator",
        [],
        [*map(declared, outputs)],
        [
            numpy_helper.from_array(array, f"i{index}")
            for index, array in enumerate(inputs)
            if array is not None
        ],
    )
    imports = [
        helper.make_opsetid(name, version)
        for name, version in (("", 17), (MICROSOFT, 1), (NCHWC, 1), (ML, 3))
    ]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, {})
    return found


def called(
    op: str, domain: str, inputs: Sequence[Array | None], attributes: dict[str, Any], count: int
) -> OpCall:
    infos = tuple(None if a is None else TensorInfo(BY_NAME[a.dtype.name], a.shape) for a in inputs)
    return OpCall(op, infos, (TensorInfo(None, None),) * count, attributes, tuple(inputs), domain, 1)


def inferred(call: OpCall) -> list[TensorInfo]:
    rule = SHAPE_RULES.get(call.op_type, call.domain)
    assert rule is not None
    return rule(call)


def forgotten(call: OpCall) -> list[OpCall]:
    """The same call, knowing less: no values, one dim less, a symbol, no shapes at all."""
    less = [replace(call, values=())]
    for index, info in enumerate(call.inputs):
        if info is None or info.shape is None:
            continue
        shapes = [
            None,
            *(
                (*info.shape[:axis], dim, *info.shape[axis + 1 :])
                for axis in range(len(info.shape))
                for dim in (None, "n")
            ),
        ]
        less += [
            replace(
                call, inputs=(*call.inputs[:index], TensorInfo(info.dtype, shape), *call.inputs[index + 1 :])
            )
            for shape in shapes
        ]
    unknown = tuple(info and TensorInfo(info.dtype, None) for info in call.inputs)
    return [*less, replace(call, values=(), inputs=unknown)]


@pytest.mark.parametrize(("op", "domain", "inputs", "attributes", "count"), TABLE)
def test_rules_give_the_types_and_shapes_that_onnxruntime_returns(
    op: str, domain: str, inputs: list[Array | None], attributes: dict[str, Any], count: int
) -> None:
    expected = run(op, domain, inputs, attributes, count)
    infos = inferred(called(op, domain, inputs, attributes, count))
    assert [info.shape for info in infos] == [found.shape for found in expected]
    types = [
        None if op in UNTYPED and index == 3 else BY_NAME[a.dtype.name] for index, a in enumerate(expected)
    ]
    assert [info.dtype for info in infos] == types


@pytest.mark.parametrize(("op", "domain", "inputs", "attributes", "count"), TABLE)
def test_rules_that_know_less_say_less_but_nothing_else(
    op: str, domain: str, inputs: list[Array | None], attributes: dict[str, Any], count: int
) -> None:
    whole = inferred(called(op, domain, inputs, attributes, count))
    for call in forgotten(called(op, domain, inputs, attributes, count)):
        for info, full in zip(inferred(call), whole, strict=True):
            assert info.dtype == full.dtype
            assert full.shape is not None
            assert info.shape is None or len(info.shape) == len(full.shape)
            for dim, true in zip(info.shape or (), full.shape, strict=False):
                assert not isinstance(dim, int) or dim == true
