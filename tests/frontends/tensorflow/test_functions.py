"""Functions and modules of TensorFlow: parameters by their attributes, outputs as the source gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from model_zoo import keras_nets
from model_zoo.tf_nets import FEATURES, PARAMETERS, Net, Normalized, Tied, rows, tf
from numpy.typing import NDArray

from nnea_graph import analyze
from nnea_graph.errors import ModelError, UsageError
from nnea_graph.frontends.onnx.module_scopes import scope_of
from nnea_graph.frontends.resolve import resolve
from nnea_graph.frontends.shared.interface import ConvertedModel, InputSpec
from nnea_graph.frontends.tensorflow.frontend import FRONTEND
from nnea_graph.frontends.tf2onnx import provenance as tf_probing
from nnea_graph.runtime.live_model import LiveModel


def run(converted: ConvertedModel, *arrays: NDArray[Any]) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(converted.proto.SerializeToString())
    names = [each.name for each in session.get_inputs()]
    return [np.asarray(each) for each in session.run(None, dict(zip(names, arrays, strict=True)))]


def parameters(converted: ConvertedModel) -> dict[str, tuple[int, ...]]:
    assert converted.facts is not None
    return {
        each.name: each.shape
        for each in (*converted.facts.parameters, *converted.facts.buffers)
        if not each.shared_with
    }


def test_parameters_of_a_module_are_its_variables_by_attribute() -> None:
    net = Net()
    converted = FRONTEND.convert(net, None)
    assert parameters(converted) == PARAMETERS
    assert converted.facts is not None
    assert converted.facts.size == sum(int(np.prod(each.shape)) for each in net.variables)
    assert converted.facts.trainable == sum(int(np.prod(each.shape)) for each in net.trainable_variables)
    classes = {module.name: module.class_name for module in converted.facts.modules}
    assert classes == {"": "Net", "layers": "", "layers/0": "Dense", "layers/1": "Dense", "head": "Dense"}


@pytest.mark.parametrize("count", [1, 5])
def test_a_module_computes_what_its_source_does_for_any_number_of_samples(count: int) -> None:
    net = Net()
    converted = FRONTEND.convert(net, None)
    assert [value.name for value in converted.proto.graph.output] == ["features", "logits"]
    wanted = net(rows(count))
    features, logits = run(converted, rows(count))
    np.testing.assert_allclose(features, wanted["features"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logits, wanted["logits"], rtol=1e-5, atol=1e-6)


def test_operators_lie_in_the_modules_whose_parameters_they_read() -> None:
    nodes = FRONTEND.convert(Net(), None).proto.graph.node
    where = [(node.op_type, scope_of(node)) for node in nodes if node.op_type in {"MatMul", "Add"}]
    assert where == [(op, home) for home in ("layers/0", "layers/1", "head") for op in ("MatMul", "Add")]


def test_a_function_is_of_the_object_whose_method_it_is() -> None:
    net = Net()
    for function in (net.embed, net.embed.get_concrete_function()):
        converted = FRONTEND.convert(function, None)
        np.testing.assert_allclose(run(converted, rows())[0], net.embed(rows()), rtol=1e-5, atol=1e-6)
    assert set(parameters(FRONTEND.convert(net.embed, None))) == {"layers/0/w", "layers/0/b"}


def test_a_function_without_a_signature_needs_an_example_and_takes_any_number_of_samples() -> None:
    weight = tf.Variable(np.ones((FEATURES, 3), np.float32), name="weight")
    function = tf.function(lambda x: tf.nn.softmax(x @ weight))
    with pytest.raises(UsageError, match=r"does not say what its inputs are \(x\): give data, or shapes"):
        FRONTEND.convert(function, None)
    for example in (rows(2), {"x": rows(2).astype(np.float64)}, InputSpec((2, FEATURES))):
        converted = FRONTEND.convert(function, example)
        assert converted.proto.graph.input[0].name == "x"
        assert parameters(converted) == {"weight": (4, 3)}
        np.testing.assert_allclose(run(converted, rows(5))[0], function(rows(5)), rtol=1e-5, atol=1e-6)


def test_open_dims_are_filled_for_a_run_beside_the_source_and_stay_open() -> None:
    weight = tf.Variable(np.ones((FEATURES, 3), np.float32))
    function = tf.function(lambda x: x @ weight, [tf.TensorSpec((None, None, FEATURES))])
    live = LiveModel(function)
    graph = live.graph()
    assert graph.tensors["x"].shape == ("batch", "x_1", FEATURES)
    assert live.parity is not None
    assert live.parity.difference is not None


def test_a_variable_under_two_attributes_is_counted_once() -> None:
    tied = Tied()
    tokens = np.array([[1, 2, 3], [4, 5, 6]])
    converted = FRONTEND.convert(tied, tokens)
    assert converted.facts is not None
    assert converted.facts.size == 66
    assert [(each.name, each.shared_with) for each in converted.facts.parameters] in (
        [("out", ""), ("table", "out")],
        [("table", ""), ("out", "table")],
    )
    np.testing.assert_allclose(run(converted, tokens)[0], tied(tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_a_normalization_is_known_by_what_it_computes(fused: bool) -> None:  # noqa: FBT001 - as pytest gives it
    net = Normalized(fused=fused)
    converted = FRONTEND.convert(net, None)
    assert converted.facts is not None
    assert {each.name for each in converted.facts.buffers} == {"mean", "variance"}
    made_of = {name for names in converted.facts.origins.values() for name in names}
    assert made_of == {"kernel", "gamma", "beta", "mean", "variance"}
    x = np.random.default_rng(0).standard_normal((3, 6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(run(converted, x)[0], net(x), rtol=1e-4, atol=1e-5)


def test_inputs_may_be_a_dict_and_leave_arguments_out() -> None:
    class Two(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(np.full((4, 3), 0.5, np.float32))

        @tf.function  # type: ignore[untyped-decorator]
        def __call__(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:  # noqa: FBT001, FBT002
            del mask, training
            return inputs["left"] @ self.w, [inputs["right"] @ self.w]

    net = Two()
    converted = FRONTEND.convert(net, {"left": rows(2), "right": rows(2)})
    assert [value.name for value in converted.proto.graph.input] == ["left", "right"]
    assert [value.name for value in converted.proto.graph.output] == ["output_0", "output_1_0"]
    for found in run(converted, rows(3), rows(3)):
        np.testing.assert_allclose(found, rows(3) @ net.w.numpy(), rtol=1e-5)


def test_keras_layers_in_a_function_keep_their_names() -> None:
    model = keras_nets.bilstm()
    converted = FRONTEND.convert(
        tf.function(lambda x: model(x, training=False)), keras_nets.samples("bilstm")
    )
    assert sum(int(np.prod(shape)) for shape in parameters(converted).values()) == model.count_params()
    assert {"both/forward_lstm/lstm_cell/kernel", "last/lstm_cell/bias", "head/kernel"} <= set(
        parameters(converted)
    )
    assert [node.op_type for node in converted.proto.graph.node].count("LSTM") == 2


def test_new_values_of_variables_need_no_new_export(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net()
    first = FRONTEND.convert(net, None)
    net.head.w.assign(net.head.w * 3 + 1)

    def fail(*_: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(tf_probing, "converted", fail)
    assert first.again is not None
    again = first.again()
    assert again is not None
    np.testing.assert_allclose(run(again, rows())[1], net(rows())["logits"], rtol=1e-5, atol=1e-5)


def test_a_module_whose_code_does_something_else_is_exported_again() -> None:
    tied = Tied()
    live = LiveModel(tied)
    data = {"tokens": np.arange(6).reshape(2, 3)}
    assert [node.op_type for node in live.graph(data)] == ["Gather", "MatMul"]
    tied.rectified = True
    assert [node.op_type for node in live.graph(data)] == ["Gather", "MatMul", "Relu"]
    assert live.parity is not None
    assert live.parity.agrees


def test_one_report_of_a_module_counts_each_product_once() -> None:
    report = analyze(Net(), rows(6))
    assert report.totals.parameters == 140
    assert report.totals.macs == 4 * 8 + 8 * 8 + 8 * 3
    assert report.model.format == "tensorflow"
    assert not [note for note in report.findings if note.severity == "error"]


@pytest.mark.parametrize(
    ("function", "example", "message"),
    [
        (lambda: tf.function(tf.strings.length, [tf.TensorSpec((None,), tf.string)]), None, "is of type"),
        (lambda: tf.function(lambda x: x + 1, [tf.TensorSpec(None)]), None, "any number of dims"),
        (
            lambda: tf.function(lambda x: x.flat_values, [tf.RaggedTensorSpec((None, None))]),
            None,
            "RaggedTensorSpec; ONNX has dense tensors only",
        ),
        (lambda: tf.function(lambda x: x @ tf.zeros((5, 2))), rows(), r"cannot trace .*: ValueError: (?!in )"),
        (tf.Module, None, "no function that TensorFlow has traced"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_told_in_a_line(function: Any, example: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        FRONTEND.convert(function(), example)
    assert "\n" not in str(refused.value)


def test_a_module_is_of_framework_tensorflow_and_a_data_set_is_no_model() -> None:
    assert resolve(Net()).framework == "tensorflow"
    with pytest.raises(UsageError, match=r"a tf\.function or tf\.Module"):
        resolve(tf.data.Dataset.range(3))
