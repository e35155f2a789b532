"""onnx's own inference, one operator at a time, against onnx's inference of the whole model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile.support.models import ints, model, op, tensor, typed
from onnx import NodeProto, TensorProto, helper, parser, shape_inference

from nnea_graph import analyze
from nnea_graph.api.analyze import load
from nnea_graph.errors import OperatorError
from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME

IMAGE = typed("x", 2, 4, 8, 8)


def info(*shape: int | str | None, dtype: str = "float32") -> TensorInfo:
    return TensorInfo(BY_NAME[dtype], shape)


def asked(node: NodeProto, *inputs: TensorInfo | None, values: list[Any] | None = None) -> list[TensorInfo]:
    graph = load(model([node], [typed(name) for name in dict.fromkeys(node.input) if name], outputs=[]))
    (made,) = list(graph)
    return graph.oracle.infer(made, inputs, values or [None] * len(inputs))


@pytest.mark.parametrize(
    ("node", "weights"),
    [
        (
            op("Conv", ["x", "w"], ["y"], strides=[2, 1], pads=[1, 0, 1, 0]),
            [tensor("w", np.ones((6, 4, 3, 3)))],
        ),
        (op("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], ceil_mode=1, strides=[2, 2]), []),
        (op("Flatten", ["x"], ["y"], axis=2), []),
        (op("Reshape", ["x", "s"], ["y"]), [ints("s", 0, -1, 16)]),
        (op("ReduceMean", ["x", "s"], ["y"], keepdims=0), [ints("s", 1, -1)]),
        (op("Slice", ["x", "s", "e"], ["y"]), [ints("s", 1, -2), ints("e", 2, 1000)]),
        (op("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16), []),
        (op("Gather", ["x", "s"], ["y"], axis=1), [ints("s", 0, 0, 1)]),
    ],
    ids=lambda value: value.op_type if isinstance(value, NodeProto) else "",
)
def test_an_answer_is_what_onnx_infers_for_the_whole_model(
    node: NodeProto, weights: list[TensorProto]
) -> None:
    made = model([node], [IMAGE], [helper.make_empty_tensor_value_info("y")], weights)
    (expected,) = shape_inference.infer_shapes(made, strict_mode=True, data_prop=True).graph.output
    given = {"x": info(2, 4, 8, 8)}
    values: dict[str, Any] = {}
    for weight in weights:
        dtype = "int64" if weight.data_type == TensorProto.INT64 else "float32"
        given[weight.name] = info(*weight.dims, dtype=dtype)
        values[weight.name] = np.frombuffer(weight.raw_data, np.int64) if dtype == "int64" else None
    (found,) = asked(
        node, *(given[name] for name in node.input), values=[values.get(name) for name in node.input]
    )
    assert found.dtype
    assert found.dtype.code == expected.type.tensor_type.elem_type
    assert found.shape == tuple(dim.dim_value for dim in expected.type.tensor_type.shape.dim)


def test_an_operator_that_onnx_does_not_define_is_unknown() -> None:
    assert asked(op("Odd", ["x"], ["y"]), info(1)) == [TensorInfo(None, None)]


def test_an_input_of_unknown_type_leaves_the_output_unknown() -> None:
    assert asked(op("Relu", ["x"], ["y"]), TensorInfo(None, None)) == [TensorInfo(None, None)]


def test_unknown_dims_stay_unknown() -> None:
    assert asked(op("Relu", ["x"], ["y"]), info(None, 3)) == [info(None, 3)]


def test_an_output_left_out_by_one_operator_is_there_for_the_next() -> None:
    """Equal questions are asked once; these are not equal."""
    nodes = [
        op("MaxPool", ["x"], ["a", ""], kernel_shape=[2, 2], name="one"),
        op("MaxPool", ["x"], ["b", "i"], kernel_shape=[2, 2], name="two"),
    ]
    graph = load(model(nodes, [IMAGE], outputs=[]))
    answers = [graph.oracle.infer(node, [info(2, 4, 8, 8)], [None]) for node in graph]
    assert answers[1][1] == info(2, 4, 7, 7, dtype="int64")


@pytest.mark.parametrize(
    ("node", "inputs", "said"),
    [
        (op("MatMul", ["x", "z"], ["y"], name="odd"), (info(2, 3), info(4, 5)), "Incompatible dimensions"),
        (op("Relu", ["x"], ["y", "z"], name="odd"), (info(1),), "output size 2"),
        (op("MaxPool", ["x"], ["y"], name="odd", kernel_shape=[9, 9]), (info(1, 1, 4, 4),), "dim -4"),
        (op("Relu", ["x"], ["y"], name="odd"), (info(1 << 64),), "node 'odd'"),
        (op("Softmax", ["x"], ["y"], name="odd", axis=5), (info(1, 2),), "axis"),
    ],
    ids=["shapes", "outputs", "negative-dim", "beyond-int64", "axis"],
)
def test_a_contradiction_is_an_error_of_one_line_that_names_the_node(
    node: NodeProto, inputs: tuple[TensorInfo, ...], said: str
) -> None:
    with pytest.raises(OperatorError, match=said) as caught:
        asked(node, *inputs)
    assert str(caught.value).startswith(f"node 'odd' ({node.op_type}): ")
    assert "\n" not in str(caught.value)


def test_a_scalar_that_inference_reads_stays_a_scalar(tmp_path: Path) -> None:
    """FNet's DFT takes its axis as a stored number without dims."""
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        g (float[2, 8, 4, 2] x) => (float y) <int64 axis = {2}> { y = DFT (x, , axis) }
    """)
    onnx.save(model, tmp_path / "m.onnx")
    report = analyze(tmp_path / "m.onnx", passes="shape_inference", may_run=False)
    assert report.nodes[0].shapes == [(2, 8, 4, 2)]
