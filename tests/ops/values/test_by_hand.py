"""Value rules in the forms of older opsets and in corners that the node cases leave out, worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.graph import TensorInfo
from nnea_graph.graph.constants import constant_of
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.value_rules import VALUE_RULES

Array = NDArray[Any]
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def i64(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def f32(*numbers: float) -> Array:
    return np.array(numbers, np.float32)


def evaluate(
    op: str,
    inputs: list[Any],
    attributes: dict[str, Any],
    outputs: int = 1,
    *,
    domain: str = "",
    types: str = "",
) -> list[Array]:
    names = types.split() or [a.dtype.name if a is not None else "" for a in inputs]
    infos = tuple(
        None if a is None else TensorInfo(BY_NAME.get(name), a.shape)
        for a, name in zip(inputs, names, strict=True)
    )
    rule = VALUE_RULES.get(op, domain)
    assert rule is not None
    return rule(OpCall(op, infos, (TensorInfo(None, None),) * outputs, attributes, tuple(inputs), domain))


OLD: list[tuple[str, list[Any], dict[str, Any], Any]] = [
    ("Add", [np.zeros((2, 3)), np.array([1.0, 2.0])], {"broadcast": 1, "axis": 0}, [[1, 1, 1], [2, 2, 2]]),
    ("Mul", [np.ones((2, 3)), np.array([1.0, 2.0, 3.0])], {"broadcast": 1}, [[1, 2, 3], [1, 2, 3]]),
    ("Clip", [X], {"min": 1.0, "max": 4.0}, [[1, 1, 2], [3, 4, 4]]),
    ("Concat", [X, X], {}, [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]]),
    ("Pad", [f32(1, 2)], {"pads": [1, 0], "value": 9.0}, [9, 1, 2]),
    ("Pad", [f32(1, 2)], {"paddings": [0, 1], "mode": "edge"}, [1, 2, 2]),
    ("ReduceSum", [X], {"axes": [1], "keepdims": 0}, [3, 12]),
    ("Reshape", [X], {"shape": [3, -1]}, [[0, 1], [2, 3], [4, 5]]),
    ("Slice", [X], {"starts": [0, 1], "ends": [1, 2**62]}, [[1, 2]]),
    ("Slice", [X], {"starts": [-1], "ends": [9], "axes": [1]}, [[2], [5]]),
    ("Squeeze", [np.ones((1, 2, 1))], {"axes": [0]}, [[1], [1]]),
    ("Tile", [f32(1, 2), i64(2), i64(0)], {}, [1, 2, 1, 2]),
    ("TopK", [f32(1, 3, 2)], {"k": 2, "axis": 0}, [3, 2]),
    ("Unsqueeze", [f32(1)], {"axes": [0, -1]}, [[[1]]]),
    ("Cast", [f32(1.9)], {"to": "INT32"}, [1]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "expected"),
    [pytest.param(*r, id=f"{r[0]}-{n}") for n, r in enumerate(OLD)],
)
def test_older_opsets_give_by_attribute_what_newer_ones_give_by_input(
    op: str, inputs: list[Any], attributes: dict[str, Any], expected: Any
) -> None:
    assert evaluate(op, inputs, attributes)[0].tolist() == expected


def test_split_cuts_into_the_sizes_of_the_attribute_or_into_equal_parts() -> None:
    assert [part.tolist() for part in evaluate("Split", [i64(1, 2, 3)], {"split": [1, 2]}, 2)] == [
        [1],
        [2, 3],
    ]
    assert [part.tolist() for part in evaluate("Split", [i64(1, 2, 3)], {}, 2)] == [[1, 2], [3]]


CORNERS: list[tuple[str, list[Any], dict[str, Any], Any]] = [
    ("Div", [i64(7, -7, 7, -7), i64(2, 2, -2, -2)], {}, [3, -3, -3, 3]),
    ("Mod", [i64(7, -7), i64(3, 3)], {}, [1, 2]),
    ("Mod", [i64(7, -7), i64(3, 3)], {"fmod": 1}, [1, -1]),
    ("Pow", [i64(2, 3), f32(2.0, 0.5)], {}, [4, 1]),
    ("Div", [f32(1), f32(0)], {}, [np.inf]),
    ("Round", [f32(0.5, 1.5, -2.5)], {}, [0, 2, -2]),
    ("Clip", [i64(1, 5), i64(3), i64(2)], {}, [2, 2]),
    ("Slice", [i64(0, 1, 2, 3), i64(-1), i64(-(2**63)), i64(0), i64(-2)], {}, [3, 1]),
    ("Expand", [f32(1, 2).reshape(2, 1), i64(3, 1, 2)], {}, [[[1, 1], [2, 2]]] * 3),
    ("Range", [i64(5), i64(0), i64(-2)], {}, [5, 3, 1]),
    ("Cast", [np.array([300, -129], np.int32)], {"to": 3}, [44, 127]),
    ("Cast", [np.array([17, -9], np.int32)], {"to": 22}, [1, 7]),
    ("Cast", [f32(1e6, -np.inf)], {"to": 17}, [448, -448]),
    ("Cast", [f32(1.00390625)], {"to": 16}, [1.0]),
    ("Cast", [f32(5, 3, 2.5)], {"to": 24}, [8, 4, 4]),
    ("Cast", [f32(5, 6, 2.5)], {"to": 24, "round_mode": "nearest"}, [4, 8, 2]),
    ("Cast", [np.array(["1e2", b"-inf"], object)], {"to": 1}, [100, -np.inf]),
    ("Unique", [i64(3, 1, 3)], {"sorted": 0}, [3, 1]),
    ("ReduceSum", [X, i64()], {"noop_with_empty_axes": 1}, X.tolist()),
    ("ReduceMax", [np.zeros((2, 0), np.float32)], {"axes": [1], "keepdims": 0}, [-np.inf, -np.inf]),
    ("NonZero", [np.array([[0, 1], [2, 0]])], {}, [[0, 1], [1, 0]]),
    ("TopK", [i64(2, 3, 3), i64(1)], {}, [3]),
    ("Gather", [i64(1, 2, 3), np.array([-1])], {}, [3]),
    ("Trilu", [np.ones((2, 2)), np.array(2**62)], {}, [[0, 0], [0, 0]]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "expected"),
    [pytest.param(*r, id=f"{r[0]}-{n}") for n, r in enumerate(CORNERS)],
)
def test_corners_follow_the_definition(
    op: str, inputs: list[Any], attributes: dict[str, Any], expected: Any
) -> None:
    assert evaluate(op, inputs, attributes)[0].tolist() == expected


def test_sums_of_float16_are_rounded_to_float16() -> None:
    (found,) = evaluate("Add", [f32(2048), f32(1)], {}, types="float16 float16")
    assert found.dtype == np.float32
    assert found.tolist() == [2048]


def test_equal_elements_come_first_by_place_in_top_k() -> None:
    assert evaluate("TopK", [i64(1, 3, 3), i64(2)], {}, 2)[1].tolist() == [1, 2]


def test_shape_needs_only_the_dims_that_are_asked_for() -> None:
    rule = VALUE_RULES.get("Shape")
    assert rule is not None
    info = TensorInfo(None, ("batch", 3, None, 5))
    assert rule(OpCall("Shape", (info,), attributes={"start": 1, "end": 2}))[0].tolist() == [3]
    assert rule(OpCall("Shape", (info,), attributes={"start": -1}))[0].tolist() == [5]
    with pytest.raises(UnknownFactError, match="not known"):
        rule(OpCall("Shape", (info,), attributes={"start": 2}))


def test_constants_come_from_any_of_the_attributes() -> None:
    stored = constant_of("c", X, BY_NAME["float32"])
    assert evaluate("Constant", [], {"value": stored})[0].tolist() == X.tolist()
    assert evaluate("Constant", [], {"value_ints": [1, 2]})[0].tolist() == [1, 2]
    assert evaluate("Constant", [], {"value_float": 0.5})[0].dtype == np.float32
    assert evaluate("Constant", [], {"value_string": b"a"})[0].tolist() == b"a"


@pytest.mark.parametrize("domain", ["", MICROSOFT])
def test_dequantized_weights_are_scaled_by_axis_and_shifted_without_wrapping(domain: str) -> None:
    weight = np.array([[-128, 127], [0, 1]], np.int8)
    (found,) = evaluate(
        "DequantizeLinear", [weight, f32(1, 2), np.array([127, 0], np.int8)], {"axis": 0}, domain=domain
    )
    assert found.dtype == np.float32
    assert found.tolist() == [[-255, 0], [0, 2]]


def test_dequantized_blocks_share_a_scale_and_the_last_one_may_be_short() -> None:
    weight = np.array([[1, 1, 1]], np.int8)
    assert evaluate(
        "DequantizeLinear", [weight, f32(2, 3).reshape(1, 2)], {"block_size": 2}, types="int4 float32"
    )[0].tolist() == [[2, 2, 3]]


def test_dequantizing_leaves_the_stored_weight_alone() -> None:
    stored = f32(1, 2)
    evaluate("DequantizeLinear", [stored, f32(3)], {}, types="float8e4m3fn float32")
    assert stored.tolist() == [1, 2]


def test_dequantized_numbers_are_rounded_to_the_type_of_the_scale() -> None:
    (found,) = evaluate("DequantizeLinear", [np.array([3], np.uint8), f32(0.1)], {}, types="uint8 float16")
    assert found.tolist() == [np.float32(np.float16(np.float32(0.1) * 3))]


def test_quantizing_rounds_half_to_even_and_saturates() -> None:
    (found,) = evaluate("QuantizeLinear", [f32(0.5, 1.5, 300, -300), f32(1), np.array([1], np.uint8)], {})
    assert found.dtype == np.uint8
    assert found.tolist() == [1, 3, 255, 0]


def test_pixels_come_back_from_depth() -> None:
    x = np.arange(2 * 4 * 6).reshape(1, 2, 4, 6)
    (deep,) = evaluate("SpaceToDepth", [x], {"blocksize": 2})
    (back,) = evaluate("DepthToSpace", [deep], {"blocksize": 2, "mode": b"DCR"})
    assert back.tolist() == x.tolist()
