"""Weight statistics: what a layer is made of, and the same report from any number of processes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, parser
from oracles.annotated import annotated

from nnea_graph.api.analyze import analyze
from nnea_graph.graph import Constant
from nnea_graph.graph.constants import CHUNK
from nnea_graph.passes.weight_statistics import MODEL_STATISTICS, WEIGHT_STATISTICS
from nnea_graph.render.json import render_json
from nnea_graph.stats import Accumulator, accumulate, metrics
from nnea_graph.stats import count_worker as worker
from nnea_graph.stats import parallel_count as sharing

SHAPE = (3 * CHUNK // 512 + 7, 512)


def layers(folder: Path) -> Path:
    """Gathers from one table, then a product with the same one: three weights in a file, two of them large."""
    rng = np.random.default_rng(0)
    rows = SHAPE[0]
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        g (int64[1] i) => (float[1, 3] y) {
            a = Gather <axis = 0> (table, i)
            b = Mul (a, scale)
            c = Gemm <transB = 1> (b, table)
            d = MatMul (c, wide)
            y = MatMul (d, narrow)
        }
    """)
    shapes = {"table": SHAPE, "scale": (512,), "wide": (rows, 512), "narrow": (512, 3)}
    for name, shape in shapes.items():
        values = rng.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    path = folder / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path


def test_a_tied_table_counts_once_in_the_whole_and_in_both_layers(tmp_path: Path) -> None:
    graph = annotated(layers(tmp_path), "weight_statistics")
    found = [graph[node, WEIGHT_STATISTICS].metrics for node in graph]
    counts = [each.count if each else None for each in found]
    table, rest = SHAPE[0] * SHAPE[1], 512 * 3
    assert counts == [table, 512, table, table, rest]
    whole = graph[MODEL_STATISTICS].metrics
    assert whole is not None
    assert whole.count == 2 * table + 512 + rest


def test_a_layer_of_two_weights_is_measured_as_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w, r = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 8, 4), (1, 8, 2)))
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=2)],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 1, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [5, 1, 1, 2])],
            [numpy_helper.from_array(w, "w"), numpy_helper.from_array(r, "r")],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    path = tmp_path / "lstm.onnx"
    onnx.save(model, path)
    graph = annotated(path, "weight_statistics")
    both: list[NDArray[Any]] = [w, r]
    assert [graph[node, WEIGHT_STATISTICS].metrics for node in graph] == [metrics(accumulate(both))]


def test_the_report_is_the_same_from_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, answered = layers(tmp_path), threading.Event()
    alone = analyze(path, passes="weight_statistics{processes=1}")

    class Watched(worker.Worker):
        def answer(self) -> Accumulator:
            try:
                return super().answer()
            finally:
                answered.set()

    def patient(constant: Constant, piece: Any, counter: Any) -> Accumulator:
        assert answered.wait(60)
        return measure(constant, piece, counter)

    measure = sharing._measure
    monkeypatch.setattr(sharing, "Worker", Watched)
    monkeypatch.setattr(sharing, "_measure", patient)
    monkeypatch.setattr(sharing, "_cpus", lambda: 2)
    for name in ("WORTH", "PIECE", "SMALLEST"):
        monkeypatch.setattr(sharing, name, CHUNK)
    shared = analyze(path, passes="weight_statistics{processes=2}")
    assert answered.is_set()
    assert render_json(shared) == render_json(alone)
