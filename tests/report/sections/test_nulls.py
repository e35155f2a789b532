"""Nulls in the report: beside each layer and the model, and what follows of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nnea_graph.api.analyze import analyze
from nnea_graph.report import Report

MODELS = Path(__file__).parents[3] / "models"
DIGITS = MODELS / "digits.npz"


def of_weights(weights: np.ndarray) -> Report:
    n, m = weights.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="dense")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, n])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, m])],
        [numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return analyze(model)


def test_every_trained_layer_has_its_null_and_the_model_their_sum() -> None:
    report = analyze(MODELS / "digits_cnn.onnx", data=DIGITS)
    layers = [layer for layer in report.layers if layer.op_type in {"Conv", "Gemm"}]
    assert all(layer.weight_null and layer.importance_null for layer in layers)
    null = report.totals.weight_null
    assert null is not None
    counts = [layer.weight_metrics.count for layer in layers if layer.weight_metrics]
    nulls = [getattr(layer.weight_null, layer.weight_null.nearest) for layer in layers if layer.weight_null]
    assert null.utilization == pytest.approx(np.average(nulls, weights=counts))
    assert null.layers == len(layers)


def test_scales_that_start_at_one_have_no_null() -> None:
    report = analyze(MODELS / "digits_cnn.onnx")
    assert all(layer.weight_null is None for layer in report.layers if layer.op_type == "BatchNormalization")


def test_random_weights_are_told_to_be_like_their_null_and_get_no_advice() -> None:
    report = of_weights(np.random.default_rng(0).standard_normal((128, 128)))
    null = report.totals.weight_null
    assert null is not None
    assert null.deviation is not None
    assert abs(null.deviation) < 4
    assert not [finding for finding in report.findings if finding.rule in {"NNEA203", "NNEA214"}]


def test_weights_far_below_every_initializer_are_found() -> None:
    heavy = np.exp(2 * np.random.default_rng(0).standard_normal((128, 128)))
    finding = next(each for each in of_weights(heavy).findings if each.rule == "NNEA214")
    assert finding.threshold is not None
    assert "without training" in finding.message
