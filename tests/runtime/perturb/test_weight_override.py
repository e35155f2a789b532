"""A session whose weights can be replaced gives what onnxruntime gives for a file with those weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper, parser
from oracles.observing import ROOT, quiet_options

from nnea_graph.api.analyze import load
from nnea_graph.engine import run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.graph import Constant, ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.perturb.weight_override import Slot, WeightOverrideSession
from nnea_graph.runtime.session.session import IsolationLimits, Settings, session_of

MODELS = ROOT / "models"
NAMES = ("digits_mlp", "digits_cnn", "digits_transformer")
X = np.load(MODELS / "digits.npz")["x"][:16]


def prepared(source: Path | ModelProto) -> ModelGraph:
    graph = load(source)
    run_passes(graph, complete(parse("constants"), catalogue()))
    return graph


def weights(graph: ModelGraph) -> dict[Slot, Constant]:
    return {
        (node.id, node.inputs.index(weight.tensor)): weight.constant
        for node in graph
        for weight in graph[node, WEIGHTS]
        if weight.constant.dtype.name == "float32"
    }


def reference(model: ModelProto, feeds: Mapping[str, NDArray[Any]]) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet_options())
    outputs: list[Any] = session.run(None, dict(feeds))
    return outputs


def model_of(text: str) -> ModelProto:
    model = parser.parse_model(text)
    model.ir_version = 8
    return model


@pytest.mark.parametrize("name", NAMES)
def test_with_nothing_replaced_the_model_gives_its_own_outputs(name: str) -> None:
    graph = prepared(MODELS / f"{name}.onnx")
    session = WeightOverrideSession(graph, weights(graph))
    expected = reference(onnx.load(MODELS / f"{name}.onnx"), {"x": X})
    np.testing.assert_allclose(session.run({"x": X}, {})[0], expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_that_is_replaced_acts_as_if_it_stood_in_the_file(name: str) -> None:
    graph, rng = prepared(MODELS / f"{name}.onnx"), np.random.default_rng(0)
    session = WeightOverrideSession(graph, weights(graph))
    for slot, constant in weights(graph).items():
        values = rng.normal(size=constant.shape).astype(np.float32)
        file = onnx.load(MODELS / f"{name}.onnx")
        (stored,) = [each for each in file.graph.initializer if each.name == constant.name]
        stored.CopyFrom(numpy_helper.from_array(values, stored.name))
        found = session.run({"x": X}, {slot: values})[0]
        np.testing.assert_allclose(found, reference(file, {"x": X})[0], rtol=1e-3, atol=1e-3)


def test_a_run_leaves_the_next_one_as_it_was() -> None:
    graph = prepared(MODELS / "digits_mlp.onnx")
    session = WeightOverrideSession(graph, weights(graph))
    before = session.run({"x": X}, {})[0]
    nothing = {slot: np.zeros_like(values) for slot, values in session.originals.items()}
    assert not session.run({"x": X}, nothing)[0].any()
    np.testing.assert_array_equal(session.run({"x": X}, {})[0], before)


def test_large_weights_stay_where_they_lie_in_the_file() -> None:
    graph = prepared(MODELS / "digits_mlp.onnx")
    session = WeightOverrideSession(graph, weights(graph))
    large = [values for values in session.originals.values() if values.nbytes > 4096]
    assert len(large) == 3
    assert not any(values.flags.owndata for values in large)


@pytest.mark.parametrize("name", NAMES)
def test_in_another_process_it_gives_the_same(name: str) -> None:
    graph, rng = prepared(MODELS / f"{name}.onnx"), np.random.default_rng(0)
    here = WeightOverrideSession(graph, weights(graph))
    with closing(
        WeightOverrideSession(graph, weights(graph), Settings(apart=IsolationLimits(1 << 30, 30)))
    ) as there:
        for slot in (None, *list(weights(graph))[:3]):
            changed = {slot: rng.normal(size=here.originals[slot].shape).astype(np.float32)} if slot else {}
            expected = here.run({"x": X}, changed)[0]
            np.testing.assert_allclose(there.run({"x": X}, changed)[0], expected, rtol=1e-3, atol=1e-4)


def test_an_unaltered_session_of_the_same_model_is_not_touched() -> None:
    graph = prepared(MODELS / "digits_mlp.onnx")
    plain = session_of(to_proto(graph))
    WeightOverrideSession(graph, weights(graph))
    expected = reference(onnx.load(MODELS / "digits_mlp.onnx"), {"x": X})
    np.testing.assert_allclose(plain.run({"x": X})[0], expected[0], rtol=1e-5, atol=1e-5)


def test_a_tensor_that_two_operators_share_is_replaced_for_one_alone() -> None:
    model = model_of(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 2, 3, 4}>
        { [first] h = MatMul (x, w) [second] y = MatMul (h, w) }"""
    )
    graph = prepared(model)
    session = WeightOverrideSession(graph, weights(graph))
    x = np.array([[1, 10]], np.float32)
    # x w = [31, 42]; replaced by the identity, the other product alone is left.
    (found,) = session.run({"x": x}, {("second", 1): np.eye(2, dtype=np.float32)})
    np.testing.assert_array_equal(found, [[31, 42]])


def test_a_weight_that_is_dequantized_is_replaced_as_the_operator_sees_it() -> None:
    model = model_of(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,2] x) => (float[1,2] y) <int8[2,2] q = {1, 2, 3, 4}, float s = {0.5}>
        { w = DequantizeLinear (q, s) [only] y = MatMul (x, w) }"""
    )
    graph = prepared(model)
    session = WeightOverrideSession(graph, weights(graph))
    x = np.array([[1, 10]], np.float32)
    np.testing.assert_array_equal(session.originals["only", 1], [[0.5, 1], [1.5, 2]])
    np.testing.assert_array_equal(session.run({"x": x}, {})[0], [[15.5, 21]])
    replaced = {("only", 1): np.array([[0, 1], [0, 2]], np.float32)}
    np.testing.assert_array_equal(session.run({"x": x}, replaced)[0], [[0, 21]])


@pytest.mark.parametrize(("taken", "expected"), [(True, [[0, 21]]), (False, [[5, 7]])])
def test_a_weight_of_a_branch_is_replaced_there(taken: bool, expected: list[list[float]]) -> None:  # noqa: FBT001
    model = model_of(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,2] x, bool c) => (float[1,2] y)
        { [choice] y = If (c) <
            then_branch = a () => (float[1,2] t)
              { [w] w = Constant <value = float[2,2] {1, 2, 3, 4}> () [inner] t = MatMul (x, w) },
            else_branch = b () => (float[1,2] e)
              { v = Constant <value = float[2,2] {-5, -3, 1, 1}> () e = MatMul (x, v) }
        > }"""
    )
    graph = prepared(model)
    slots = weights(graph)
    inner = next(slot for slot in slots if slot[0].endswith("inner"))
    session = WeightOverrideSession(graph, slots)
    feeds = {"x": np.array([[1, 10]], np.float32), "c": np.array(taken)}
    found = session.run(feeds, {inner: np.array([[0, 1], [0, 2]], np.float32)})[0]
    np.testing.assert_array_equal(found, expected)
