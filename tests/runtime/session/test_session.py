"""Errors of onnxruntime are one line, and name what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser
from oracles.observing import ROOT

from nnea_graph.errors import RunError
from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.session.session import Session, Settings, one_line, session_of


def session(tmp_path: Path, text: str) -> Session:
    path = tmp_path / "model.onnx"
    onnx.save(parser.parse_model(text), path)
    return session_of(to_proto(load_onnx(path)), Settings(threads=1))


def test_a_missing_input_is_named() -> None:
    made = session_of(to_proto(load_onnx(ROOT / "models" / "digits_mlp.onnx")))
    with pytest.raises(RunError, match=r"^the model's input 'x' is not given; the data has image$"):
        made.run({"image": np.zeros((1, 1, 8, 8), np.float32)})


def test_inputs_that_the_model_does_not_have_are_left_out() -> None:
    made = session_of(to_proto(load_onnx(ROOT / "models" / "digits_mlp.onnx")))
    x = np.zeros((1, 1, 8, 8), np.float32)
    assert made.run({"x": x, "labels": np.zeros(1)}, ["logits"])[0].shape == (1, 10)


def test_no_outputs_asked_for_are_none() -> None:
    made = session_of(to_proto(load_onnx(ROOT / "models" / "digits_mlp.onnx")))
    assert made.run({"x": np.zeros((1, 1, 8, 8), np.float32)}, []) == []


def test_an_operator_that_fails_is_named_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = session(
        tmp_path,
        """
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[N] x, int64[1] s) => (float[M] y) { [turn] y = Reshape (x, s) }
        """,
    )
    with pytest.raises(RunError, match=r"^onnxruntime cannot run the model: .*turn") as caught:
        made.run({"x": np.zeros(3, np.float32), "s": np.array([2])})
    message = str(caught.value)
    assert "\n" not in message
    assert "onnxruntime_src" not in message
    assert capfd.readouterr() == ("", "")


def test_an_operator_that_onnxruntime_does_not_have_is_named(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17, "elsewhere" : 1]>
    agraph (float[N] x) => (float[N] y) { y = elsewhere.Strange (x) }
    """
    with pytest.raises(RunError, match=r"^onnxruntime cannot load the model: .*Strange"):
        session(tmp_path, text)


def test_codes_and_source_places_are_dropped() -> None:
    message = (
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code. Name:'a' Status Message: "
        "/onnxruntime_src/onnxruntime/core/x.cc:41 void F(int) axis was\nwrong"
    )
    assert one_line(message) == "Non-zero status code. Name:'a' Status Message: axis was wrong"
