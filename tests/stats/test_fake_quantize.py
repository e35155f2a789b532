"""Rounding: the numbers are those of onnxruntime's own quantization tools, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.quant_utils import quantize_data
from oracles.observing import quiet_options

from nnea_graph.stats.fake_quantize import (
    FLOAT16,
    FORMATS,
    INT4_32,
    INT4_128,
    INT8,
    INT8_CHANNEL,
    Format,
    distance,
    matrix_shape,
    rounded,
)

Array = NDArray[Any]

CASES = ["normal", "outlier", "zero column", "one sign", "zeros", "tiny", "halves"]


def weights(case: str, shape: tuple[int, ...] = (100, 24), dtype: type = np.float32) -> Array:
    values = np.random.default_rng(3).normal(size=shape)
    match case:
        case "outlier":
            values[0] *= 100
        case "zero column":
            values[..., -1] = 0
        case "one sign":
            values = np.abs(values) * np.where(np.arange(shape[-1]) % 2, 1, -1)
        case "zeros":
            values[:] = 0
        case "tiny":
            values *= 1e-40 if dtype is np.float32 else 1e-7
        case "halves":
            values = np.rint(values * 8) / 2
            values[0] = 127
    return values.astype(dtype)


def by_tool(values: Array) -> Array:
    """What the tool and then DequantizeLinear of onnxruntime make of them, with one scale."""
    zero, scale, levels = quantize_data(values.reshape(-1), TensorProto.INT8, symmetric=True)
    assert int(zero) == 0
    node = helper.make_node("DequantizeLinear", ["q", "scale"], ["y"])
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info("q", TensorProto.INT8, None),
            helper.make_tensor_value_info("scale", kind, []),
        ],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet_options())
    feeds = {"q": levels.reshape(values.shape), "scale": scale.reshape(())}
    found: Array = session.run(None, feeds)[0]
    return found


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_int8_with_one_scale_is_what_the_tool_makes(case: str, dtype: type) -> None:
    values = weights(case, dtype=dtype)
    np.testing.assert_array_equal(rounded(values, 1, INT8), by_tool(values))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("shape", "axis"), [((100, 24), 1), ((24, 3, 5, 5), 0), ((3, 24, 2), 1)])
def test_int8_by_channel_is_what_the_tool_makes_of_each(case: str, shape: tuple[int, ...], axis: int) -> None:
    values = weights(case, shape)
    found = rounded(values, axis, INT8_CHANNEL)
    for channel in range(shape[axis]):
        one = values.take(channel, axis)
        np.testing.assert_array_equal(found.take(channel, axis), by_tool(one))


def by_quantizer(values: Array, block: int) -> Array:
    """The matrix that MatMulNBits of onnxruntime multiplies with: a product with the identity."""
    rows, columns = values.shape
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", kind, [rows, rows])],
        [helper.make_tensor_value_info("y", kind, [rows, columns])],
        initializer=[numpy_helper.from_array(values, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    tool = MatMulNBitsQuantizer(model, block_size=block)
    tool.process()
    packed = tool.model.model.SerializeToString()
    assert [node.op_type for node in onnx.load_model_from_string(packed).graph.node] == ["MatMulNBits"]
    session = onnxruntime.InferenceSession(packed, quiet_options())
    found: Array = session.run(None, {"x": np.eye(rows, dtype=values.dtype)})[0]
    return found


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", [INT4_32, INT4_128])
@pytest.mark.parametrize("rows", [64, 100, 200])
def test_int4_by_block_is_what_the_tool_makes(case: str, form: Format, rows: int) -> None:
    values = weights(case, (rows, 24))
    found = rounded(values, 1, form)
    np.testing.assert_array_equal(found, by_quantizer(values, form.block))


def test_float16_is_numpys_and_too_large_is_infinite() -> None:
    values = np.array([[1.0001, 65504, 65520, -1e6, 1e-8]], np.float32)
    expected = [[1.0, 65504, np.inf, -np.inf, 0]]
    np.testing.assert_array_equal(rounded(values, 0, FLOAT16), np.array(expected, np.float32))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("axis", [0, 1, None])
def test_blocks_of_channels_do_not_show(
    form: Format, axis: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = weights("outlier", (40, 30))
    whole = rounded(values, axis, form)
    monkeypatch.setattr("nnea_graph.stats.fake_quantize.CHUNK", 7)
    np.testing.assert_array_equal(rounded(values, axis, form), whole)
    assert distance(values, whole).change().relative_l2 == pytest.approx(
        np.linalg.norm(whole.astype(np.float64) - values) / np.linalg.norm(values.astype(np.float64))
    )


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param(INT8, 24 * 100 + 4, id="one scale"),
        pytest.param(INT8_CHANNEL, 24 * 100 + 4 * 24, id="a scale a channel"),
        pytest.param(INT4_32, 24 * 4 * (16 + 4) + 48, id="four blocks, the last one filled up"),
        pytest.param(INT4_128, 24 * (64 + 4) + 12, id="one block, half of it empty"),
        pytest.param(FLOAT16, 4800, id="two bytes"),
    ],
)
def test_bytes_are_those_of_the_packed_weight(form: Format, expected: int) -> None:
    assert form.bytes(*matrix_shape((100, 24), 1)) == expected
