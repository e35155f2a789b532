"""Layers whose weights are computed (dequantized) or tied lose channels as others do; a refit leaves them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from model_zoo.prunable import PrunableNet
from numpy.typing import NDArray
from onnx import ModelProto, helper
from oracles.prunable_oracle import distance, masked, run

from nnea_graph import prune
from nnea_graph.passes.shape_inference import SHAPES

X: NDArray[np.float32] = np.random.default_rng(1).normal(size=(70, 8)).astype(np.float32)

pytestmark = pytest.mark.cpu


def dequantized(net: PrunableNet, rows: int, columns: int, *, by_operator: bool) -> str:
    """int8 numbers with a scale for each column, multiplied as exporters write it or by DequantizeLinear."""
    stored = net.constant(net.random.integers(-127, 128, (rows, columns)).astype(np.int8))
    scale = net.constant(net.random.uniform(0.5, 1.5, columns) / (64 * np.sqrt(rows)), np.float32)
    if by_operator:
        return net.op("DequantizeLinear", stored, scale, axis=1)
    return net.op("Mul", net.op("Cast", stored, to=1), scale)


def network(*, by_operator: bool) -> ModelProto:
    net = PrunableNet(0)
    x = net.input("x", "batch", 8)
    for rows, columns in ((8, 24), (24, 16), (16, 3)):
        x = net.op("MatMul", x, dequantized(net, rows, columns, by_operator=by_operator))
        x = net.op("Relu", x) if columns > 3 else x
    return net.finished(x, "batch", 3)


@pytest.mark.parametrize("by_operator", [True, False])
def test_dequantized_layers_lose_channels_and_stay_int8(by_operator: bool) -> None:  # noqa: FBT001 - a case
    model = network(by_operator=by_operator)
    found = prune(model, X, "macs=0.6", align=1, rivals=False, rounds=2)
    assert found.report.met
    made = "DequantizeLinear" if by_operator else "Mul"
    refit = found.report.verification.layers
    assert refit
    assert {layer.reason for layer in refit} == {f"its weights are made by {made}"}
    onnx.checker.check_model(found.model, full_check=True)
    before, after = (
        sum(
            tensor.ByteSize()
            for tensor in each.graph.initializer
            if tensor.data_type == onnx.TensorProto.INT8
        )
        for each in (model, found.model)
    )
    assert after < 0.8 * before
    feeds = {"x": X[:1]}
    expected = run(masked(model, found.plan.kept, found.plan.original[SHAPES].types), feeds)[0]
    assert distance(run(found.model, feeds)[0], expected) < 1e-5


def test_what_is_worth_least_goes_first_though_nothing_is_solved_again() -> None:
    x, w1 = X @ np.eye(8, 12, dtype=np.float32), np.eye(12, dtype=np.float32)
    w2 = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    w2[[3, 7]] = 0  # nobody reads these
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"], name="first"),
        helper.make_node("Identity", ["w2"], ["w"]),
        helper.make_node("MatMul", ["h", "w"], ["y"], name="second"),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("x", 1, ["batch", 12])],
            [helper.make_tensor_value_info("y", 1, ["batch", 4])],
            [onnx.numpy_helper.from_array(w1, "w1"), onnx.numpy_helper.from_array(w2, "w2")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    found = prune(model, x + 1, "macs=0.85", align=1, rivals=False, rounds=2)
    assert set(range(12)) - set(found.plan.kept["h", 1].tolist()) == {3, 7}
