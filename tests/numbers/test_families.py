"""Twenty-two small graphs, one a family of operators, against counts worked by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import onnxruntime
import pytest
from model_zoo import families
from onnx import ModelProto, TensorProto, helper, parser
from oracles.builder import Net

from nnea_graph.api.analyze import analyze
from nnea_graph.errors import OperatorError
from nnea_graph.report.schema.analysis import Report

FAMILIES = [
    # id, model, MACs, parameters: weights + biases
    ("conv 1-D", families.convolution((1, 4, 10), (8, 4, 3)), (8 * 8) * (4 * 3), 8 * 4 * 3 + 8),
    (
        "conv 2-D",
        families.convolution((1, 3, 8, 8), (16, 3, 3, 3), pads=[1] * 4),
        (16 * 8 * 8) * (3 * 3 * 3),
        16 * 27 + 16,
    ),
    (
        "conv 3-D",
        families.convolution((1, 2, 6, 6, 6), (4, 2, 3, 3, 3)),
        (4 * 4 * 4 * 4) * (2 * 3 * 3 * 3),
        4 * 54 + 4,
    ),
    # every input element is multiplied into 6 channels of 3 x 3
    (
        "transposed conv",
        families.transposed((1, 4, 5, 5), (4, 6, 3, 3), 2),
        (4 * 5 * 5) * (6 * 3 * 3),
        4 * 6 * 9 + 6,
    ),
    (
        "depthwise conv",
        families.convolution((1, 8, 8, 8), (8, 1, 3, 3), group=8, pads=[1] * 4),
        (8 * 8 * 8) * (3 * 3),
        8 * 9 + 8,
    ),
    # ceil(7 / 2) = 4 positions each way
    (
        "SAME_UPPER conv",
        families.convolution((1, 3, 7, 7), (4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
        (4 * 4 * 4) * (3 * 9),
        4 * 27 + 4,
    ),
    (
        "batch of 5",
        families.convolution((5, 3, 6, 6), (2, 3, 3, 3)),
        5 * (2 * 4 * 4) * (3 * 9),
        2 * 27 + 2,
    ),
    ("Gemm", families.gemm(4, 10, 6), 4 * 6 * 10, 10 * 6 + 6),
    ("batched MatMul", families.matmul((2, 3, 4, 5), (2, 3, 5, 6)), (2 * 3) * (4 * 6) * 5, 0),
    ("Einsum", families.einsum("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 0),
    # 4 gates of 4 units see 3 inputs and 4 states; weights, recurrent weights, two biases a gate
    (
        "LSTM, both ways",
        families.recurrent("LSTM", 4, (5, 2, 3, 4), 2),
        (5 * 2 * 2) * (4 * 4) * (3 + 4),
        2 * (16 * 3 + 16 * 4 + 32),
    ),
    (
        "GRU",
        families.recurrent("GRU", 3, (6, 1, 3, 5), 1),
        6 * (3 * 5) * (3 + 5),
        15 * 3 + 15 * 5 + 30,
    ),
    # 2 heads of 8: scores 4 x 6, then 4 x 6 weights on values of 8
    (
        "Attention-23",
        families.attention_23((1, 2, 4, 8), (1, 2, 6, 8), (1, 2, 6, 8)),
        2 * (4 * 6 * 8) + 2 * (4 * 6 * 8),
        0,
    ),
    ("MatMulNBits", families.matmul_nbits(2, 64, 16, 32), 2 * 16 * 64, 16 * 64),
    (
        "MultiHeadAttention",
        families.multi_head_attention(1, 4, 6, 16, 2),
        (4 * 6 * 16) + (4 * 6 * 16),
        3 * 16,
    ),
    ("FusedMatMul", families.fused_matmul((2, 3, 4), (5, 4)), (2 * 3) * 5 * 4, 5 * 4),
    (
        "QDQ conv",
        families.qdq_convolution((1, 3, 6, 6), (4, 3, 3, 3)),
        (4 * 6 * 6) * 27,
        4 * 27 + 4,
    ),
    (
        "QLinearConv",
        families.qlinear_convolution((1, 3, 6, 6), (4, 3, 3, 3)),
        (4 * 4 * 4) * 27,
        4 * 27 + 4,
    ),
    ("Loop", families.loop(7, 2, 3), 7 * (2 * 3 * 3), 3 * 3),
    # the larger branch runs, both are stored
    ("If", families.conditional(2, 3, 4, 5), max(2 * 4 * 3, 2 * 5 * 3), 3 * 4 + 3 * 5),
    ("local function", families.local_function(2, 4), 2 * (2 * 4 * 4), 2 * (4 * 4)),
    ("dynamic batch", families.gemm("N", 10, 6), 1 * 6 * 10, 10 * 6 + 6),
]

TABLE = pytest.mark.parametrize(
    ("model", "macs", "parameters"), [row[1:] for row in FAMILIES], ids=[row[0] for row in FAMILIES]
)


def test_there_are_22_families() -> None:
    assert len(FAMILIES) == 22


@TABLE
def test_macs_and_parameters_are_those_worked_by_hand(model: ModelProto, macs: int, parameters: int) -> None:
    totals = analyze(model, passes="cost").totals
    assert (totals.macs, totals.parameters) == (macs, parameters)


@TABLE
def test_every_operator_is_exact(model: ModelProto, macs: int, parameters: int) -> None:
    report = analyze(model, passes="cost")
    assert {node.id: node.status for node in report.nodes} == dict.fromkeys(
        (node.id for node in report.nodes), "exact"
    )
    coverage = report.totals.coverage
    assert coverage is not None
    assert (coverage.estimated, coverage.unknown, coverage.unknown_ops) == (0, 0, {})
    assert coverage.exact == len(report.nodes)
    assert macs == sum(node.macs or 0 for node in report.nodes if node.in_total)
    assert parameters == sum(layer.parameters for layer in report.layers)


@TABLE
def test_parameters_and_macs_do_not_depend_on_how_weights_are_stored(
    model: ModelProto, macs: int, parameters: int
) -> None:
    copy = ModelProto()
    copy.CopyFrom(model)
    totals = analyze(families.without_fill(copy), passes="cost").totals
    assert (totals.macs, totals.parameters) == (macs, parameters)


@TABLE
def test_outputs_have_the_shapes_that_onnxruntime_returns(
    model: ModelProto, macs: int, parameters: int
) -> None:
    assert macs > 0 <= parameters
    report = analyze(model, passes="cost")
    assert {tensor.name: tuple(tensor.shape or ()) for tensor in report.model.outputs} == ran(model, report)


def ran(model: ModelProto, report: Report) -> dict[str, tuple[int, ...]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in model.graph.output]
    return {
        name: array.shape for name, array in zip(names, session.run(names, feeds(model, report)), strict=True)
    }


def feeds(model: ModelProto, report: Report) -> Mapping[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    made: dict[int, type[Any]] = {
        TensorProto.FLOAT: np.float32,
        TensorProto.UINT8: np.uint8,
        TensorProto.BOOL: np.bool_,
    }
    shapes = {tensor.name: [int(dim or 0) for dim in tensor.shape or ()] for tensor in report.model.inputs}
    return {
        value.name: rng.integers(0, 2, shapes[value.name]).astype(made[value.type.tensor_type.elem_type])
        for value in model.graph.input
    }


def test_a_dynamic_batch_is_assumed_to_be_1_and_said_so() -> None:
    report = analyze(families.gemm("N", 10, 6), passes="cost")
    assert (dict(report.dims), list(report.assumed_dims)) == ({"N": 1}, ["N"])
    assert report.totals.macs_formula == "60*N"


def test_a_dynamic_batch_takes_the_number_that_the_user_sets() -> None:
    report = analyze(families.gemm("N", 10, 6), passes="cost", dims={"N": 3})
    assert (report.totals.macs, list(report.assumed_dims)) == (3 * 60, [])


def test_both_branches_of_an_if_are_listed_and_the_larger_is_in_the_total() -> None:
    branches = analyze(families.conditional(2, 3, 4, 5), passes="cost").branches
    assert [(branch.macs, branch.parameters, branch.in_total) for branch in branches] == [
        (24, 12, False),
        (30, 15, True),
    ]


def test_a_loop_lists_its_trips() -> None:
    (branch,) = analyze(families.loop(7, 2, 3), passes="cost").branches
    assert (branch.runs, branch.macs, branch.parameters) == (7, 126, 9)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        pytest.param("same = Identity (go_on)", "exact", id="handed on"),
        pytest.param(
            "yes = Constant <value = bool {1}> () same = And (go_on, yes)", "exact", id="true and true"
        ),
        pytest.param(
            "most = Constant <value = int64 {3}> () same = Less (step, most)", "estimated", id="counted"
        ),
    ],
)
def test_a_loop_is_exact_only_where_its_condition_cannot_end_it(condition: str, status: str) -> None:
    model = parser.parse_model(f"""
        <ir_version: 10, opset_import: ["": 20]>
        net (float[2, 3] x, float[3, 3] w) => (float[2, 3] y) <int64 trips = {{7}}, bool true = {{1}}> {{
          y = Loop (trips, true, x) <
            body = body (int64 step, bool go_on, float[2, 3] s) => (bool same, float[2, 3] t) {{
              {condition}
              t = MatMul (s, w)
            }}>
        }}""")
    report = analyze(model, passes="cost")
    assert report.totals.macs == 7 * 18
    assert [node.status for node in report.nodes if node.op_type == "MatMul"] == [status]


def test_a_loop_that_may_not_start_is_at_most_its_trips() -> None:
    model = families.loop(7, 2, 3)
    model.graph.node[-1].input[1] = "start"
    model.graph.input.append(helper.make_tensor_value_info("start", TensorProto.BOOL, []))
    report = analyze(model, passes="cost")
    assert [(node.macs, node.status) for node in report.nodes if node.op_type == "MatMul"] == [
        (126, "estimated")
    ]


def test_a_bias_put_together_from_two_tensors_is_counted_whole() -> None:
    net = Net()
    bias = net.op("Concat", net.weight(1, 16), net.weight(1, 16), axis=1)
    operands = net.input("x", 5, 1, 3), net.weight(1, 16, 3), net.weight(1, 16, 4), bias
    model = net.model(net.op("LSTM", *operands, hidden_size=4))
    assert analyze(model, passes="cost").totals.parameters == 16 * 3 + 16 * 4 + 2 * 16


def test_a_weight_sliced_and_joined_again_is_counted_once() -> None:
    net = Net()
    stored = net.weight(6, 4)
    top, bottom = net.ops("Split", stored, count=2, num_outputs=2)
    swapped = net.op("Concat", bottom, top, axis=0)
    model = net.model(net.op("MatMul", net.input("x", 2, 6), swapped))
    assert analyze(model, passes="cost").totals.parameters == 6 * 4


@pytest.mark.parametrize(
    ("data", "state", "message"),
    [
        pytest.param((5, 2, 3), (1, 2, 4), "", id="two samples, two states"),
        pytest.param((5, 2, 3), (1, 3, 4), "holds 2 samples, its first state [1, 3, 4]", id="three states"),
    ],
)
def test_an_lstm_whose_first_state_has_another_batch_is_refused(
    data: tuple[int, ...], state: tuple[int, ...], message: str
) -> None:
    net = Net()
    weights = net.weight(1, 16, 3), net.weight(1, 16, 4)
    model = net.model(
        net.op("LSTM", net.input("x", *data), *weights, "", "", net.input("h", *state), hidden_size=4)
    )
    with pytest.raises(OperatorError, match=re.escape(message)) if message else nullcontext():
        analyze(model, passes="cost")


def test_a_filter_larger_than_its_input_is_refused_as_onnxruntime_does() -> None:
    model = families.convolution((1, 1, 4), (1, 1, 6), strides=[8])
    with pytest.raises(OperatorError, match="a filter over 6 elements does not fit a dim of 4"):
        analyze(model, passes="cost")
    session = onnxruntime.InferenceSession(model.SerializeToString(), silent())
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        session.run(None, {"x": np.ones((1, 1, 4), np.float32)})


def silent() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options


def test_a_branch_that_contradicts_the_dims_cannot_run_and_is_not_in_the_total() -> None:
    model = families.conditional(2, 3, 4, 5)
    other = families.conditional(2, 9, 4, 5).graph.node[-1]
    model.graph.node[-1].attribute[0].CopyFrom(other.attribute[0])
    report = analyze(model, passes="cost")
    broken, sound = sorted(report.branches, key=lambda branch: branch.macs or 0)
    assert (broken.macs, broken.runs, broken.in_total) == (0, 0, False)
    assert broken.reason.startswith("cannot run at these dims: node 'If_")
    assert (sound.in_total, report.totals.macs) == (True, sound.macs)
    assert report.totals.coverage is not None
    assert report.totals.coverage.unknown == 0
