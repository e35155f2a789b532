"""Models of more weights than a message holds run all the same; here a message holds a few kilobytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from oracles.slicing import network, outputs

from nnea_graph.frontends.protobuf.chunks import without
from nnea_graph.runtime.export import large_models as large
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.session import session_of

X = np.random.default_rng(1).normal(size=(3, 64)).astype(np.float32)


def mlp() -> ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"]),
        helper.make_node("Add", ["h", "b1"], ["a"]),
        helper.make_node("MatMul", ["a", "w2"], ["y"]),
    ]
    shapes = {"w1": (64, 80), "b1": (80,), "w2": (80, 32)}
    model = network(
        nodes, {name: rng.normal(size=size) for name, size in shapes.items()}, ["n", 64], ["n", 32]
    )
    model.doc_string, model.producer_name = "of the model", "a test"
    model.metadata_props.add(key="is", value="kept")
    model.graph.initializer[0].doc_string = "of a tensor"
    return model


@pytest.fixture
def small_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "MESSAGE_BYTES", 10_000)


def run(model: ModelProto) -> NDArray[Any]:
    return np.asarray(session_of(Written(model)).run({"x": X})[0])


def test_what_a_message_holds_stays_as_it_is() -> None:
    model = mlp()
    assert large.parted(model) == (model, {})
    assert large.with_inputs(model) is model
    assert large.file_bytes(model) == model.ByteSize()


@pytest.mark.usefixtures("small_messages")
def test_what_none_holds_is_handed_over_apart_and_runs() -> None:
    model = mlp()
    proto, arrays = large.parted(model)
    assert set(arrays) == {"w1", "w2"}
    assert proto.ByteSize() < 2000
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            np.testing.assert_array_equal(arrays[tensor.name], numpy_helper.to_array(tensor))
    np.testing.assert_array_equal(run(model), outputs(mlp(), X))
    assert model == mlp()  # nothing was taken out of it


@pytest.mark.usefixtures("small_messages")
def test_the_rest_of_the_model_is_what_it_was() -> None:
    model = mlp()
    apart = large.large_tensors(model)
    back = without(model, apart, apart.values())
    order = [tensor.name for tensor in back.graph.initializer]
    assert order == ["b1", "w1", "w2"]
    whole = ModelProto()
    whole.CopyFrom(model)
    del whole.graph.initializer[:]
    whole.graph.initializer.extend(
        sorted(model.graph.initializer, key=lambda tensor: order.index(tensor.name))
    )
    assert back == whole


@pytest.mark.usefixtures("small_messages")
def test_everything_but_the_values_can_be_checked() -> None:
    model = mlp()
    onnx.checker.check_model(large.with_inputs(model), full_check=True)
    model.graph.node[1].op_type = "Ad"
    with pytest.raises(onnx.checker.ValidationError, match="Ad"):
        onnx.checker.check_model(large.with_inputs(model), full_check=True)
    model = mlp()
    model.graph.initializer[2].dims[:] = [32, 80]
    with pytest.raises(onnx.shape_inference.InferenceError):
        onnx.checker.check_model(large.with_inputs(model), full_check=True)


def test_bytes_are_those_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    model = mlp()
    whole = model.ByteSize()
    monkeypatch.setattr(large, "MESSAGE_BYTES", 10_000)
    assert 0 <= whole - large.file_bytes(model) < 200  # names and dims of what is apart


@pytest.mark.parametrize("kind", [TensorProto.BFLOAT16, TensorProto.INT4])
def test_a_type_that_numpy_has_not_stays_inside(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "MESSAGE_BYTES", 10_000)
    model = mlp()
    model.graph.initializer.append(helper.make_tensor("odd", kind, [20_000], np.zeros(20_000).tolist()))
    raw = numpy_helper.from_array(numpy_helper.to_array(model.graph.initializer[3]), "odd")
    model.graph.initializer[3].CopyFrom(raw)
    proto, arrays = large.parted(model)
    assert "odd" not in arrays
    assert "odd" in {tensor.name for tensor in proto.graph.initializer}
