"""Calls that contradict an operator's definition are refused with what is wrong, never with a crash."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from nnea_graph.graph import TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import COST_RULES
from nnea_graph.ops.registry import MICROSOFT

Shapes = Sequence[Sequence[int] | None]
IMAGE = (1, 3, 8, 8)
CONV: Shapes = [IMAGE, (6, 3, 3, 3)]


def call(op_type: str, inputs: Shapes, output: Sequence[int], domain: str = "", **attributes: Any) -> OpCall:
    infos = tuple(None if shape is None else TensorInfo(None, tuple(shape)) for shape in inputs)
    return OpCall(op_type, infos, (TensorInfo(None, tuple(output)),), attributes, (), domain, 23)


@pytest.mark.parametrize(
    ("op", "said"),
    [
        pytest.param(call("Conv", CONV, (1, 6, 6, 6), group=0), "group is 0", id="group 0"),
        pytest.param(
            call("Conv", CONV, (1, 6, 6, 6), group=2), "3 input channels do not divide into 2", id="group 2"
        ),
        pytest.param(
            call("Conv", CONV, (1, 6, 6, 6), group="one"), "group is 'one', not an integer", id="group text"
        ),
        pytest.param(call("Conv", CONV, (1, 6, 6, 6), strides=[0, 1]), "strides is 0", id="stride 0"),
        pytest.param(
            call("Conv", CONV, (1, 6, 6, 6), strides=[-1, 1]), "strides is -1", id="negative stride"
        ),
        pytest.param(
            call("Conv", CONV, (1, 6, 6, 6), strides=[1]), "strides has 1 entries", id="too few strides"
        ),
        pytest.param(
            call("Conv", CONV, (1, 6, 6, 6), strides=2), "strides is 2, not a list", id="stride no list"
        ),
        pytest.param(
            call("Conv", CONV, (1, 6, 6, 6), dilations=[2**62, 1]), "dilations is", id="huge dilation"
        ),
        pytest.param(
            call("Conv", CONV, (1, 6, 6, 6), dilations=[9, 1]), "reaches 19", id="reach over the data"
        ),
        pytest.param(
            call("Conv", CONV, (1, 6, 6, 6), kernel_shape=[5, 5]), "kernel_shape", id="other kernel"
        ),
        pytest.param(
            call("Conv", [IMAGE, (6, 4, 3, 3)], (1, 6, 6, 6)), "input channels of a group", id="channels"
        ),
        pytest.param(call("Conv", [IMAGE, (6, 3, 3)], (1, 6, 6, 6)), "ranks of weight and data", id="ranks"),
        pytest.param(call("Conv", [(3, 8), (6, 3)], (1, 6)), "no spatial axes", id="no spatial axes"),
        pytest.param(
            call("ConvTranspose", [IMAGE, (4, 3, 3, 3)], (1, 3, 10, 10)), "3 is not 4", id="transposed"
        ),
        pytest.param(call("MaxPool", [IMAGE], IMAGE), "kernel_shape is missing", id="pool without kernel"),
        pytest.param(
            call("MaxPool", [IMAGE], IMAGE, kernel_shape=[0, 2]), "kernel_shape is 0", id="empty window"
        ),
        pytest.param(
            call("AveragePool", [(3,)], (3,), kernel_shape=[2]), "no spatial axes", id="pool of a vector"
        ),
        pytest.param(
            call("MatMul", [(2, 3), (4, 5)], (2, 5)), "shared dims of the operands differ", id="inner dims"
        ),
        pytest.param(call("MatMul", [(), (3,)], ()), "rank 1 or more", id="scalar product"),
        pytest.param(
            call("MatMul", [(2, 4, 5), (3, 5, 6)], (4, 6)), "2 and 3 do not broadcast", id="batches"
        ),
        pytest.param(call("Gemm", [(2, 3, 4), (4, 5)], (2, 5)), "rank 3, not 2", id="Gemm rank"),
        pytest.param(call("Gemm", [(2, 3), (3, 5)], (2, 5), transB=1), "shared dims", id="Gemm transposed"),
        pytest.param(
            call("MatMulNBits", [(2, 60), (32, 2, 16)], (2, 32), MICROSOFT, K=64, N=32), "K differ", id="K"
        ),
        pytest.param(
            call("MatMulNBits", [(2, 64), (32, 2, 16)], (2, 32), MICROSOFT, K=64), "N is missing", id="no N"
        ),
        pytest.param(
            call("Attention", [(1, 4, 30)] * 3, (1, 4, 30), q_num_heads=4, kv_num_heads=4),
            "30 features of input 0 do not divide into 4",
            id="heads",
        ),
        pytest.param(
            call("Attention", [(1, 4, 32)] * 3, (1, 4, 32)), "q_num_heads is missing", id="no heads"
        ),
        pytest.param(
            call("MultiHeadAttention", [(1, 4, 32)] * 3, (1, 4, 32), MICROSOFT, num_heads=0),
            "num_heads is 0",
            id="MHA",
        ),
        pytest.param(
            call("LSTM", [(7, 2, 10), (1, 80, 11), (1, 80, 20)], (7, 1, 2, 20)),
            "11 is not 10",
            id="LSTM features",
        ),
        pytest.param(
            call("LSTM", [(7, 2, 10), (1, 80, 10), (1, 80, 20)], (7, 1, 2, 20), hidden_size=7),
            "hidden_size",
            id="LSTM",
        ),
        pytest.param(
            call("GRU", [(7, 2, 10), (1, 60, 10), (1, 60, 20)], (7, 1, 2, 20), direction="up"),
            "'up'",
            id="direction",
        ),
        pytest.param(
            call("GroupNormalization", [IMAGE, (3,), (3,)], IMAGE, num_groups=0), "num_groups", id="groups"
        ),
        pytest.param(call("LayerNormalization", [(4, 5), (5,)], (4, 5), axis=9), "axis is 9", id="axis"),
        pytest.param(call("TopK", [(), (1,)], ()), "outside the rank 0", id="TopK of a scalar"),
        pytest.param(call("Det", [(2, 3)], ()), "not square", id="determinant of a rectangle"),
        pytest.param(
            call("MoE", [(6, 16), (6, 8), (8, 32, 16), None, (8, 16, 32)], (6, 16), MICROSOFT, k=9),
            "k is 9, there are 8 experts",
            id="too many experts",
        ),
        pytest.param(
            call(
                "TreeEnsembleRegressor",
                [(1, 3)],
                (1, 1),
                "ai.onnx.ml",
                nodes_treeids=[0, 0],
                nodes_nodeids=[0, 1],
                nodes_truenodeids=[1, 0],
                nodes_falsenodeids=[1, 0],
                nodes_modes=["BRANCH_LEQ"] * 2,
            ),
            "its own ancestor",
            id="a tree that bites its tail",
        ),
    ],
)
def test_refused(op: OpCall, said: str) -> None:
    rule = COST_RULES.get(op.op_type, op.domain)
    assert rule is not None
    with pytest.raises(BadCallError, match=said):
        rule(op)


SHAPES: list[tuple[int, ...]] = [
    (),
    (0,),
    (1,),
    (3,),
    (4, 0),
    (2, 3),
    (4, 4),
    (1, 4, 8),
    (2, 8, 4),
    (1, 2, 3, 4),
    (2, 2, 2, 2, 3),
    (1,) * 7,
]
NASTY = [
    0,
    1,
    -1,
    2,
    2**62,
    -(2**62),
    0.0,
    float("nan"),
    "",
    "none",
    "x",
    [],
    [0],
    [1, 1],
    [-1, 2],
    ["a"],
    None,
]
VALUES = [
    np.array(0),
    np.array([3]),
    np.array([-5, 7]),
    np.array([], np.int64),
    np.array(True),
    np.array(np.nan),
    np.array(["a"]),
    None,
]


def schemas() -> Mapping[tuple[str, str], Any]:
    found = {(schema.domain, schema.name): schema for schema in get_all_operator_schema()}
    return found | {(schema.domain, schema.name): schema for schema in onnx.defs.get_all_schemas()}


def nonsense(schema: Any, dice: random.Random) -> OpCall:
    def infos(count: int) -> tuple[TensorInfo | None, ...]:
        return tuple(
            TensorInfo(None, dice.choice(SHAPES)) if dice.random() < 0.9 else None for _ in range(count)
        )

    names = [name for name in schema.attributes if dice.random() < 0.6]
    inputs = infos(dice.randint(0, len(schema.inputs) + 1))
    return OpCall(
        schema.name,
        inputs,
        infos(len(schema.outputs)),
        {name: dice.choice(NASTY) for name in names},
        tuple(dice.choice(VALUES) for _ in inputs),
        schema.domain,
        dice.choice((1, 11, 20, 28)),
    )


def test_nonsense_never_crashes_a_rule_nor_gives_a_negative_count() -> None:
    dice = random.Random(7)
    for (domain, name), schema in sorted(schemas().items()):
        rule = COST_RULES.get(name, domain)
        for _ in range(200 if rule else 0):
            op = nonsense(schema, dice)
            assert outcome(rule, op), op


def outcome(rule: Any, op: OpCall) -> bool:
    """Whether it is refused in one line, or counted by whole numbers of 0 or more; all else is a crash."""
    try:
        work = rule(replace(op))
    except (BadCallError, UnknownFactError) as refusal:
        return "\n" not in str(refusal) and str(refusal) != ""
    return all(type(number) is int and number >= 0 for number in (work.macs, work.flops, work.other_flops))
