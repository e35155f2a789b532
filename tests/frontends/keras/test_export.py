"""Keras networks as ONNX models: the same layers, the same weights, the same outputs, untrained and trained."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from model_zoo import keras_nets
from model_zoo.keras_nets import NETS, exported, samples, trained
from numpy.typing import NDArray

from nnea_graph.frontends.keras.export import KerasExport
from nnea_graph.frontends.onnx.module_scopes import scope_of
from nnea_graph.frontends.shared.interface import ConvertedModel
from nnea_graph.frontends.tf2onnx import provenance as tf_probing

HALF = {"mixed"}
every_net = pytest.mark.parametrize("net", NETS)
untrained_and_trained = pytest.mark.parametrize("made", [exported, trained])


def run(converted: ConvertedModel, x: NDArray[Any]) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(converted.proto.SerializeToString())
    (output,) = session.run(None, {session.get_inputs()[0].name: x})
    return np.asarray(output)


def assert_same_outputs(net: str, model: Any, converted: ConvertedModel, x: NDArray[Any]) -> None:
    wanted = np.asarray(model(x, training=False))
    found = run(converted, x)
    np.testing.assert_allclose(
        found, wanted, rtol=0.0, atol=(3e-3 if net in HALF else 2e-5) * np.abs(wanted).max()
    )


@every_net
@untrained_and_trained
def test_weights_are_counted_as_keras_counts_them(net: str, made: Any) -> None:
    export: KerasExport = made(net)
    facts = export.converted().facts
    assert facts is not None
    each = [part for part in (*facts.parameters, *facts.buffers) if not part.shared_with]
    assert sum(part.size for part in each) == export.model.count_params()
    by_layer: Counter[str] = Counter()
    for part in each:
        by_layer[part.name.partition("/")[0]] += part.size
    assert by_layer == {layer.name: layer.count_params() for layer in export.model.layers if layer.weights}


@every_net
@untrained_and_trained
def test_the_model_computes_what_its_source_does_for_any_number_of_samples(net: str, made: Any) -> None:
    export: KerasExport = made(net)
    converted = export.converted()
    onnx.checker.check_model(converted.proto, full_check=True)
    for count in (1, 5):
        assert_same_outputs(net, export.model, converted, samples(net, count))


@every_net
def test_the_reference_is_the_source(net: str) -> None:
    export = exported(net)
    converted = export.converted()
    assert converted.reference is not None
    assert converted.example is not None
    (output,) = converted.reference(converted.example)
    np.testing.assert_array_equal(output, np.asarray(export.model(samples(net), training=False)))


@every_net
@untrained_and_trained
def test_every_weight_is_in_the_graph_even_where_it_is_zero(net: str, made: Any) -> None:
    export: KerasExport = made(net)
    facts = export.converted().facts
    assert facts is not None
    found = {name for origins in facts.origins.values() for name in origins}
    assert found == {part.name for part in (*facts.parameters, *facts.buffers) if not part.shared_with}


@every_net
def test_operators_lie_in_layers_by_their_names_in_keras(net: str) -> None:
    converted = exported(net).converted()
    assert converted.facts is not None
    scopes = {scope_of(node) for node in converted.proto.graph.node}
    modules = {module.name for module in converted.facts.modules}
    assert scopes <= modules
    heavy = {
        scope_of(node) for node in converted.proto.graph.node if node.op_type in {"MatMul", "Conv", "LSTM"}
    }
    wanted = {
        "mlp": {"hidden_1", "hidden_2", "logits"},
        "bilstm": {"both", "last", "head"},
        "subclassed": {"first/conv", "second/conv", "twice", "head"},
    }
    assert heavy == wanted.get(net, heavy)


@every_net
def test_a_trained_network_has_the_graph_of_the_untrained_one(net: str) -> None:
    new, old = trained(net).converted().proto, exported(net).converted().proto
    assert [node.name for node in new.graph.node] == [node.name for node in old.graph.node]
    assert [tensor.name for tensor in new.graph.initializer] == [
        tensor.name for tensor in old.graph.initializer
    ]


@every_net
def test_new_weights_need_no_new_export(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keras_nets.keras.utils.set_random_seed(1)
    export = KerasExport.of(NETS[net][0](), samples(net))
    first = export.converted()
    keras_nets.change(export.model)

    def fail(*_: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(tf_probing, "converted", fail)
    assert first.again is not None
    again = first.again()
    assert again is not None
    assert_same_outputs(net, export.model, again, samples(net))


def test_two_exports_are_the_same_to_the_byte() -> None:
    one, other = (KerasExport.of(exported("residual_cnn").model, None).converted().proto for _ in range(2))
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


def test_what_is_frozen_is_known_and_moving_statistics_are_buffers() -> None:
    model = keras_nets.residual_cnn()
    model.get_layer("conv_1").trainable = False
    facts = KerasExport.of(model, None).converted().facts
    assert facts is not None
    assert [part.name for part in facts.parameters if not part.trainable] == ["conv_1/kernel"]
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert sum(part.size for part in facts.parameters if part.trainable) == trainable
    assert {part.name.rpartition("/")[2] for part in facts.buffers} == {"moving_mean", "moving_variance"}


def test_convolutions_of_groups_which_keras_compiles_apart_are_convolutions() -> None:
    layers = keras_nets.layers
    model = keras_nets.keras.Sequential(
        [keras_nets.keras.Input((6, 6, 8)), layers.Conv2D(12, 3, groups=4, name="groups")]
    )
    export = KerasExport.of(model, None)
    converted = export.converted()
    assert [node.op_type for node in converted.proto.graph.node if scope_of(node) == "groups"].count(
        "Conv"
    ) == 1
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 8)).astype(np.float32)
    assert_same_outputs("groups", model, converted, x)
