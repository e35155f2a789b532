"""Masked sessions: chosen channels are 0, everything else is as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hostile.support.models import graph, ints, model, op, tensor, typed
from onnx import ModelProto, TensorProto

from nnea_graph.api.analyze import load
from nnea_graph.errors import RunError
from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.observe.observations import Types
from nnea_graph.runtime.perturb.channel_mask import Maskable, MaskedSession
from nnea_graph.static.dims import Dims
from nnea_graph.static.propagation import infer

RNG = np.random.default_rng(0)
W, V = RNG.normal(size=(4, 6)).astype(np.float32), RNG.normal(size=(6, 2)).astype(np.float32)
MLP = model(
    [op("MatMul", ["x", "w"], ["h"]), op("Relu", ["h"], ["a"]), op("MatMul", ["a", "v"], ["y"])],
    [typed("x", "n", 4)],
    weights=[tensor("w", W), tensor("v", V)],
)
X = RNG.normal(size=(5, 4)).astype(np.float32)


def masked(proto: ModelProto, *tensors: Maskable) -> MaskedSession:
    made = load(proto)
    return MaskedSession(made, tensors, types_of(made))


def types_of(made: ModelGraph) -> Types:
    return infer(made, Dims({}, (), made.tensors, made.tensors, overridden=False)).types


def test_removed_channels_are_as_if_their_weights_were_not_there() -> None:
    session = masked(MLP, Maskable("a", (1,), (6,)))
    kept = np.array([True, False, True, True, False, True])
    (found,) = session.run({"x": X}, {"a": kept}, ["y"])
    assert found == pytest.approx(np.maximum(X @ W, 0)[:, kept] @ V[kept], abs=1e-6)


def test_without_masks_the_model_is_as_it_was() -> None:
    session = masked(MLP, Maskable("a", (1,), (6,)), Maskable("h", (1,), (6,)))
    (expected,) = onnxruntime.InferenceSession(MLP.SerializeToString()).run(None, {"x": X})
    (found,) = session.run({"x": X}, {}, ["y"])
    assert np.array_equal(found, expected)


def test_outputs_are_masked_under_their_own_names() -> None:
    session = masked(MLP, Maskable("y", (1,), (2,)))
    (found,) = session.run({"x": X}, {"y": np.array([True, False])}, ["y"])
    assert found[:, 0].all()
    assert not found[:, 1].any()


def test_channels_may_lie_along_several_axes() -> None:
    proto = model([op("Reshape", ["x", "s"], ["h"]), op("Relu", ["h"], ["y"])], weights=[ints("s", 2, 1, 2)])
    session = masked(proto, Maskable("h", (0, 2), (2, 2)))
    kept = np.array([True, False, True, True])
    (found,) = session.run({"x": np.array([[1, 2, 3, 4]], np.float32)}, {"h": kept}, ["y"])
    assert found.ravel().tolist() == [1, 0, 3, 4]


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.DOUBLE], ids=["float16", "float64"])
def test_other_floats(dtype: int) -> None:
    proto = model(
        [op("Cast", ["x"], ["h"], to=dtype), op("Neg", ["h"], ["a"]), op("Cast", ["a"], ["y"], to=1)]
    )
    session = masked(proto, Maskable("a", (1,), (4,)))
    (found,) = session.run(
        {"x": np.ones((1, 4), np.float32)}, {"a": np.array([True, False, True, False])}, ["y"]
    )
    assert found.tolist() == [[-1, 0, -1, 0]]


def test_branches_and_loops_are_masked_inside() -> None:
    then = graph([op("Relu", ["x"], ["t"]), op("Neg", ["t"], ["tt"])], [], [typed("tt", 1, 4)], name="then")
    other = graph([op("Neg", ["x"], ["e"])], [], [typed("e", 1, 4)], name="else")
    body = graph(
        [
            op("Identity", ["c"], ["c2"]),
            op("Add", ["s", "s"], ["s2"]),
            op("If", ["c"], ["z"], then_branch=then, else_branch=other),
            op("Add", ["s2", "z"], ["s3"]),
        ],
        [typed("i", dtype=7), typed("c", dtype=9), typed("s", 1, 4)],
        [typed("c2", dtype=9), typed("s3", 1, 4)],
    )
    proto = model(
        [op("Loop", ["m", "", "x"], ["y"], body=body)], outputs=[typed("y", 1, 4)], weights=[ints("m", 2)]
    )
    proto.graph.initializer[0].dims[:] = []
    made = load(proto)
    relu = next(node.outputs[0] for node in made if node.op_type == "Relu")
    doubled = next(node.outputs[0] for node in made if node.op_type == "Add")
    session = masked(proto, Maskable(relu, (1,), (4,)), Maskable(doubled, (1,), (4,)))
    assert session.refused == {}
    x = np.ones((1, 4), np.float32)
    kept = {relu: np.array([True, False, True, False]), doubled: np.array([True, True, False, False])}
    # Twice s = m2 * 2 s - m1 * 1, channel by channel, from s = 1.
    expected = []
    for first, second in zip(kept[relu], kept[doubled], strict=True):
        s = 1.0
        for _ in range(2):
            s = second * 2 * s - first * 1
        expected.append(s)
    (found,) = session.run({"x": x}, kept, ["y"])
    assert found.tolist() == [expected]


def test_what_cannot_be_masked_is_refused_with_the_reason() -> None:
    proto = model([op("ArgMax", ["x"], ["i"], axis=1), op("Cast", ["i"], ["y"], to=1)])
    session = masked(proto, Maskable("x", (1,), (4,)), Maskable("i", (), ()), Maskable("none", (), ()))
    assert session.refused == {
        "x": "no operator makes it: it enters the model or the body of a loop",
        "i": "its elements are int64: 0 may not stand for nothing there",
        "none": "no operator makes it: it enters the model or the body of a loop",
    }
    assert session.run({"x": np.ones((1, 4), np.float32)}, {}, ["y"])[0].shape == (1, 1)


def test_old_operator_sets_are_refused() -> None:
    proto = model([op("Relu", ["x"], ["h"]), op("Relu", ["h"], ["y"])], opset=6)
    proto.ir_version = 3
    assert masked(proto, Maskable("h", (1,), (4,))).refused == {
        "h": "operator set 6 of the model cannot multiply by channel"
    }


def test_names_of_the_model_do_not_clash_with_those_of_masks() -> None:
    proto = model([op("Relu", ["x"], ["nnea/0"]), op("Relu", ["nnea/0"], ["y"])])
    session = masked(proto, Maskable("nnea/0", (1,), (4,)))
    (found,) = session.run(
        {"x": np.ones((1, 4), np.float32)}, {"nnea/0": np.array([True] * 3 + [False])}, ["y"]
    )
    assert found.tolist() == [[1, 1, 1, 0]]


def test_time_is_limited() -> None:
    with pytest.raises(RunError, match="time"):
        masked(MLP, Maskable("a", (1,), (6,))).run({"x": np.ones((100_000, 4), np.float32)}, {}, ["y"], 0)


def test_a_real_model_is_the_same_when_nothing_is_masked() -> None:
    file = Path(__file__).parents[3] / "models" / "digits_cnn.onnx"
    made = load(file)
    session = MaskedSession(made, [Maskable("relu_3", (1,), (32,))], types_of(made))
    x = np.random.default_rng(0).random((3, 1, 8, 8), np.float32)
    (found,) = session.run({"x": x}, {}, ["logits"])
    assert found == pytest.approx(onnxruntime.InferenceSession(file).run(None, {"x": x})[0], abs=1e-5)
