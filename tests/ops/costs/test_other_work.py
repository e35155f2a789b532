"""Operations beside matrix work against numbers that are worked by hand."""

from __future__ import annotations

import pytest
from oracles.calls import call, counted, ms

from nnea_graph.ops.call import OpCall

IMAGE = (1, 3, 8, 8)


@pytest.mark.parametrize(
    ("op", "other_flops"),
    [
        pytest.param(call("Add", [(2, 3), (3,)], [(2, 3)]), 6, id="one an element"),
        pytest.param(call("Sigmoid", [(2, 3)], [(2, 3)]), 24, id="negate exp add divide"),
        pytest.param(call("Sum", [(2, 3)] * 4, [(2, 3)]), 18, id="a sum of four takes three adds"),
        pytest.param(call("Mean", [(2, 3)] * 4, [(2, 3)]), 24, id="a mean also a divide"),
        pytest.param(call("Clip", [(10,), (), ()], [(10,)]), 20, id="two bounds"),
        pytest.param(call("Clip", [(10,)], [(10,)], max=6.0), 10, id="one bound, opset 6"),
        pytest.param(
            call("Gemm", [(5, 7), (7, 3), (3,)], [(5, 3)], alpha=0.5, beta=2.0), 15 + 3, id="alpha, beta"
        ),
        pytest.param(call("Softmax", [(4, 10)], [(4, 10)]), 200, id="softmax"),
        pytest.param(call("Attention", [(1, 2, 3, 4)] * 3, [(1, 2, 3, 4)]), 18 * 6, id="attention between"),
        pytest.param(
            call("Attention", [(1, 2, 3, 4)] * 3 + [(3, 3)], [(1, 2, 3, 4)], softcap=30.0),
            18 * 10,
            id="mask, softcap",
        ),
        pytest.param(
            call("LSTM", [(1, 1, 2), (1, 4, 2), (1, 4, 1)], [(1, 1, 1, 1)]), 4 + 12 + 2 + 4, id="LSTM cell"
        ),
        pytest.param(
            call("LSTM", [(1, 1, 2), (1, 4, 2), (1, 4, 1), *[None] * 4, (1, 3)], [(1, 1, 1, 1)]),
            28,
            id="peepholes",
        ),
        pytest.param(
            call("GRU", [(1, 1, 2), (1, 3, 2), (1, 3, 1)], [(1, 1, 1, 1)]), 3 + 8 + 1 + 5, id="GRU cell"
        ),
        pytest.param(
            call("RNN", [(1, 1, 2), (1, 1, 2), (1, 1, 1)], [(1, 1, 1, 1)], activations=["Relu"]),
            2,
            id="relu RNN",
        ),
        pytest.param(
            call("MaxPool", [(1, 2, 6, 6)], [(1, 2, 3, 3)], kernel_shape=[2, 2]), 18 * 3, id="max pool"
        ),
        pytest.param(
            call("AveragePool", [(1, 2, 6, 6)], [(1, 2, 3, 3)], kernel_shape=[2, 2]), 18 * 4, id="average"
        ),
        pytest.param(
            call("LpPool", [(1, 2, 6, 6)], [(1, 2, 3, 3)], kernel_shape=[2, 2]), 18 * 8, id="L2 pool"
        ),
        pytest.param(call("GlobalAveragePool", [(2, 3, 4, 4)], [(2, 3, 1, 1)]), 96, id="global average"),
        pytest.param(call("GlobalMaxPool", [(2, 3, 4, 4)], [(2, 3, 1, 1)]), 90, id="global max"),
        pytest.param(call("BatchNormalization", [IMAGE, *[(3,)] * 4], [IMAGE]), 4 * 192 + 6, id="batch norm"),
        pytest.param(
            call("LayerNormalization", [(4, 10), (10,), (10,)], [(4, 10)]), 7 * 40 + 4 * 4, id="layer norm"
        ),
        pytest.param(call("RMSNormalization", [(4, 10), (10,)], [(4, 10)]), 4 * 40 + 3 * 4, id="RMS norm"),
        pytest.param(
            ms("SkipLayerNormalization", [(1, 4, 10), (1, 4, 10), (10,), (10,)], [(1, 4, 10)]),
            8 * 40 + 16,
            id="skip",
        ),
        pytest.param(
            call("GroupNormalization", [(2, 6, 5), (6,), (6,)], [(2, 6, 5)], num_groups=3),
            420 + 24,
            id="group norm",
        ),
        pytest.param(
            call("InstanceNormalization", [(2, 6, 5), (6,), (6,)], [(2, 6, 5)]), 420 + 48, id="instance"
        ),
        pytest.param(call("LRN", [IMAGE], [IMAGE], size=5), 192 * 9, id="LRN"),
        pytest.param(call("ReduceSum", [(4, 6)], [(4, 1)]), 20, id="four sums of six"),
        pytest.param(call("ReduceMean", [(4, 6)], [(4, 1)]), 24, id="four means of six"),
        pytest.param(call("ReduceL2", [(4, 6)], [(4,)]), 48, id="squares, adds, roots"),
        pytest.param(call("ReduceLogSumExp", [(4, 6)], [(4,)]), 24 * 2 + 2 * 20 + 8, id="stable log-sum-exp"),
        pytest.param(call("ReduceSum", [(4, 0)], [(4,)]), 0, id="a sum of nothing"),
        pytest.param(call("ArgMax", [(4, 6)], [(4,)]), 20, id="compares"),
        pytest.param(call("CumSum", [(4, 6), ()], [(4, 6)]), 24, id="running sum"),
        pytest.param(call("QuantizeLinear", [(10,), (), ()], [(10,)]), 50, id="quantize"),
        pytest.param(call("DequantizeLinear", [(10,), (), ()], [(10,)]), 20, id="dequantize"),
        pytest.param(call("DequantizeLinear", [(10,), ()], [(10,)]), 10, id="dequantize, symmetric"),
        pytest.param(ms("QLinearAdd", [(10,), (), (), (10,), (), (), (), ()], [(10,)]), 100, id="QLinearAdd"),
        pytest.param(call("Resize", [(1, 3, 4, 4)], [(1, 3, 8, 8)], mode="linear"), 192 * 7, id="bilinear"),
        pytest.param(
            call("Resize", [(1, 3, 4, 4)], [(1, 3, 8, 4)], mode="cubic"), 96 * 7, id="cubic in one axis"
        ),
        pytest.param(call("GridSample", [IMAGE, (1, 5, 5, 2)], [(1, 3, 5, 5)]), 75 * 7, id="grid sample"),
        pytest.param(
            call("DeformConv", [(1, 2, 5, 5), (4, 2, 3, 3), (1, 18, 3, 3)], [(1, 4, 3, 3)]),
            2 * 9 * 9 * 7,
            id="samples of DeformConv",
        ),
        pytest.param(call("DFT", [(2, 16, 1)], [(2, 16, 2)]), 2 * 5 * 16 * 4, id="two transforms of 16"),
        pytest.param(
            call("STFT", [(1, 64, 1), (), (16,)], [(1, 7, 9, 2)]),
            7 * (16 + 5 * 16 * 4),
            id="seven frames of 16",
        ),
        pytest.param(call("RandomNormal", [], [(3, 4)]), 12, id="random numbers"),
        pytest.param(call("Dropout", [(10,), (), ()], [(10,)], {2: True}), 30, id="dropout that trains"),
        pytest.param(
            call("RotaryEmbedding", [(1, 4, 32), (9, 4), (9, 4), (1, 4)], [(1, 4, 32)], num_heads=4),
            128 * 3,
            id="rotary",
        ),
        pytest.param(
            call(
                "RotaryEmbedding",
                [(1, 4, 32), (9, 2), (9, 2), (1, 4)],
                [(1, 4, 32)],
                num_heads=4,
                rotary_embedding_dim=4,
            ),
            64 * 3,
            id="rotary of half a head",
        ),
        pytest.param(
            call("ScatterElements", [(9,), (3,), (3,)], [(9,)], reduction="add"), 3, id="scatter-add"
        ),
        pytest.param(
            call("Einsum", [(3, 4), (3, 4)], [(3, 4)], equation="ij,ij->ij"), 12, id="element-wise Einsum"
        ),
        pytest.param(call("Einsum", [(3, 4)], [()], equation="ij->"), 11, id="sum by Einsum"),
        pytest.param(
            ms("MatMulNBits", [(1, 64), (32, 2, 16), (64,)], [(1, 32)], K=64, N=32),
            2 * 64 * 32,
            id="unpacking",
        ),
        pytest.param(call("Scaler", [(5, 7)], [(5, 7)], domain="ai.onnx.ml"), 70, id="Scaler"),
    ],
)
def test_other_work(op: OpCall, other_flops: int) -> None:
    work = counted(op)
    assert (work.other_flops, work.estimate, work.free) == (other_flops, "", "")
