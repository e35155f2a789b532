"""Files that only say that they are TensorFlow Lite: one line each, and nothing of a stranger's is run."""

from __future__ import annotations

import functools
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from model_zoo.tflite_nets import Interpreter, tf, tflite

from nnea_graph.errors import ModelError
from nnea_graph.frontends.resolve import resolve
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.tflite.flatbuffer import read_tflite
from nnea_graph.frontends.tflite.frontend import FRONTEND
from nnea_graph.frontends.tflite.worker import answer

LARGEST = 0xFFFF_FFFF


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as error:
        FRONTEND.convert(path, None)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="zero-byte"),
        pytest.param(b"TFL3", id="four-bytes"),
        pytest.param(b"\x08\x00\x00\x00ONNX" + bytes(64), id="another-format"),
        pytest.param(b"PK\x03\x04" + bytes(64), id="a-zip-archive"),
    ],
)
def test_what_is_no_tflite_file_is_told_before_a_process_starts(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("subprocess.run", started)
    path = tmp_path / "model.tflite"
    assert "No such file" in refused(path)
    path.write_bytes(content)
    assert "this is no .tflite file; write what tf.lite.TFLiteConverter.convert() gives" in refused(path)


@pytest.mark.parametrize("size", [8, 9, 40, 200, 1000, 3000])
def test_a_file_that_is_cut_off_is_damaged(size: int, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite("cnn", "int8")[:size])
    with pytest.raises(ModelError, match=r"damaged|not a valid"):
        answer({"path": str(path), "only_run": False, "name": "m", "example": None}, {})


def outcome(content: bytes) -> str:
    """The one line that the tables are refused with, "" where they are not."""
    try:
        read_tflite(content)
    except ModelError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("value", [0, LARGEST, 0x7FFF_FFFF, 0x8000_0000])
def test_offsets_and_lengths_that_lead_anywhere_are_read_in_bounded_time(value: int) -> None:
    """Every word of the tables, one after the other, as the largest and smallest there are."""
    content = tflite("twins", "int8")
    for place in range(0, len(content) - 4, 4):
        changed = bytearray(content)
        changed[place : place + 4] = struct.pack("<I", value)
        assert "\n" not in outcome(bytes(changed))


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits_end_in_a_model_or_in_one_line(seed: int) -> None:
    """Only in the tables' own process: what TensorFlow Lite does with them may end it (see the next test)."""
    content = tflite("twins", "int8")
    chosen = random.Random(seed)
    for _ in range(200):
        changed = bytearray(content)
        for _ in range(chosen.choice([1, 4, 16])):
            changed[chosen.randrange(8, len(changed))] ^= 1 << chosen.randrange(8)
        assert "\n" not in outcome(bytes(changed))


def test_a_file_that_ends_the_process_that_reads_it_ends_no_other(tmp_path: Path) -> None:
    """Scales of 0 abort a kernel of TensorFlow Lite."""
    content = tflite("norm", "int8")
    for each in Interpreter(content).lite.get_tensor_details():
        for scale in each["quantization_parameters"]["scales"]:
            content = content.replace(struct.pack("<f", scale), struct.pack("<f", 0.0))
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert refused(path) == "reading it has ended the process that did it (SIGABRT); the file is damaged"


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnea_graph.frontends.tflite.client._SECONDS", 0.05)
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite("mlp", "float"))
    assert refused(path).startswith("reading it has taken 0.05 s and was stopped")


@functools.cache
def converted(name: str, argument: str = "") -> bytes:
    """A function with an operator that TensorFlow Lite has no kernel of its own for."""
    functions: dict[str, Callable[[object], object]] = {
        "Igamma": lambda x: tf.math.igamma(x, x),
        "FlexWriteFile": lambda x: _written(x, argument),
    }
    function = tf.function(functions[name]).get_concrete_function(tf.TensorSpec([2], tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if name.startswith("Flex"):
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    else:
        converter.allow_custom_ops = True
    with quiet():
        made: bytes = converter.convert()
    return made


def _written(x: object, place: str) -> object:
    with tf.control_dependencies([tf.raw_ops.WriteFile(filename=place, contents="written")]):
        return tf.identity(x) + 1.0


def test_a_custom_operator_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(converted("Igamma"))
    with pytest.raises(ModelError, match=r"custom operators of somebody's own \(Igamma\)"):
        answer({"path": str(path), "only_run": False, "name": "m", "example": None}, {})


def test_an_operator_of_tensorflow_that_writes_a_file_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: bytes) -> None:
        raise AssertionError("the interpreter has the file")

    monkeypatch.setattr("nnea_graph.frontends.tflite.worker._Interpreter", run)
    witness, path = tmp_path / "written", tmp_path / "model.tflite"
    path.write_bytes(converted("FlexWriteFile", str(witness)))
    request = {"path": str(path), "name": "m", "example": None}
    with pytest.raises(ModelError, match="tf2onnx cannot export the model"):
        answer({**request, "only_run": False}, {})
    with pytest.raises(ModelError, match="not run"):
        answer({**request, "only_run": True}, {"given0": np.zeros(2, np.float32)})
    assert not witness.exists()


def test_the_suffix_tells_the_frontend_and_a_file_of_another_name_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite("mlp", "float"))
    assert resolve(path).framework == "tensorflow"
    assert not FRONTEND.takes(tmp_path / "model.onnx")
