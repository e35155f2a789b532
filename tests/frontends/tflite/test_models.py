"""TensorFlow Lite files as ONNX models: the same outputs, weights, costs and layers as the file and as Keras."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from model_zoo import tflite_nets
from model_zoo.tflite_nets import KINDS, Interpreter, model, samples, tflite
from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph import analyze
from nnea_graph.errors import UsageError
from nnea_graph.frontends.onnx.module_scopes import scope_of
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.tflite.worker import answer
from nnea_graph.report.schema.analysis import Report
from nnea_graph.runtime.export_parity import _compared

STATIC = [(net, kind) for net in ("mlp", "cnn") for kind in KINDS]
every_file = pytest.mark.parametrize(("net", "kind"), STATIC)

LAYERS = {
    "mlp": {"first": 20 * 128 + 128, "second": 128 * 64 + 64, "logits": 64 * 10 + 10},
    "cnn": {"stem": 27 * 8 + 8, "middle": 72 * 8 + 8, "depthwise": 72 + 8, "head": 45},
}
"""Parameters by layer, in which normalizations are folded."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tflite")


def exported(net: str, kind: str, folder: Path) -> ModelProto:
    return tflite_nets.exported(net, kind, folder)[1]


def run(proto: ModelProto, x: NDArray[Any]) -> NDArray[Any]:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(
        "session.disable_quant_qdq", "1"
    )  # TensorFlow's products do not saturate
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    (output,) = session.run(None, {session.get_inputs()[0].name: x})
    return np.asarray(output)


def costs(source: Any, **options: Any) -> Report:
    return analyze(source, passes="cost", may_run=False, **options)


def given(net: str, kind: str, count: int) -> NDArray[Any]:
    """Samples as the file takes them."""
    x = samples(net, count)
    return np.clip(np.round(x * 40), -128, 127).astype(np.int8) if kind == "int8_io" else x


@every_file
def test_the_model_computes_what_tensorflow_lite_does_for_any_number_of_samples(
    net: str, kind: str, folder: Path
) -> None:
    proto = exported(net, kind, folder)
    onnx.checker.check_model(proto, full_check=True)
    interpreter = Interpreter(tflite(net, kind))
    for count in (1, 5):
        x = given(net, kind, count)
        wanted, found = interpreter.run(x), run(proto, x)
        assert found.dtype == wanted.dtype
        apart = np.abs(found.astype(float) - wanted.astype(float)).max()
        scale = np.abs(wanted.astype(float)).max()
        if kind.startswith("float"):
            assert apart <= 1e-6 * scale
        elif kind == "dynamic":
            assert apart <= 2 / 255 * scale
        else:
            assert apart <= (1 if kind == "int8_io" else 1.01 * interpreter.step)


@every_file
def test_parameters_are_the_constants_that_the_interpreter_shows(net: str, kind: str, folder: Path) -> None:
    found = costs(exported(net, kind, folder))
    constants = Interpreter(tflite(net, kind)).constants()
    assert found.totals.parameters == sum(math.prod(each["shape"]) for each in constants)
    assert found.totals.parameters == sum(LAYERS[net].values())


@every_file
def test_layers_have_the_names_of_keras_below_the_models_own(net: str, kind: str, folder: Path) -> None:
    found = costs(exported(net, kind, folder))
    by_layer = {layer.scope: layer.parameters for layer in found.layers if layer.parameters}
    # Keras numbers the name scopes of a model that it has traced before.
    assert {name.removesuffix("_1"): size for name, size in by_layer.items()} == LAYERS[net]


@every_file
def test_macs_are_those_of_the_keras_model(net: str, kind: str, folder: Path) -> None:
    found = costs(exported(net, kind, folder), dims={"batch": 3})
    wanted = costs(model(net), dims={"batch": 3})
    assert found.totals.macs == wanted.totals.macs
    assert found.totals.coverage is not None
    assert found.totals.coverage.unknown == 0


@pytest.mark.parametrize("kind", ["int8", "int8_io", "dynamic", "float16"])
def test_weights_of_few_bits_are_seen_as_the_numbers_that_they_stand_for(kind: str, folder: Path) -> None:
    passes = "weight-statistics"
    found = analyze(exported("mlp", kind, folder), passes=passes, may_run=False)
    wanted = analyze(exported("mlp", "float", folder), passes=passes, may_run=False)
    for one, other in zip(found.layers, wanted.layers, strict=True):
        assert one.weight_metrics is not None
        assert other.weight_metrics is not None
        assert one.weight_metrics.mean == pytest.approx(other.weight_metrics.mean, rel=0.01)
        assert one.weight_metrics.utilization == pytest.approx(other.weight_metrics.utilization, rel=0.01)


@pytest.mark.parametrize(("kind", "bytes_each"), [("float", 4), ("float16", 2)])
def test_weights_are_stored_in_the_type_of_the_file(kind: str, bytes_each: int, folder: Path) -> None:
    proto = exported("mlp", kind, folder)
    assert sum(len(each.raw_data) for each in proto.graph.initializer) == bytes_each * 11_594


def test_constants_of_equal_bytes_are_kept_apart(folder: Path) -> None:
    proto = exported("twins", "int8", folder)
    kernels = [each for each in proto.graph.initializer if list(each.dims) == [4, 4]]
    assert len(kernels) == 2
    assert kernels[0].raw_data == kernels[1].raw_data
    assert costs(proto).totals.parameters == model("twins").count_params()


@every_file
def test_constants_have_the_names_of_the_files_tensors(net: str, kind: str, folder: Path) -> None:
    names = {each.name.removesuffix(":half") for each in exported(net, kind, folder).graph.initializer}
    for each in Interpreter(tflite(net, kind)).constants():
        parts = [part.removeprefix(f"{net}_1/") for part in each["name"].split(";") if part]
        assert any(name in parts or name.rpartition("/")[2] in parts for name in names), each["name"]


def test_inputs_and_outputs_have_the_names_of_the_signature(folder: Path) -> None:
    graph = exported("cnn", "int8", folder).graph
    assert [value.name for value in graph.input] == ["image"]
    assert [value.name for value in graph.output] == ["output_0"]


def test_two_exports_are_the_same_to_the_byte(folder: Path) -> None:
    one = exported("cnn", "int8", folder)
    path = folder / "cnn_int8.tflite"
    _, found = answer({"path": str(path), "only_run": False, "name": "cnn", "example": None}, {})
    assert ModelProto.FromString(found["proto"].tobytes()) == one


def test_a_loop_of_an_lstm_runs_as_often_as_the_sequence_is_long(folder: Path) -> None:
    about, proto = tflite_nets.exported("lstm", "float", folder)
    found, wanted = costs(proto), costs(model("lstm"))
    assert found.totals.macs == wanted.totals.macs
    assert found.totals.parameters == model("lstm").count_params()
    assert {scope_of(node).partition("/")[0] for node in proto.graph.node} == {"lstm_1", "head_1"}
    assert [rule for rule, _ in about["notes"]] == ["fixed-batch"]
    x = samples("lstm", 1)
    np.testing.assert_allclose(run(proto, x), Interpreter(tflite("lstm", "float")).run(x), atol=1e-6)


@pytest.mark.parametrize("net", ["gelu", "gelu_tanh"])
def test_gelu_which_tf2onnx_has_no_rule_for_is_computed(net: str, folder: Path) -> None:
    x = samples(net, 64) * 3
    wanted = Interpreter(tflite(net, "float")).run(x)
    np.testing.assert_allclose(
        run(exported(net, "float", folder), x), wanted, atol=2e-6 * np.abs(wanted).max()
    )


def test_what_is_rounded_while_it_runs_is_said(folder: Path) -> None:
    about, proto = tflite_nets.exported("mlp", "dynamic", folder)
    assert [rule for rule, _ in about["notes"]] == ["float-activations"]
    assert "DynamicQuantizeLinear" not in {node.op_type for node in proto.graph.node}


def test_an_example_of_other_dims_than_the_file_fixes_is_refused(folder: Path) -> None:
    exported("mlp", "float", folder)
    request = {"path": str(folder / "mlp_float.tflite"), "only_run": False, "name": "mlp"}
    with pytest.raises(UsageError, match=r"input 'features' takes \['any', 20\]; the example has \[2, 21\]"):
        answer({**request, "example": [[[2, 21], ""]]}, {})


def test_a_file_is_exported_compared_with_its_source_and_read_again(folder: Path, tmp_path: Path) -> None:
    kept = exported("mlp", "int8", folder)
    out = tmp_path / "out.onnx"
    command = [sys.executable, "-m", "nnea_graph", "export", str(folder / "mlp_int8.tflite"), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "out.onnx: outputs differ from the source by" in done.stderr
    one, other = costs(kept), costs(str(out))
    assert one.totals == other.totals
    assert [layer.scope for layer in one.layers] == [layer.scope for layer in other.layers]


def test_outputs_count_as_the_same_within_two_steps_of_the_source() -> None:
    found, wanted = [np.array([10, 13], np.int8)], [np.array([10, 11], np.int8)]
    assert _compared(found, wanted, [1.0]).agrees
    assert not _compared([found[0] + np.int8(1)], wanted, [1.0]).agrees
    assert not _compared(found, wanted, [0.0]).agrees


class Both(tflite_nets.tf.Module):  # type: ignore[misc]
    """Two functions in one file."""

    @tflite_nets.tf.function(input_signature=[tflite_nets.tf.TensorSpec([None, 3], name="x")])  # type: ignore[untyped-decorator]
    def first(self, x: Any) -> Any:
        return {"doubled": x + x}

    @tflite_nets.tf.function(input_signature=[tflite_nets.tf.TensorSpec([None, 3], name="x")])  # type: ignore[untyped-decorator]
    def second(self, x: Any) -> Any:
        return {"squared": x * x}


def test_of_several_signatures_the_first_is_read_and_the_others_are_mentioned(tmp_path: Path) -> None:
    tf, both, path = tflite_nets.tf, Both(), tmp_path / "both.tflite"
    with quiet():
        tf.saved_model.save(both, str(tmp_path), signatures={"first": both.first, "second": both.second})
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(tmp_path), signature_keys=["first", "second"]
        )
        path.write_bytes(converter.convert())
    about, found = answer({"path": str(path), "only_run": False, "name": "both", "example": None}, {})
    proto = ModelProto.FromString(found["proto"].tobytes())
    assert [value.name for value in proto.graph.output] == ["doubled"]
    assert [rule for rule, _ in about["notes"]] == ["other-signatures"]
    assert run(proto, np.full((2, 3), 3.0, np.float32)).max() == 6
