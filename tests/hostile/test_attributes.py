"""Attributes that an operator cannot have: wrong types, zeros where nothing may be zero, numbers beyond reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hostile.support.models import graph, ints, model, op, tensor, typed
from hostile.support.running import Program
from onnx import AttributeProto, NodeProto, TensorProto, helper

HUGE = 1 << 62
IMAGE = typed("x", 1, 4, 8, 8)
FILTERS = tensor("w", np.ones((4, 4, 3, 3)))
ROW = typed("x", 1, 4)


def conv(**attributes: Any) -> NodeProto:
    return op("Conv", ["x", "w"], ["y"], name="odd", **attributes)


def pool(**attributes: Any) -> NodeProto:
    return op("MaxPool", ["x"], ["y"], name="odd", **{"kernel_shape": [2, 2], **attributes})


def unary(op_type: str, **attributes: Any) -> NodeProto:
    return op(op_type, ["x"], ["y"], name="odd", **attributes)


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(conv(strides=[0, 0]), id="conv-stride-0"),
        pytest.param(conv(strides=[-1, 1]), id="conv-stride-negative"),
        pytest.param(conv(strides=[1]), id="conv-one-stride-for-two-axes"),
        pytest.param(conv(strides=[1] * 50), id="conv-50-strides"),
        pytest.param(conv(group=0), id="conv-group-0"),
        pytest.param(conv(group=-2), id="conv-group-negative"),
        pytest.param(conv(group=3), id="conv-group-that-does-not-divide"),
        pytest.param(conv(group=HUGE), id="conv-group-huge"),
        pytest.param(conv(dilations=[HUGE, HUGE]), id="conv-dilation-huge"),
        pytest.param(conv(dilations=[-HUGE, 1]), id="conv-dilation-minus-huge"),
        pytest.param(conv(dilations=[0, 0]), id="conv-dilation-0"),
        pytest.param(conv(dilations=[(1 << 63) - 1] * 2), id="conv-dilation-largest-int64"),
        pytest.param(conv(kernel_shape=[3]), id="conv-kernel-of-wrong-rank"),
        pytest.param(conv(kernel_shape=[0, 0]), id="conv-kernel-0"),
        pytest.param(conv(kernel_shape=[-3, -3]), id="conv-kernel-negative"),
        pytest.param(conv(kernel_shape=[HUGE, 3]), id="conv-kernel-huge"),
        pytest.param(conv(pads=[1, 1, 1]), id="conv-odd-number-of-pads"),
        pytest.param(conv(pads=[-100] * 4), id="conv-pads-beyond-the-image"),
        pytest.param(conv(auto_pad="SIDEWAYS"), id="conv-auto-pad-unknown"),
        pytest.param(conv(strides="2,2"), id="conv-stride-of-text"),
        pytest.param(conv(strides=2.0), id="conv-stride-of-float"),
        pytest.param(conv(group=[1]), id="conv-group-list"),
        pytest.param(conv(group=tensor("t", [1])), id="conv-group-tensor"),
        pytest.param(pool(strides=[0, 0]), id="pool-stride-0"),
        pytest.param(pool(kernel_shape=[0, 0]), id="pool-kernel-0"),
        pytest.param(pool(kernel_shape=[2]), id="pool-kernel-of-wrong-rank"),
        pytest.param(pool(kernel_shape=[100, 100]), id="pool-kernel-larger-than-image"),
        pytest.param(pool(dilations=[0, 1]), id="pool-dilation-0"),
        pytest.param(pool(dilations=[HUGE, 1]), id="pool-dilation-huge"),
        pytest.param(unary("MaxPool"), id="pool-without-kernel"),
        pytest.param(unary("AveragePool", kernel_shape=[2, 2], strides=[0, 1]), id="average-pool-stride-0"),
        pytest.param(unary("LpPool", kernel_shape=[2, 2], strides=[0, 1]), id="lp-pool-stride-0"),
        pytest.param(unary("SpaceToDepth", blocksize=0), id="space-to-depth-0"),
        pytest.param(unary("DepthToSpace", blocksize=0), id="depth-to-space-0"),
        pytest.param(unary("SpaceToDepth", blocksize=-2), id="space-to-depth-negative"),
        pytest.param(unary("Softmax", axis=4), id="softmax-axis-outside"),
        pytest.param(unary("Flatten", axis=-5), id="flatten-axis-outside"),
        pytest.param(unary("Concat", axis=9), id="concat-axis-outside"),
        pytest.param(unary("Concat"), id="concat-without-axis"),
        pytest.param(unary("Transpose", perm=[0, 0, 1, 2]), id="transpose-same-axis-twice"),
        pytest.param(unary("Transpose", perm=[0, 1, 2, 9]), id="transpose-axis-outside"),
        pytest.param(unary("Transpose", perm=[0]), id="transpose-too-few-axes"),
        pytest.param(unary("Cast", to=250), id="cast-to-nothing"),
        pytest.param(unary("Cast"), id="cast-without-type"),
        pytest.param(unary("ArgMax", axis=7), id="argmax-axis-outside"),
        pytest.param(unary("Split", axis=1, num_outputs=0), id="split-into-0"),
        pytest.param(unary("Relu", body=graph([], [], [])), id="graph-of-a-relu"),
        pytest.param(conv(body=graph([], [], [])), id="graph-of-a-conv"),
        pytest.param(unary("Relu", hello=1), id="attribute-that-relu-does-not-have"),
        pytest.param(unary("Einsum", equation="ij,jk,"), id="einsum-too-many-operands"),
        pytest.param(unary("Einsum", equation="((("), id="einsum-no-equation"),
        pytest.param(unary("Einsum"), id="einsum-without-equation"),
    ],
)
def test_an_attribute_that_cannot_be_is_an_error_of_that_node(program: Program, node: NodeProto) -> None:
    weights = [FILTERS] if node.op_type == "Conv" else []
    program.refuses(model([node], [IMAGE], weights=weights), "node 'odd'", f"({node.op_type})")


@pytest.mark.parametrize(
    ("node", "weights"),
    [
        pytest.param(
            op("Reshape", ["x", "s"], ["y"], name="odd"), [ints("s", -1, -1)], id="reshape-two-open"
        ),
        pytest.param(op("Reshape", ["x", "s"], ["y"], name="odd"), [ints("s", -7, 2)], id="reshape-negative"),
        pytest.param(op("Reshape", ["x", "s"], ["y"], name="odd"), [ints("s", 3, 3)], id="reshape-to-more"),
        pytest.param(
            op("Reshape", ["x", "s"], ["y"], name="odd"), [ints("s", -1, 3)], id="reshape-not-divisible"
        ),
        pytest.param(
            op("Reshape", ["x", "s"], ["y"], name="odd"),
            [ints("s", -1, 0, 0, 0)],
            id="reshape-copies-what-is-not-there",
        ),
        pytest.param(
            op("Reshape", ["x", "s"], ["y"], name="odd"), [ints("s", HUGE, HUGE)], id="reshape-huge"
        ),
        pytest.param(
            op("Reshape", ["x", "s"], ["y"], name="odd", allowzero=1),
            [ints("s", 0, -1)],
            id="reshape-zero-and-open",
        ),
        pytest.param(
            op("Expand", ["x", "s"], ["y"], name="odd"), [ints("s", 3, 3)], id="expand-that-does-not-fit"
        ),
        pytest.param(
            op("Unsqueeze", ["x", "s"], ["y"], name="odd"), [ints("s", 9)], id="unsqueeze-axis-outside"
        ),
        pytest.param(
            op("Unsqueeze", ["x", "s"], ["y"], name="odd"), [ints("s", 0, 0)], id="unsqueeze-axis-twice"
        ),
        pytest.param(op("Squeeze", ["x", "s"], ["y"], name="odd"), [ints("s", 1)], id="squeeze-of-4"),
        pytest.param(
            op("ReduceSum", ["x", "s"], ["y"], name="odd"), [ints("s", 5)], id="reduce-axis-outside"
        ),
        pytest.param(op("Tile", ["x", "s"], ["y"], name="odd"), [ints("s", 2)], id="tile-of-wrong-rank"),
        pytest.param(op("Tile", ["x", "s"], ["y"], name="odd"), [ints("s", -1, 2)], id="tile-negative"),
        pytest.param(op("Pad", ["x", "s"], ["y"], name="odd"), [ints("s", 1, 1, 1)], id="pad-of-wrong-rank"),
        pytest.param(
            op("Pad", ["x", "s"], ["y"], name="odd"), [ints("s", 0, -9, 0, 0)], id="pad-beyond-the-data"
        ),
        pytest.param(
            op("Gather", ["x", "s"], ["y"], name="odd", axis=5), [ints("s", 0)], id="gather-axis-outside"
        ),
        pytest.param(
            op("MatMul", ["x", "w"], ["y"], name="odd"),
            [tensor("w", np.ones((5, 5)))],
            id="matmul-that-does-not-fit",
        ),
        pytest.param(
            op("Gemm", ["x", "w"], ["y"], name="odd"), [tensor("w", np.ones((4, 4, 4)))], id="gemm-of-rank-3"
        ),
        pytest.param(
            op("Add", ["x", "w"], ["y"], name="odd"),
            [tensor("w", np.ones((3, 7)))],
            id="add-that-does-not-fit",
        ),
        pytest.param(op("Add", ["x", "w"], ["y"], name="odd"), [ints("w", 1)], id="add-of-two-types"),
        pytest.param(op("Conv", ["x", "w"], ["y"], name="odd"), [FILTERS], id="conv-of-a-row"),
        pytest.param(
            op("ConstantOfShape", ["s"], ["y"], name="odd"), [ints("s", -3)], id="constant-of-negative-shape"
        ),
        pytest.param(
            op("Resize", ["x", "", "f"], ["y"], name="odd"), [tensor("f", [1, -2])], id="resize-negative"
        ),
        pytest.param(
            op("OneHot", ["s", "d", "v"], ["y"], name="odd"),
            [ints("s", 1), ints("d", -5), tensor("v", [0, 1])],
            id="one-hot-negative",
        ),
        pytest.param(
            op("Slice", ["x", "s", "s", "a", "z"], ["y"], name="odd"),
            [ints("s", 0), ints("a", 0), ints("z", 0)],
            id="slice-step-0",
        ),
        pytest.param(
            op("Slice", ["x", "s", "s", "a"], ["y"], name="odd"),
            [ints("s", 0), ints("a", 9)],
            id="slice-axis-outside",
        ),
        pytest.param(op("TopK", ["x", "s"], ["y", "z"], name="odd"), [ints("s", 100)], id="top-100-of-4"),
        pytest.param(op("TopK", ["x", "s"], ["y", "z"], name="odd"), [ints("s", -1)], id="top-minus-1"),
    ],
)
def test_a_constant_input_that_cannot_be_is_an_error_of_that_node(
    program: Program, node: NodeProto, weights: list[TensorProto]
) -> None:
    program.refuses(model([node], [ROW], weights=weights), "node 'odd'", f"({node.op_type})")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        pytest.param(
            unary("NoSuchOp", bodies=[graph([], [], [])] * 50), "odd", id="fifty-graphs-of-an-unknown-op"
        ),
        pytest.param(
            unary("NoSuchOp", sparse=helper.make_sparse_tensor(tensor("v", [1.0]), ints("i", 3), [10])),
            "odd",
            id="sparse",
        ),
        pytest.param(unary("NoSuchOp", tensors=[tensor("", [1]), tensor("", [2])]), "odd", id="tensors"),
        pytest.param(unary("NoSuchOp", type=helper.make_tensor_type_proto(1, [1])), "odd", id="type"),
    ],
)
def test_attributes_that_nobody_asked_for_are_carried_along(
    program: Program, node: NodeProto, said: str
) -> None:
    weights = [FILTERS] if node.op_type == "Conv" else []
    outcome = program.reports(model([node], [IMAGE], weights=weights))
    assert said in [each["id"] for each in outcome.report["nodes"]]


def _with_attributes(*attributes: AttributeProto) -> NodeProto:
    node = op("Softmax", ["x"], ["y"], name="odd")
    node.attribute.extend(attributes)
    return node


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        pytest.param([AttributeProto(name="axis", i=1)], "UNDEFINED", id="without-a-type"),
        pytest.param([AttributeProto(name="axis", type="INT", i=1)] * 2, "'axis'", id="twice"),
        pytest.param(
            [AttributeProto(name="axis", type="INT", i=1, ref_attr_name="a")],
            "'axis'",
            id="reference-outside-a-function",
        ),
        pytest.param([AttributeProto(name="axis", type="FLOAT", i=1)], "FLOAT", id="type-and-value-differ"),
        pytest.param([AttributeProto(name="", type="INT", i=1)], "attribute", id="without-a-name"),
    ],
)
def test_a_malformed_attribute_is_refused(
    program: Program, attributes: list[AttributeProto], said: str
) -> None:
    program.refuses(model([_with_attributes(*attributes)]), "odd", said)


def test_an_attribute_type_that_onnx_does_not_define_is_refused(program: Program) -> None:
    wire = model([_with_attributes(AttributeProto(name="axis", type="INT", i=1))]).SerializeToString()
    program.refuses(wire.replace(b"\xa0\x01\x02", b"\xa0\x01\x63"), "odd", "axis")
