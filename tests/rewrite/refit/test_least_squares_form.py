"""Rows times a step are what the operator gives more with the step added to its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from oracles.observing import quiet_options

from nnea_graph.graph import OpNode
from nnea_graph.rewrite.refit.layers import FORMS
from nnea_graph.rewrite.refit.least_squares_form import Form, channels_of
from nnea_graph.rewrite.refit.recurrent import Gates

Array = NDArray[Any]


def form_of(op_type: str, weight: tuple[int, ...], attributes: dict[str, Any]) -> Form:
    found = FORMS[op_type](OpNode("n", op_type, "", 17, attributes, ("x", "w"), ("y",)), weight)
    assert not isinstance(found, str)
    return found


def run(op_type: str, attributes: dict[str, Any], x: Array, w: Array) -> Array:
    node = helper.make_node(op_type, ["x", "w"], ["y"], **attributes)
    x_info, w_info, y_info = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "w", "y")
    )
    graph = helper.make_graph([node], "g", [x_info, w_info], [y_info])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet_options())
    found: Array = session.run(None, {"x": x.astype(np.float32), "w": w.astype(np.float32)})[0]
    return found


CASES = [
    pytest.param("Conv", (3, 4, 9), (6, 4, 3), {}, id="1d"),
    pytest.param("Conv", (2, 4, 9, 8), (6, 4, 3, 2), {}, id="2d"),
    pytest.param("Conv", (2, 2, 5, 6, 4), (3, 2, 2, 3, 2), {"pads": [1, 0, 0, 1, 2, 1]}, id="3d"),
    pytest.param("Conv", (2, 6, 7, 8), (9, 2, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}, id="grouped"),
    pytest.param("Conv", (2, 5, 7, 8), (5, 1, 3, 3), {"group": 5}, id="depthwise"),
    pytest.param("Conv", (2, 3, 7, 8), (6, 1, 3, 3), {"group": 3}, id="depthwise-two-each"),
    pytest.param(
        "Conv", (2, 3, 11, 10), (4, 3, 3, 3), {"strides": [2, 3], "pads": [1, 0, 2, 1]}, id="strided"
    ),
    pytest.param("Conv", (2, 3, 11, 10), (4, 3, 3, 2), {"dilations": [2, 3]}, id="dilated"),
    pytest.param(
        "Conv",
        (1, 4, 12, 13),
        (4, 2, 3, 3),
        {"dilations": [2, 1], "strides": [1, 2], "group": 2, "pads": [2, 1, 2, 1]},
        id="all",
    ),
    pytest.param(
        "Conv", (2, 3, 8, 9), (4, 3, 4, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, id="upper"
    ),
    pytest.param(
        "Conv", (2, 3, 8, 9), (4, 3, 4, 3), {"auto_pad": "SAME_LOWER", "strides": [3, 1]}, id="lower"
    ),
    pytest.param("Conv", (2, 3, 8, 9), (4, 3, 4, 3), {"auto_pad": "VALID"}, id="valid"),
    pytest.param("Conv", (2, 3, 4, 4), (5, 3, 1, 1), {}, id="pointwise"),
    pytest.param("ConvTranspose", (3, 4, 5), (4, 6, 3), {}, id="transposed-1d"),
    pytest.param("ConvTranspose", (2, 4, 5, 6), (4, 3, 2, 2), {"strides": [2, 2]}, id="transposed-apart"),
    pytest.param(
        "ConvTranspose",
        (2, 4, 5, 6),
        (4, 3, 3, 4),
        {"strides": [2, 3], "pads": [1, 0, 2, 1], "output_padding": [1, 2], "dilations": [2, 1]},
        id="transposed-over-each-other",
    ),
    pytest.param(
        "ConvTranspose", (2, 6, 4, 3), (6, 2, 3, 3), {"group": 3, "strides": [2, 1]}, id="transposed-grouped"
    ),
    pytest.param(
        "ConvTranspose", (1, 3, 5, 6), (3, 2, 2, 1), {"pads": [1, 1, 1, 0]}, id="transposed-cropped"
    ),
    pytest.param(
        "ConvTranspose",
        (1, 3, 5, 6),
        (3, 2, 4, 3),
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        id="t-upper",
    ),
    pytest.param(
        "ConvTranspose",
        (1, 3, 5, 6),
        (3, 2, 3, 2),
        {"auto_pad": "SAME_LOWER", "strides": [2, 3]},
        id="t-lower",
    ),
    pytest.param("ConvTranspose", (1, 3, 5, 6), (3, 2, 3, 2), {"auto_pad": "VALID"}, id="transposed-valid"),
    pytest.param(
        "ConvTranspose", (1, 2, 2, 3, 4), (2, 3, 2, 1, 3), {"strides": [2, 1, 2]}, id="transposed-3d"
    ),
    pytest.param("Gemm", (6, 5), (5, 3), {}, id="gemm"),
    pytest.param("Gemm", (6, 5), (3, 5), {"transB": 1, "alpha": 0.5}, id="gemm-turned"),
    pytest.param("Gemm", (5, 6), (5, 3), {"transA": 1, "alpha": -2.0}, id="gemm-turned-data"),
    pytest.param("MatMul", (6, 5), (5, 3), {}, id="matmul"),
    pytest.param("MatMul", (2, 3, 4, 5), (5, 3), {}, id="matmul-of-rank-4"),
]


@pytest.mark.parametrize(("op_type", "x_shape", "w_shape", "attributes"), CASES)
def test_rows_times_a_step_are_what_the_step_changes(
    op_type: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    x, form = rng.normal(size=x_shape), form_of(op_type, w_shape, attributes)
    step = rng.normal(size=(form.groups, form.columns, form.outputs))
    changed = run(op_type, attributes, x, form.difference(step))
    count = form.count(x)
    assert changed.size == count * form.groups * form.outputs
    every = np.arange(count)
    np.testing.assert_allclose(
        form.rows(x, every) @ step, channels_of(form, changed, every), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(("op_type", "x_shape", "w_shape", "attributes"), CASES)
def test_chosen_rows_are_those_of_all(
    op_type: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    rng = np.random.default_rng(1)
    x, form = rng.normal(size=x_shape), form_of(op_type, w_shape, attributes)
    count = form.count(x)
    chosen = np.sort(rng.choice(count, 3, replace=False))
    np.testing.assert_array_equal(form.rows(x, chosen), form.rows(x, np.arange(count))[:, chosen])


def test_gates_get_what_their_input_weights_give() -> None:
    """A recurrent layer of the identity, without memory, gives what enters its gates."""
    rng = np.random.default_rng(3)
    x, form = rng.normal(size=(5, 2, 4)).astype(np.float32), form_of("RNN", (2, 3, 4), {})
    step = rng.normal(size=(1, 4, 6))
    w = form.difference(step).astype(np.float32)
    node = helper.make_node(
        "RNN",
        ["x", "w", "r"],
        ["y"],
        activations=["Affine"] * 2,
        activation_alpha=[1.0] * 2,
        activation_beta=[0.0] * 2,
        direction="bidirectional",
        hidden_size=3,
    )
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "w", "r", "y")]
    graph = helper.make_graph([node], "g", infos[:3], infos[3:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet_options())
    y = session.run(None, {"x": x, "w": w, "r": np.zeros((2, 3, 3), np.float32)})[0]
    expected = y.transpose(0, 2, 1, 3).reshape(1, 10, 6)
    every = np.arange(form.count(x))
    np.testing.assert_allclose(form.rows(x, every) @ step, expected, atol=1e-5)
    assert isinstance(form, Gates)
    np.testing.assert_allclose(channels_of(form, form.product(x, w), every), expected, atol=1e-5)


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 3, 2)])
def test_rows_are_what_torch_unfolds(stride: int, padding: int, dilation: int) -> None:
    x = np.random.default_rng(2).normal(size=(2, 3, 9, 8))
    attributes = {"strides": [stride] * 2, "pads": [padding] * 4, "dilations": [dilation] * 2}
    form = form_of("Conv", (4, 3, 3, 2), attributes)
    unfolded = torch.nn.functional.unfold(torch.from_numpy(x), (3, 2), dilation, padding, stride)
    expected = unfolded.numpy().swapaxes(1, 2).reshape(-1, 18)
    np.testing.assert_array_equal(form.rows(x, np.arange(form.count(x)))[0], expected)


@pytest.mark.parametrize(
    ("op_type", "weight", "attributes", "reason"),
    [
        ("MatMul", (2, 5, 3), {}, "its weight has 3 axes; 2 are refitted"),
        ("Gemm", (5, 3), {"alpha": 0.0}, "its factor alpha is 0"),
        (
            "ConvTranspose",
            (5, 3, 2, 2),
            {"output_shape": [9, 9]},
            "its padding follows from its output_shape",
        ),
    ],
)
def test_what_cannot_be_refitted_says_why(
    op_type: str, weight: tuple[int, ...], attributes: dict[str, Any], reason: str
) -> None:
    node = OpNode("n", op_type, "", 17, attributes, ("x", "w"), ("y",))
    assert FORMS[op_type](node, weight) == reason
