"""MACs and FLOPs of matrix work against numbers that are worked by hand, each factor written out."""

from __future__ import annotations

import pytest
from oracles.calls import call, counted, ms

from nnea_graph.ops.call import OpCall

IMAGE = (1, 3, 8, 8)


@pytest.mark.parametrize(
    ("op", "macs", "flops"),
    [
        pytest.param(
            call("Conv", [(2, 3, 10), (4, 3, 5)], [(2, 4, 6)]),
            2 * 4 * 6 * 15,
            2 * 4 * 6 * 29,
            id="conv 1-D",
        ),
        pytest.param(
            call("Conv", [IMAGE, (16, 3, 3, 3), (16,)], [(1, 16, 8, 8)], pads=[1] * 4),
            16 * 64 * 27,
            16 * 64 * 54,
            id="conv 2-D with bias",
        ),
        pytest.param(
            call("Conv", [(1, 2, 4, 4, 4), (3, 2, 2, 2, 2)], [(1, 3, 3, 3, 3)]),
            81 * 16,
            81 * 31,
            id="conv 3-D",
        ),
        pytest.param(
            call("Conv", [(1, 8, 4, 4), (8, 1, 3, 3)], [(1, 8, 4, 4)], group=8, pads=[1] * 4),
            128 * 9,
            128 * 17,
            id="depthwise",
        ),
        pytest.param(
            call("Conv", [(1, 3, 7, 7), (4, 3, 3, 3)], [(1, 4, 4, 4)], auto_pad="SAME_UPPER", strides=[2, 2]),
            64 * 27,
            64 * 53,
            id="SAME_UPPER with stride",
        ),
        pytest.param(
            call("Conv", [(8, 3, 8, 8), (4, 3, 1, 1)], [(8, 4, 8, 8)]),
            8 * 4 * 64 * 3,
            8 * 4 * 64 * 5,
            id="batch of eight",
        ),
        pytest.param(
            call("ConvTranspose", [(1, 4, 5, 5), (4, 2, 3, 3)], [(1, 2, 11, 11)], strides=[2, 2]),
            25 * 4 * 2 * 9,
            2 * 1800 - 242,
            id="transposed convolution",
        ),
        pytest.param(
            call("ConvTranspose", [(1, 4, 5), (4, 3, 2), (6,)], [(1, 6, 6)], group=2),
            5 * 4 * 3 * 2,
            2 * 120 - 36 + 36,
            id="grouped transposed convolution with bias",
        ),
        pytest.param(
            call("ConvTranspose", [(1, 1, 2, 2), (1, 1, 1, 1)], [(1, 1, 11, 11)], strides=[10, 10]),
            4,
            4,
            id="a transposed convolution with gaps adds nothing",
        ),
        pytest.param(
            call("ConvInteger", [IMAGE, (2, 3, 3, 3)], [(1, 2, 6, 6)]), 72 * 27, 72 * 53, id="ConvInteger"
        ),
        pytest.param(
            call("QLinearConv", [IMAGE, (), (), (2, 3, 3, 3), (), (), (), (), (2,)], [(1, 2, 6, 6)]),
            72 * 27,
            72 * 54,
            id="QLinearConv with bias",
        ),
        pytest.param(
            ms(
                "QLinearConv",
                [(1, 8, 8, 3), (), (), (2, 3, 3, 3), (), (), (), ()],
                [(1, 6, 6, 2)],
                channels_last=1,
            ),
            72 * 27,
            72 * 53,
            id="QLinearConv, channels last",
        ),
        pytest.param(
            ms("NhwcFusedConv", [(1, 8, 8, 3), (2, 3, 3, 3), (2,)], [(1, 6, 6, 2)], activation="Relu"),
            72 * 27,
            72 * 54,
            id="NhwcFusedConv",
        ),
        pytest.param(
            call("DeformConv", [(1, 2, 5, 5), (4, 2, 3, 3), (1, 18, 3, 3)], [(1, 4, 3, 3)]),
            36 * 18,
            36 * 35,
            id="DeformConv",
        ),
        pytest.param(
            call("CausalConvWithState", [(2, 3, 7), (3, 1, 4), (3,)], [(2, 3, 7), (2, 3, 3)]),
            42 * 4,
            42 * 8,
            id="causal convolution",
        ),
        pytest.param(call("Gemm", [(5, 7), (7, 3), (3,)], [(5, 3)]), 15 * 7, 15 * 14, id="Gemm with bias"),
        pytest.param(
            call("Gemm", [(7, 5), (3, 7)], [(5, 3)], transA=1, transB=1),
            15 * 7,
            15 * 13,
            id="Gemm, both transposed",
        ),
        pytest.param(
            call("MatMul", [(2, 1, 4, 5), (3, 5, 6)], [(2, 3, 4, 6)]),
            144 * 5,
            144 * 9,
            id="MatMul, broadcast batch",
        ),
        pytest.param(
            call("Gemm", [(5, 7), (7, 3), (3,)], [(5, 3)], beta=0.0), 15 * 7, 15 * 13, id="Gemm, beta 0"
        ),
        pytest.param(call("MatMul", [(5,), (2, 5, 6)], [(2, 6)]), 12 * 5, 12 * 9, id="vector times matrices"),
        pytest.param(call("MatMul", [(4, 5), (5,)], [(4,)]), 20, 36, id="matrix times vector"),
        pytest.param(call("MatMul", [(5,), (5,)], [()]), 5, 9, id="vector times vector"),
        pytest.param(call("MatMul", [(4, 0), (0, 3)], [(4, 3)]), 0, 0, id="a product over nothing"),
        pytest.param(call("MatMulInteger", [(4, 5), (5, 6)], [(4, 6)]), 24 * 5, 24 * 9, id="MatMulInteger"),
        pytest.param(
            call("QLinearMatMul", [(4, 5), (), (), (5, 6), (), (), (), ()], [(4, 6)]),
            120,
            216,
            id="QLinearMatMul",
        ),
        pytest.param(
            ms("FusedMatMul", [(5, 4), (6, 5)], [(4, 6)], transA=1, transB=1), 120, 216, id="FusedMatMul"
        ),
        pytest.param(
            ms("FusedMatMul", [(4, 2, 3, 5), (2, 3, 5, 6)], [(2, 3, 4, 6)], transBatchA=1),
            2 * 3 * 4 * 6 * 5,
            144 * 9,
            id="FusedMatMul with a transposed batch",
        ),
        pytest.param(
            ms(
                "MatMulNBits",
                [(2, 3, 64), (32, 2, 16), (64,)],
                [(2, 3, 32)],
                K=64,
                N=32,
                bits=4,
                block_size=32,
            ),
            6 * 32 * 64,
            6 * 32 * 127,
            id="MatMulNBits",
        ),
        pytest.param(
            ms("MatMulBnb4", [(3, 64), (1024,), (32,)], [(3, 32)], K=64, N=32, block_size=64),
            3 * 32 * 64,
            3 * 32 * 127,
            id="MatMulBnb4",
        ),
        pytest.param(
            ms("QGemm", [(5, 7), (), (), (7, 3), (), (), (3,)], [(5, 3)]), 105, 210, id="QGemm with bias"
        ),
        pytest.param(
            call("Einsum", [(2, 3, 4), (2, 4, 5)], [(2, 3, 5)], equation="bij,bjk->bik"),
            120,
            30 * 7,
            id="Einsum",
        ),
        pytest.param(
            call("Attention", [(2, 6, 4, 8)] * 3, [(2, 6, 4, 8)]),
            2 * 6 * 4 * 4 * (8 + 8),
            192 * 15 + 384 * 7,
            id="Attention of rank 4",
        ),
        pytest.param(
            call(
                "Attention",
                [(2, 4, 48), (2, 6, 16), (2, 6, 20), None, (2, 2, 3, 8), (2, 2, 3, 10)],
                [(2, 4, 60)],
                q_num_heads=6,
                kv_num_heads=2,
                is_causal=1,
            ),
            2 * 6 * 4 * 9 * (8 + 10),
            432 * 15 + 480 * 17,
            id="Attention, grouped, with a past",
        ),
        pytest.param(
            ms("MultiHeadAttention", [(1, 4, 32)] * 3, [(1, 4, 32)], num_heads=4),
            4 * 16 * 16,
            64 * 15 + 128 * 7,
            id="MultiHeadAttention",
        ),
        pytest.param(
            ms("MultiHeadAttention", [(1, 4, 2, 3, 8)], [(1, 4, 16)], num_heads=2),
            2 * 16 * 16,
            32 * 15 + 64 * 7,
            id="MultiHeadAttention, packed",
        ),
        pytest.param(
            ms("Attention", [(1, 4, 16), (16, 48), (48,)], [(1, 4, 16)], num_heads=2),
            4 * 48 * 16 + 2 * 16 * 16,
            4 * 48 * 32 + 32 * 15 + 64 * 7,
            id="Attention with its projection",
        ),
        pytest.param(
            ms(
                "GroupQueryAttention",
                [(2, 1, 32), (2, 1, 16), (2, 1, 16), (2, 2, 9, 8), (2, 2, 9, 8), (2,), ()],
                [(2, 1, 32), (2, 2, 10, 8), (2, 2, 10, 8)],
                {5: [9, 4]},
                num_heads=4,
                kv_num_heads=2,
            ),
            4 * (10 + 5) * 16,
            4 * 15 * 15 + 4 * (15 - 2) * 8 + 4 * 15 * 8,
            id="GroupQueryAttention, lengths known",
        ),
        pytest.param(
            call(
                "LinearAttention",
                [(1, 5, 8), (1, 5, 8), (1, 5, 6)],
                [(1, 5, 6), (1, 2, 4, 3)],
                q_num_heads=2,
                kv_num_heads=2,
                update_rule="linear",
            ),
            10 * 12 * 2,
            10 * 12 * 2 + 10 * 3 * 7,
            id="LinearAttention",
        ),
        pytest.param(
            call(
                "LinearAttention",
                [(1, 5, 8), (1, 5, 8), (1, 5, 6)],
                [(1, 5, 6), (1, 2, 4, 3)],
                q_num_heads=2,
                kv_num_heads=2,
            ),
            10 * 12 * 3,
            10 * 12 * 2 + 10 * 3 * 7 * 2,
            id="LinearAttention, gated delta where no rule is named",
        ),
        pytest.param(
            call("LSTM", [(7, 2, 10), (1, 80, 10), (1, 80, 20), (1, 160)], [(7, 1, 2, 20)], hidden_size=20),
            14 * 80 * 30,
            2 * 14 * 80 * 30,
            id="LSTM with bias",
        ),
        pytest.param(
            call(
                "LSTM",
                [(2, 7, 10), (2, 80, 10), (2, 80, 20)],
                [(2, 7, 2, 20)],
                direction="bidirectional",
                layout=1,
            ),
            2 * 14 * 80 * 30,
            2 * 14 * 80 * (19 + 39),
            id="LSTM, both directions, layout 1, no bias",
        ),
        pytest.param(
            call(
                "GRU",
                [(7, 2, 10), (1, 60, 10), (1, 60, 20), (1, 120)],
                [(7, 1, 2, 20)],
                linear_before_reset=1,
            ),
            14 * 60 * 30,
            2 * 14 * 60 * 30,
            id="GRU",
        ),
        pytest.param(
            call("RNN", [(7, 2, 10), (1, 20, 10), (1, 20, 20)], [(7, 1, 2, 20)], direction="reverse"),
            14 * 20 * 30,
            14 * 20 * (19 + 39),
            id="RNN",
        ),
        pytest.param(
            call("LSTM", [(7, 2, 10), (1, 80, 10), (1, 80, 20), None, (2,)], [(7, 1, 2, 20)], {4: [7, 3]}),
            10 * 80 * 30,
            10 * 80 * (19 + 39),
            id="LSTM whose sequence lengths are known",
        ),
        pytest.param(
            ms(
                "DynamicQuantizeLSTM", [(7, 2, 10), (1, 10, 80), (1, 20, 80)], [(7, 1, 2, 20)], hidden_size=20
            ),
            14 * 80 * 30,
            14 * 80 * (19 + 39),
            id="DynamicQuantizeLSTM",
        ),
        pytest.param(
            ms("MoE", [(6, 16), (6, 8), (8, 32, 16), (8, 32), (8, 16, 32)], [(6, 16)], k=2),
            12 * 2 * 32 * 16,
            12 * (32 * 32 + 16 * 63),
            id="MoE, two of eight experts",
        ),
        pytest.param(
            ms(
                "QMoE",
                [(6, 16), (6, 8), (8, 64, 8), (8, 64), None, (8, 16, 16), (8, 16)],
                [(6, 16)],
                k=1,
                activation_type="swiglu",
                swiglu_fusion=1,
                expert_weight_bits=4,
            ),
            6 * (64 * 16 + 16 * 32),
            6 * (64 * 31 + 16 * 63),
            id="QMoE, fused gate, two weights a byte",
        ),
        pytest.param(
            call(
                "LinearRegressor", [(5, 7)], [(5, 2)], domain="ai.onnx.ml", targets=2, intercepts=[0.0, 1.0]
            ),
            70,
            140,
            id="LinearRegressor",
        ),
    ],
)
def test_matrix_work(op: OpCall, macs: int, flops: int) -> None:
    work = counted(op)
    assert (work.macs, work.flops, work.estimate) == (macs, flops, "")
