"""Value rules on contradictory, dangerous and enormous requests: a reason, at once, and no memory taken."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.value_rules import VALUE_RULES

Array = NDArray[Any]


def i64(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def evaluate(
    op_type: str, inputs: list[Array | None], attributes: dict[str, Any], outputs: int = 1
) -> list[Array]:
    infos = tuple(None if a is None else TensorInfo(BY_NAME.get(a.dtype.name), a.shape) for a in inputs)
    rule = VALUE_RULES.get(op_type)
    assert rule is not None
    return rule(
        OpCall(op_type, infos, (TensorInfo(None, None),) * outputs, attributes, tuple(inputs), "", 21)
    )


ONE = np.ones(1, np.float32)
HUGE: list[tuple[str, list[Array | None], dict[str, Any]]] = [
    ("ConstantOfShape", [i64(2**20, 2**20)], {}),
    ("Range", [i64(0), i64(2**62), i64(1)], {}),
    ("Range", [np.zeros(1), np.array([1e300]), np.ones(1)], {}),
    ("Expand", [ONE, i64(2**40)], {}),
    ("Tile", [ONE, i64(2**62)], {}),
    ("Pad", [ONE, i64(2**61, 0)], {}),
    ("OneHot", [i64(1), i64(2**40), i64(0, 1)], {}),
    ("Add", [np.ones((2**14, 1)), np.ones((1, 2**14))], {}),
    ("Where", [np.ones((2**14, 1), bool), np.ones((1, 2**14)), ONE], {}),
    ("Max", [np.ones((2**14, 1)), np.ones((1, 2**14))], {}),
    ("Gather", [np.ones((2, 2**14)), np.zeros(2**14, np.int64)], {}),
    ("GatherND", [np.ones((2, 2**14)), np.zeros((2**14, 1), np.int64)], {}),
]
UNDEFINED: list[tuple[str, list[Array | None], dict[str, Any], str]] = [
    ("Div", [i64(1), i64(0)], {}, "divided by zero"),
    ("Mod", [i64(1), i64(0)], {}, "divided by zero"),
    ("Pow", [i64(0), i64(-1)], {}, "negative power"),
    ("Gather", [i64(1, 2), i64(2)], {}, "outside a dim of 2"),
    ("Gather", [i64(1, 2), i64(-3)], {}, "outside a dim of 2"),
    ("GatherElements", [i64(1, 2), i64(5)], {}, "outside a dim of 2"),
    ("ScatterND", [i64(1, 2), np.array([[7]]), i64(1)], {}, "outside a dim of 2"),
    ("Cast", [np.array([np.nan])], {"to": 7}, "outside the range of int64"),
    ("Cast", [np.array([2.0**63])], {"to": 7}, "outside the range of int64"),
    ("Cast", [np.array([1.5])], {"to": 8}, "not defined"),
    ("Cast", [np.array([-1.0])], {"to": 24}, "negative"),
    ("ReduceMean", [np.ones((0, 2), np.int64)], {}, "no mean"),
    ("Range", [np.zeros(1), np.array([np.inf]), np.ones(1)], {}, "no finite number"),
    ("Constant", [], {}, "no dense value"),
    ("QuantizeLinear", [np.array([np.nan], np.float32), ONE], {}, "not a number"),
]
WRONG: list[tuple[str, list[Array | None], dict[str, Any], str]] = [
    ("Reshape", [np.arange(6), i64(-1, -1)], {}, "one unknown dimension"),
    ("Reshape", [np.arange(6), i64(0, 0, 0)], {}, "makes no sense"),
    ("Transpose", [np.ones((2, 3))], {"perm": [0, 0]}, "repeated axis"),
    ("Transpose", [np.ones((2, 3))], {"perm": [2**62, 0]}, "makes no sense"),
    ("Transpose", [np.ones((2, 3))], {"perm": "no"}, "makes no sense"),
    ("Range", [i64(0), i64(9), i64(0)], {}, "step of 0"),
    ("Range", [i64(0, 1), i64(9), i64(1)], {}, "2 elements, not 1"),
    ("ConstantOfShape", [i64(-1, 2)], {}, "negative shape"),
    ("ConstantOfShape", [np.ones(100, np.int64)], {}, "100 dimensions"),
    ("Tile", [ONE, i64(-1)], {}, "negative shape"),
    ("Tile", [ONE, i64(1, 1)], {}, "2 repeats"),
    ("Pad", [ONE, i64(1)], {}, "1 amounts"),
    ("Pad", [ONE, i64(-2, 0)], {}, "crops more"),
    ("Pad", [ONE, i64(1, 0)], {"mode": b"sideways"}, "no mode"),
    ("Slice", [i64(1, 2), i64(0), i64(2), i64(0), i64(0)], {}, "step cannot be zero"),
    ("Slice", [i64(1, 2), i64(0), i64(2), i64(1)], {}, "axis 1 is outside"),
    ("Split", [np.arange(4)], {"num_outputs": 2**62}, "parts"),
    ("Split", [np.arange(4), i64(1, 2)], {}, "does not cover"),
    ("Concat", [], {"axis": 0}, "makes no sense"),
    ("Add", [np.ones(3), np.ones(4)], {}, "broadcast"),
    ("Add", [np.array(["a"], object), i64(1)], {}, "makes no sense"),
    ("Cast", [ONE], {"to": 250}, "not the number of an element type"),
    ("Cast", [np.array(["x"], object)], {"to": 1}, "could not convert"),
    ("TopK", [np.arange(3), i64(5)], {}, "TopK of 5"),
    ("Unsqueeze", [ONE], {}, "no axes"),
    ("Squeeze", [np.ones((1, 2)), i64(1)], {}, "not equal to one"),
    ("Flatten", [ONE], {"axis": 9}, "axis 9"),
    ("ReduceSum", [ONE, i64(5)], {}, "axis 5"),
    ("DepthToSpace", [np.ones((1, 4, 1, 1))], {"blocksize": 0}, "blocks of 0"),
    ("DequantizeLinear", [np.ones((4, 4), np.int8), np.ones(3, np.float32)], {}, "3 scales"),
    (
        "DequantizeLinear",
        [np.ones((4, 4), np.int8), np.ones((4, 8), np.float32)],
        {"block_size": 2**62},
        "scales of",
    ),
    ("ScatterElements", [ONE, i64(0), ONE], {"reduction": b"xor"}, "no reduction"),
    ("Max", [], {}, "no inputs"),
]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"), [pytest.param(*r, id=f"{r[0]}-{n}") for n, r in enumerate(HUGE)]
)
def test_results_over_the_limit_are_refused_before_they_are_made(
    op: str, inputs: list[Array | None], attributes: dict[str, Any]
) -> None:
    tracemalloc.start()
    with pytest.raises(UnknownFactError, match="elements, limit"):
        evaluate(op, inputs, attributes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_matrix_like_an_enormous_one_is_refused() -> None:
    rule = VALUE_RULES.get("EyeLike")
    assert rule is not None
    with pytest.raises(UnknownFactError, match="elements, limit"):
        rule(OpCall("EyeLike", (TensorInfo(BY_NAME["float32"], (2**30, 2**30)),)))


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "reason"),
    [pytest.param(*r, id=f"{r[0]}-{n}") for n, r in enumerate(UNDEFINED)],
)
def test_results_that_are_not_defined_are_unknown_with_the_reason(
    op: str, inputs: list[Array | None], attributes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnknownFactError, match=reason):
        evaluate(op, inputs, attributes)


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "reason"),
    [pytest.param(*r, id=f"{r[0]}-{n}") for n, r in enumerate(WRONG)],
)
def test_calls_that_contradict_the_definition_are_refused(
    op: str, inputs: list[Array | None], attributes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadCallError, match=reason):
        evaluate(op, inputs, attributes)


ARRAYS = st.builds(
    lambda dtype, shape, seed: np.asarray(np.random.default_rng(seed).integers(-3, 4, shape)).astype(dtype),
    st.sampled_from([np.int64, np.float32, np.bool_, np.uint8]),
    st.lists(st.integers(0, 3), max_size=3),
    st.integers(0, 9),
)
BIG = st.one_of(st.integers(-3, 3), st.sampled_from([-(2**63), 2**62, 2**63 - 1]))
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ["axis", "perm", "axes", "keepdims", "to", "k", "block_size", "mode", "shape", "starts", "ends"]
    ),
    st.one_of(BIG, st.lists(BIG, max_size=3), st.just(b"edge")),
    max_size=3,
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(VALUE_RULES.claimed())),
    st.lists(st.one_of(st.none(), ARRAYS), max_size=4),
    ATTRIBUTES,
)
def test_no_call_ends_in_anything_but_a_result_or_a_reason(
    op: str, inputs: list[Array | None], attributes: dict[str, Any]
) -> None:
    try:
        evaluate(op, inputs, attributes, 2)
    except (UnknownFactError, BadCallError) as reason:
        message = str(reason)
    else:
        message = ""
    assert "\n" not in message
