"""SavedModel folders: the network that was saved, by its own names, and nothing else that a file may hold."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from model_zoo import keras_nets
from model_zoo.keras_nets import keras, layers
from model_zoo.tf_nets import PARAMETERS, Net, rows, saved, tf

from nnea_graph import analyze
from nnea_graph.commands.cli import run_command_line
from nnea_graph.errors import ModelError
from nnea_graph.frontends.keras.export import KerasExport
from nnea_graph.frontends.onnx.module_scopes import scope_of
from nnea_graph.frontends.resolve import resolve
from nnea_graph.frontends.shared.interface import ConvertedModel
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.tensorflow.frontend import FRONTEND
from nnea_graph.runtime.live_model import LiveModel


def exported(model: Any, folder: Path) -> Path:
    """As Keras writes it for serving."""
    with quiet():
        model.export(str(folder), verbose=False)
    return folder


def parts(converted: ConvertedModel) -> list[tuple[str, tuple[int, ...], bool]]:
    assert converted.facts is not None
    every = (*converted.facts.parameters, *converted.facts.buffers)
    return sorted((each.name, each.shape, each.trainable) for each in every)


def operators(converted: ConvertedModel) -> list[tuple[str, str]]:
    return [(node.op_type, scope_of(node)) for node in converted.proto.graph.node]


def nested() -> Any:
    """Submodels with layers of the same names, layers that nobody has named, one that runs twice."""

    def block(name: str) -> Any:
        start = keras.Input((8,))
        return keras.Model(start, layers.Dense(8, name="down")(layers.Dense(8, name="up")(start)), name=name)

    start = keras.Input((8,), name="x")
    x = layers.Add()([block("left")(start), start])
    x = layers.Add()([block("right")(x), x])
    twice = layers.Dense(8, activation="relu")
    return keras.Model(start, layers.Dense(2, name="head")(twice(twice(x))), name="nested")


NETS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    **{
        name: keras_nets.NETS[name] for name in ("residual_cnn", "bilstm", "attention", "subclassed", "mixed")
    },
    "nested": (nested, (8,)),
}


def samples(net: str, count: int = 2) -> Any:
    if net in keras_nets.NETS:
        return keras_nets.samples(net, count)
    return np.random.default_rng(count).standard_normal((count, *NETS[net][1])).astype(np.float32)


@pytest.fixture(scope="module", params=NETS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Any, ConvertedModel, ConvertedModel]:
    """A network, what the folder of it gives, and what the live model gives."""
    net: str = request.param
    known = net in keras_nets.NETS
    live = keras_nets.exported(net) if known else KerasExport.of(NETS[net][0](), None)
    folder = exported(live.model, tmp_path_factory.mktemp(net) / "saved")
    return net, live.model, FRONTEND.convert(folder, None), live.converted()


def test_a_folder_has_the_parameters_of_the_keras_model(
    pair: tuple[str, Any, ConvertedModel, ConvertedModel],
) -> None:
    _, model, found, live = pair
    assert parts(found) == parts(live)
    assert sum(int(np.prod(shape)) for _, shape, _ in parts(found)) == model.count_params()
    assert found.facts is not None
    assert live.facts is not None
    assert {each.name for each in found.facts.buffers} == {each.name for each in live.facts.buffers}
    assert {name for names in found.facts.origins.values() for name in names} == {
        name for name, _, _ in parts(found)
    }


def test_operators_lie_in_the_layers_of_the_keras_model(
    pair: tuple[str, Any, ConvertedModel, ConvertedModel],
) -> None:
    _, _, found, live = pair
    heavy = {"MatMul", "Conv", "LSTM", "Relu", "MaxPool"}
    counted = (Counter(each for each in operators(part) if each[0] in heavy) for part in (found, live))
    assert next(counted) == next(counted)
    assert found.facts is not None
    assert live.facts is not None
    assert {each.name for each in found.facts.modules} <= {each.name for each in live.facts.modules}


def test_a_folder_computes_what_the_model_does(pair: tuple[str, Any, ConvertedModel, ConvertedModel]) -> None:
    net, model, found, _ = pair
    onnx.checker.check_model(found.proto, full_check=True)
    session = onnxruntime.InferenceSession(found.proto.SerializeToString())
    for count in (1, 5):
        x = samples(net, count)
        wanted = np.asarray(model(x, training=False))
        (output,) = session.run(None, {session.get_inputs()[0].name: x})
        tolerance = (3e-3 if net == "mixed" else 2e-5) * np.abs(wanted).max()
        np.testing.assert_allclose(output, wanted, rtol=0.0, atol=tolerance)
    if found.example is not None:
        assert found.reference is not None
        (reference,) = found.reference(found.example)
        (output,) = session.run(None, dict(found.example))
        np.testing.assert_allclose(output, reference, rtol=1e-2, atol=1e-3)


def test_what_keras_has_frozen_does_not_train(tmp_path: Path) -> None:
    model = keras_nets.mlp()
    model.layers[0].trainable = False
    found = FRONTEND.convert(exported(model, tmp_path / "saved"), None)
    assert [name for name, _, trains in parts(found) if not trains] == ["hidden_1/bias", "hidden_1/kernel"]


def test_macs_are_those_of_the_live_model(tmp_path: Path) -> None:
    model = keras_nets.residual_cnn()
    found, live = (analyze(each, passes="cost") for each in (exported(model, tmp_path / "saved"), model))
    assert found.totals.macs == live.totals.macs
    assert found.totals.macs_formula == live.totals.macs_formula
    assert found.model.format == "tensorflow"
    assert not [note for note in found.findings if note.severity != "note"]


def test_a_keras_model_saved_as_an_object_is_the_same(tmp_path: Path) -> None:
    model = keras_nets.mlp()
    keras_nets.fit(model, keras_nets.samples("mlp", 8))  # an optimizer is saved with it
    found, live = (
        FRONTEND.convert(saved(model, tmp_path / "saved"), None),
        KerasExport.of(model, None).converted(),
    )
    assert parts(found) == parts(live)
    assert operators(found) == operators(live)


class Old(tf.Module):  # type: ignore[misc]
    """Has what Keras 2 writes: attributes with numbers of its own, variables and scopes named after layers."""

    def __init__(self) -> None:
        super().__init__()
        self.keras_api = tf.Module()
        for place, (name, outputs) in enumerate({"fc_1": 8, "fc_2": 8, "fc": 3}.items()):
            kernel = np.random.default_rng(place).standard_normal((4 if not place else 8, outputs))
            variable = tf.Variable(kernel.astype(np.float32), name=f"{name}/kernel")
            setattr(self, f"layer_with_weights-{place}", variable)

    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        with tf.name_scope("net"):
            for place, scope in enumerate(("fc_1", "fc_2", "fc")):
                with tf.name_scope(scope):
                    x = tf.matmul(x, getattr(self, f"layer_with_weights-{place}"))
                with tf.name_scope(f"relu_{place}" if place else "relu"):
                    x = tf.nn.relu(x)
        return x


def test_layers_of_keras_2_are_called_by_their_names(tmp_path: Path) -> None:
    converted = FRONTEND.convert(saved(Old(), tmp_path / "old"), None)
    assert [name for name, _, _ in parts(converted)] == ["fc/kernel", "fc_1/kernel", "fc_2/kernel"]
    assert operators(converted) == [
        (op, layer)
        for layers in (("fc_1", "relu"), ("fc_2", "relu_1"), ("fc", "relu_2"))
        for op, layer in zip(("MatMul", "Relu"), layers, strict=True)
    ]


def test_a_saved_module_keeps_its_attributes(tmp_path: Path) -> None:
    net = Net()
    converted = FRONTEND.convert(saved(net, tmp_path / "net"), None)
    assert {name: shape for name, shape, _ in parts(converted)} == PARAMETERS
    assert {name for name, _, trains in parts(converted) if not trains} == {
        name for name in PARAMETERS if name.endswith("/b")
    }
    session = onnxruntime.InferenceSession(converted.proto.SerializeToString())
    logits = session.run(["logits"], {"x": rows(3)})[0]
    np.testing.assert_allclose(logits, net(rows(3))["logits"], rtol=1e-5, atol=1e-6)


def test_a_signature_is_chosen_by_name_or_named_where_there_are_several(tmp_path: Path) -> None:
    net = Net()
    folder = saved(net, tmp_path / "net", signatures={"whole": net.__call__, "part": net.embed})
    with pytest.raises(ModelError, match=r"several signatures and none is 'serving_default': .*FOLDER:"):
        FRONTEND.convert(folder, None)
    with pytest.raises(ModelError, match="there is no signature 'nothing'; there is "):
        FRONTEND.convert(Path(f"{folder}:nothing"), None)
    found = resolve(f"{folder}:part")
    assert found.frontend is FRONTEND
    assert {name for name, _, _ in parts(FRONTEND.convert(found.value, None))} == {"layers/0/w", "layers/0/b"}
    assert analyze(f"{folder}:whole", rows(6)).totals.parameters == 140
    assert analyze(folder / "saved_model.pb:part", passes="cost").totals.macs == 32


def test_one_signature_needs_no_name_and_an_object_may_have_none(tmp_path: Path) -> None:
    net = Net()
    folder = saved(net, tmp_path / "net", signatures={"part": net.embed})
    assert len(parts(FRONTEND.convert(folder, None))) == 2
    with pytest.raises(ModelError, match="no function that TensorFlow has traced"):
        FRONTEND.convert(saved(tf.Module(), tmp_path / "empty"), None)


def test_the_command_line_runs_and_exports_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = exported(keras_nets.mlp(), tmp_path / "mlp"), tmp_path / "mlp.onnx"
    assert run_command_line(["run", str(folder), "-p", "cost"]) == 0
    assert "11,594 weights" in capsys.readouterr().out
    assert run_command_line(["export", str(folder), "-o", str(file)]) == 0
    said = capsys.readouterr()
    assert not said.out
    assert "outputs differ from the source by" in said.err
    assert run_command_line(["run", str(file), "-p", "cost"]) == 0
    assert "11,594 weights" in capsys.readouterr().out


def test_an_export_is_the_same_in_every_process(tmp_path: Path) -> None:
    """tf2onnx goes through sets of names; with this seed of hashes it took another way at this network."""
    exported(keras_nets.exported("subclassed").model, tmp_path / "net")
    command = [sys.executable, "-m", "nnea_graph", "export", "net", "-o", "net.onnx", "-q"]
    environment = {**os.environ, "PYTHONHASHSEED": "3"}
    subprocess.run(command, check=True, cwd=tmp_path, env=environment, timeout=300)
    with contextlib.chdir(tmp_path):
        found = LiveModel("net").exported().SerializeToString(deterministic=True)
    assert (tmp_path / "net.onnx").read_bytes() == found


# What a stranger's file may hold


class Writing(tf.Module):  # type: ignore[misc]
    """A network whose graph also writes a file."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.w = tf.Variable(np.ones((4, 3), np.float32))
        self.place = str(place)

    @tf.function(input_signature=[tf.TensorSpec((None, 4))])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        return x @ self.w

    @tf.function(input_signature=[tf.TensorSpec((None, 4))])  # type: ignore[untyped-decorator]
    def write(self, x: Any) -> Any:
        return tf.while_loop(lambda i: i < 1, self._written, [tf.constant(0)])[0] + tf.cast(x[0, 0], tf.int32)

    def _written(self, i: Any) -> Any:
        tf.io.write_file(self.place, "here")
        return [i + 1]


@pytest.mark.parametrize("chosen", ["", ":write"])
def test_a_graph_that_writes_files_is_not_loaded(chosen: str, tmp_path: Path) -> None:
    folder = saved(Writing(tmp_path / "witness"), tmp_path / "net")
    with pytest.raises(ModelError, match=r"WriteFile, which can reach files or code.*file\.py:callable"):
        FRONTEND.convert(Path(f"{folder}{chosen}"), None)
    assert not (tmp_path / "witness").exists()


def test_python_behind_an_operator_is_not_called(tmp_path: Path) -> None:
    called: list[int] = []

    def python(x: Any) -> Any:
        called.append(1)
        return x

    module = tf.Module()
    module.call = tf.function(
        lambda x: tf.ensure_shape(tf.py_function(python, [x], tf.float32), (None, 4)),
        input_signature=[tf.TensorSpec((None, 4))],
    )
    folder = saved(module, tmp_path / "net")
    called.clear()
    with pytest.raises(ModelError, match="operator EagerPyFunc"):
        FRONTEND.convert(folder, None)
    assert not called


def test_what_the_first_version_runs_to_initialize_is_looked_at_too(tmp_path: Path) -> None:
    v1, witness = tf.compat.v1, tmp_path / "witness"
    with quiet(), tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": x + 1.0})
        builder = v1.saved_model.Builder(str(tmp_path / "net"))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            main_op=tf.io.write_file(str(witness), "here"),
        )
        builder.save()
    with pytest.raises(ModelError, match="operator WriteFile"):
        FRONTEND.convert(tmp_path / "net", None)
    assert not witness.exists()


@pytest.mark.parametrize("resource", [True, False])
def test_a_model_of_the_first_version_is_read_where_its_variables_can_be_frozen(
    resource: bool,  # noqa: FBT001 - as pytest gives it
    tmp_path: Path,
) -> None:
    v1 = tf.compat.v1
    with quiet(), tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        with v1.variable_scope("dense", use_resource=resource):
            y = tf.nn.relu(x @ v1.get_variable("w", (4, 3)) + v1.get_variable("b", (3,)))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "net"), {"x": x}, {"y": y})
        wanted = session.run(y, {x: rows(3)})
    if not resource:
        with pytest.raises(ModelError, match=r"variables of TensorFlow 1 \(VariableV2\)"):
            FRONTEND.convert(tmp_path / "net", None)
        return
    converted = FRONTEND.convert(tmp_path / "net", None)
    assert [(name, shape) for name, shape, _ in parts(converted)] == [("dense/b", (3,)), ("dense/w", (4, 3))]
    session = onnxruntime.InferenceSession(converted.proto.SerializeToString())
    np.testing.assert_allclose(session.run(None, {"x": rows(3)})[0], wanted, rtol=1e-5, atol=1e-6)


def _cut(folder: Path) -> None:
    file = folder / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:2000])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda folder: (folder / "saved_model.pb").write_text("hello"), "cannot read saved_model.pb"),
    "empty": (lambda folder: (folder / "saved_model.pb").write_text(""), "holds no model"),
    "cut": (_cut, "cannot read saved_model.pb"),
    "no weights": (lambda folder: shutil.rmtree(folder / "variables"), "the weights are missing"),
    "cut weights": (
        lambda folder: next((folder / "variables").glob("*.data*")).write_bytes(b"\0" * 10),
        "cannot load it",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_folder_is_told_in_a_line(
    damage: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    folder = saved(Net(), tmp_path / "net")
    damage(folder)
    with pytest.raises(ModelError, match=message) as refused:
        FRONTEND.convert(folder, None)
    assert "\n" not in str(refused.value)


def test_a_folder_without_a_model_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"this is a folder; give .* SavedModel: it holds saved_model\.pb"):
        analyze(tmp_path)
