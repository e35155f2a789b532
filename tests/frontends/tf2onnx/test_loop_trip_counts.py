"""Loops of tf2onnx that count are given the number of their trips; the others stay as they are."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper, parser

from nnea_graph.frontends.tf2onnx.loop_trip_counts import number_trips

ENDLESS = 9_223_372_036_854_775_807


def loop(condition: str, most: int = ENDLESS, start: int = 0, step: int = 1) -> onnx.ModelProto:
    """Doubles x while its condition holds of the counter ``next``."""
    made: onnx.ModelProto = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 18]>
        counting (float[1] x) => (float[1] y)
        <int64 most = {{{most}}}, bool yes = {{1}}, int32 start = {{{start}}}, int32 step = {{{step}}},
         int32 five = {{5}}, int32 nine = {{9}}, float limit = {{7.5}}>
        {{
            count, y = Loop <body = body (int64 trip, bool before, int32 now, float[1] value)
                => (bool go, int32 next, float[1] twice)
                {{
                    next = Add (now, step)
                    {condition}
                    twice = Add (value, value)
                }}> (most, yes, start, x)
        }}"""
    )
    return made


def trips(model: onnx.ModelProto) -> int:
    (node,) = model.graph.node
    (found,) = (each for each in model.graph.initializer if each.name == node.input[0])
    return int(numpy_helper.to_array(found))


def doublings(model: onnx.ModelProto) -> float:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (y,) = session.run(None, {"x": np.ones(1, np.float32)})
    return float(np.log2(y[0]))


@pytest.mark.parametrize(
    ("condition", "start", "step", "wanted"),
    [
        pytest.param("go = Less (next, five)", 0, 1, 5, id="to-five"),
        pytest.param("go = Less (next, five)", 3, 1, 2, id="from-three"),
        pytest.param("go = Less (next, nine)", 0, 2, 5, id="by-two"),
        pytest.param("go = Less (next, five)", 8, 1, 1, id="once-in-any-case"),
        pytest.param("a = Less (next, five) b = Less (next, nine) go = And (a, b)", 0, 1, 5, id="the-nearer"),
        pytest.param("f = Cast <to = 1> (next) go = Less (f, limit)", 0, 1, 8, id="in-floats"),
    ],
)
def test_a_counting_loop_has_the_trips_that_it_runs(
    condition: str, start: int, step: int, wanted: int
) -> None:
    model = loop(condition, start=start, step=step)
    assert doublings(model) == wanted
    number_trips(model)
    onnx.checker.check_model(model)
    assert trips(model) == wanted
    assert doublings(model) == wanted


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("big = ReduceMax <keepdims = 0> (value) go = Less (big, limit)", id="by-the-data"),
        pytest.param("go = Greater (five, next)", id="by-another-comparison"),
        pytest.param("go = Less (now, five)", id="of-the-counter-before"),
    ],
)
def test_other_conditions_are_left_alone(condition: str) -> None:
    model = loop(condition)
    number_trips(model)
    assert trips(model) == ENDLESS


def test_a_counter_that_goes_down_is_left_alone() -> None:
    model = loop("go = Less (next, five)", step=-1)
    number_trips(model)
    assert trips(model) == ENDLESS


def test_a_bound_that_is_one_stays() -> None:
    model = loop("go = Less (next, five)", most=3)
    number_trips(model)
    assert trips(model) == 3
