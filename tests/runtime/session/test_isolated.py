"""A session in another process: what crosses, and what its death, its hunger and its slowness come to."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import parser
from oracles.observing import ROOT

from nnea_graph.errors import RunError
from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.session import isolated as apart
from nnea_graph.runtime.session.isolated import IsolatedSession
from nnea_graph.runtime.session.session import IsolationLimits, session_of

LIMITS = IsolationLimits(1 << 30, 30.0)


def session(text: str, tmp_path: Path, limits: IsolationLimits = LIMITS) -> IsolatedSession:
    path = tmp_path / "model.onnx"
    onnx.save(parser.parse_model(text), path)
    graph = load_onnx(path)
    return IsolatedSession(to_proto(graph), graph.outputs, 1, limits)


ADD = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[N] x, float[N] z) => (float[N] y) { y = Add (x, z) }
"""
WIDE = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (int64[1] n) => (float s) { w = ConstantOfShape (n)  s = ReduceSum<keepdims = 0> (w) }
"""


def test_what_it_answers_is_what_a_session_here_answers(tmp_path: Path) -> None:
    made = session(ADD, tmp_path)
    x, z = (np.random.default_rng(0).standard_normal(5).astype(np.float32) for _ in range(2))
    (found,) = made.run({"x": x, "z": z}, ["y"], 30)
    assert found.tolist() == (x + z).tolist()
    assert made.run({"x": x, "z": z}, [], 30) == []
    made.close()


def test_weights_of_the_shipped_models_cross_in_their_file() -> None:
    graph = load_onnx(ROOT / "models" / "digits_cnn.onnx")
    written = to_proto(graph)
    assert written.stored
    made = IsolatedSession(written, graph.outputs, 1, LIMITS)
    x = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)
    here = session_of(to_proto(graph)).run({"x": x}, list(graph.outputs))
    assert made.run({"x": x}, list(graph.outputs), 30)[0] == pytest.approx(here[0], rel=1e-4, abs=1e-5)
    made.close()


def test_an_error_of_onnxruntime_is_the_same_as_here_and_ends_nothing(tmp_path: Path) -> None:
    made = session(ADD, tmp_path)
    with pytest.raises(RunError, match=r"^onnxruntime cannot run the model: .*"):
        made.run({"x": np.ones(2, np.float32), "z": np.ones(3, np.float32)}, ["y"], 30)
    with pytest.raises(RunError, match=r"^the model's input 'z' is not given"):
        made.run({"x": np.ones(2, np.float32)}, ["y"], 30)
    assert made.run({"x": np.ones(2, np.float32), "z": np.ones(2, np.float32)}, ["y"], 30)[0].tolist() == [
        2,
        2,
    ]


def test_a_model_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^onnxruntime cannot load the model: .*Strange"):
        session(ADD.replace("Add", "Strange"), tmp_path)


def test_more_memory_than_allowed_is_refused_by_the_kernel(tmp_path: Path) -> None:
    made = session(WIDE, tmp_path, IsolationLimits(200 << 20, 30.0))
    assert made.run({"n": np.array([1000])}, ["s"], 30)[0] == 0
    with pytest.raises(RunError, match=r"allocate|memory"):
        made.run({"n": np.array([1 << 30])}, ["s"], 30)


def test_a_process_that_dies_is_an_error_that_says_of_what(tmp_path: Path) -> None:
    made = session(ADD, tmp_path)
    os.kill(made.pid, signal.SIGSEGV)
    with pytest.raises(RunError, match=r"running the model has ended the process that did it \(SIGSEGV\)"):
        made.run({"x": np.ones(1, np.float32), "z": np.ones(1, np.float32)}, ["y"], 30)


def test_a_process_that_hangs_is_ended_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_GRACE", 0.2)
    made = session(ADD, tmp_path)
    os.kill(made.pid, signal.SIGSTOP)
    with pytest.raises(RunError, match="the time for running the model is up"):
        made.run({"x": np.ones(1, np.float32), "z": np.ones(1, np.float32)}, ["y"], 0.3)


def test_a_session_that_is_not_made_in_time_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the time for loading the model is up"):
        session(ADD, tmp_path, IsolationLimits(1 << 30, 0.01))


def test_the_process_ends_with_the_session(tmp_path: Path) -> None:
    made = session(ADD, tmp_path)
    pid = made.pid
    del made
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_process_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnx", "numpy", "onnxruntime", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(66)\n")
    monkeypatch.chdir(tmp_path)
    session(ADD, tmp_path).close()


def test_a_process_that_cannot_be_started_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", fails)
    with pytest.raises(RunError, match=r"cannot be started: .*Cannot allocate memory"):
        session(ADD, tmp_path)
