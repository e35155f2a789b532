"""Sensitivity of models that cannot be measured, or not in this process, and options that make no sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hostile.support.models import model, op, tensor
from model_zoo.sensitive import report_of
from numpy.typing import NDArray
from onnx import ModelProto, parser

from nnea_graph.api.analyze import analyze
from nnea_graph.errors import UsageError
from nnea_graph.render.text.report import render_text
from nnea_graph.runtime.session.isolated import IsolatedSession

Array = NDArray[Any]


def weighted(weight: Array, op_type: str = "MatMul", **attributes: Any) -> ModelProto:
    return model([op(op_type, ["x", "w"], ["y"], name="only", **attributes)], weights=[tensor("w", weight)])


def test_a_model_without_weights_says_so() -> None:
    report = analyze(model([op("Relu", ["x"], ["y"])]), passes="sensitivity")
    assert report.sensitivity is not None
    assert report.sensitivity.not_run == "no layer's weights can be altered"
    assert "not measured" in render_text(report)


def test_an_output_that_is_always_zero_says_so() -> None:
    report = analyze(weighted(np.zeros((4, 3))), passes="sensitivity")
    assert report.sensitivity is not None
    assert report.sensitivity.not_run == "the model has no output of real numbers other than zero"


def test_weights_that_an_operator_unpacks_are_named() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
        g (uint8[1,2] x) => (float[1,2] y) <uint8[2,2] w = {1, 2, 3, 4}, float[2,2] v = {1, 2, 3, 4}>
        { [packed] i = MatMulInteger (x, w) f = Cast <to = 1> (i) [plain] y = MatMul (f, v) }"""
    report = analyze(parser.parse_model(text), passes="sensitivity")
    reasons = {layer.id: layer.sensitivity.reason for layer in report.layers if layer.sensitivity}
    assert reasons["packed"] == "MatMulInteger unpacks its weights by itself; they cannot be altered here"
    assert reasons["plain"] == ""


def turned(x: Array, weight: list[list[float]]) -> Array:
    for _ in range(3):
        x = np.tanh(x @ np.array(weight))
    return x


class Counted(IsolatedSession):
    made = 0

    def __init__(self, *arguments: Any) -> None:
        Counted.made += 1
        super().__init__(*arguments)


def test_a_model_without_known_bounds_is_measured_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnea_graph.runtime.perturb.weight_override.IsolatedSession", Counted)
    text = """<ir_version: 8, opset_import: ["" : 17]>
        g (int64 n, float[1,2] x) => (float[1,2] y) <bool yes = {1}, float[2,2] w = {0.5, -2, 3, 0.25}>
        { [turns] y = Loop (n, yes, x) <body = b (int64 i, bool c, float[1,2] s) => (bool d, float[1,2] t)
            { d = Identity (c) [inner] m = MatMul (s, w) t = Tanh (m) }> }"""
    x = np.array([[0.3, -0.7]], np.float32)
    report = analyze(
        parser.parse_model(text), passes="sensitivity{units=weights}", data={"n": np.int64(3), "x": x}
    )
    assert Counted.made == 1
    (layer,) = report.layers
    assert layer.sensitivity is not None
    before, after = turned(x, [[0.5, -2], [3, 0.25]]), turned(x, [[0, -2], [3, 0]])
    (half,) = [
        each for each in layer.sensitivity.points if (each.criterion, each.fraction) == ("magnitude", 0.5)
    ]
    assert half.removed == 2
    change = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert half.relative_l2 == pytest.approx(change, rel=1e-5)


def test_a_point_whose_outputs_are_no_longer_finite_is_not_a_number() -> None:
    # y = (x w) / |x w| by rows: zero by zero once all of a row's weights are gone.
    text = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[4,1] x) => (float[4,2] y) <float[1,2] w = {2, 1}, float[2,2] v = {0, 3, 4, 0}>
        { [first] a = MatMul (x, w) n = ReduceL2 <axes = [1]> (a) b = Div (a, n) [second] y = MatMul (b, v) }"""
    report = analyze(
        parser.parse_model(text), passes="sensitivity{units=weights}", data={"x": np.ones((4, 1), np.float32)}
    )
    for layer in report.layers:
        assert layer.sensitivity is not None
        for point in layer.sensitivity.points:
            assert (point.relative_l2 is None) == bool(point.reason)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "units=rows",
            "passes: option 'units' of pass 'sensitivity' is weights, channels or weights|channels, not 'rows'",
            id="units",
        ),
        pytest.param(
            "seconds=0", "passes: option 'seconds' of pass 'sensitivity' is above 0, not 0.0", id="seconds"
        ),
        pytest.param(
            "loss=-1", "passes: option 'loss' of pass 'sensitivity' is above 0, not -1.0", id="loss"
        ),
        pytest.param("loss=nan", "passes: option 'loss' of pass 'sensitivity' is above 0, not nan", id="nan"),
    ],
)
def test_options_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        report_of("digits_mlp", f"sensitivity{{{text}}}")
    assert str(caught.value).endswith(message)
