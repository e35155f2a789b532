"""A model that takes its process down is found out in another one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nnea_graph.api.analyze import load
from nnea_graph.errors import RunError
from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.export.to_onnx import Written, to_proto
from nnea_graph.runtime.session import trial
from nnea_graph.runtime.session.isolated import IsolatedSession
from nnea_graph.runtime.session.library import onnxruntime
from nnea_graph.runtime.session.trial import try_run

MODEL = Path(__file__).parents[3] / "models" / "digits_mlp.onnx"
GIB = 1 << 30


def fed(graph: ModelGraph) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    name = next(iter(graph.inputs))
    shape = [dim if isinstance(dim, int) else 1 for dim in graph.tensors[name].shape or ()]
    return {name: np.zeros(shape, np.float32)}


def test_a_sound_model_passes() -> None:
    graph = load(MODEL)
    try_run(graph, fed(graph), GIB, 60)


def test_a_model_that_is_no_model_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: ModelGraph) -> Written:
        written = to_proto(graph)
        written.proto.graph.node[0].op_type = "NoSuchOp"
        return written

    monkeypatch.setattr(trial, "to_proto", broken)
    graph = load(MODEL)
    with pytest.raises(RunError, match="NoSuchOp"):
        try_run(graph, fed(graph), GIB, 60)


def test_what_takes_the_process_down_is_an_error_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a segmentation fault in the library is: the process is gone before it answers."""
    started = IsolatedSession

    class Dying(started):  # type: ignore[misc, valid-type]
        def _answer(self) -> object:
            os.kill(self.pid, 11)
            return super()._answer()

    monkeypatch.setattr(trial, "IsolatedSession", Dying)
    graph = load(MODEL)
    with pytest.raises(RunError, match=r"ended the process that did it \(SIGSEGV\)"):
        try_run(graph, fed(graph), GIB, 60)


def test_the_library_comes_without_its_telemetry() -> None:
    assert onnxruntime().__name__ == "onnxruntime"
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
