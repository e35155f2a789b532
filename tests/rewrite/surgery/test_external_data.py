"""A model in two files is the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from oracles.slicing import network

from nnea_graph.rewrite.surgery.external_data import in_two_files


def test_other_readers_find_every_weight_at_a_page_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"w1": (20, 301), "b1": (301,), "tiny": (1,), "w2": (301, 7)}
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]),
        helper.make_node("Mul", ["h", "tiny"], ["m"]),
        helper.make_node("MatMul", ["m", "w2"], ["y"]),
    ]
    model = network(
        nodes, {name: rng.normal(size=size) for name, size in shapes.items()}, ["n", 20], ["n", 7]
    )
    parts = in_two_files(model, "a.data")
    (tmp_path / "a.onnx").write_bytes(parts.model.SerializeToString())
    (tmp_path / "a.data").write_bytes(b"".join(parts.pieces()))
    outside = [tensor for tensor in parts.model.graph.initializer if tensor.external_data]
    assert [tensor.name for tensor in outside] == ["w1", "b1", "w2"]
    for tensor in outside:
        assert int({entry.key: entry.value for entry in tensor.external_data}["offset"]) % 4096 == 0
    read = {tensor.name: tensor for tensor in onnx.load(tmp_path / "a.onnx").graph.initializer}
    for tensor in model.graph.initializer:
        np.testing.assert_array_equal(numpy_helper.to_array(read[tensor.name]), numpy_helper.to_array(tensor))
    onnx.checker.check_model(str(tmp_path / "a.onnx"), full_check=True)
    x = rng.normal(size=(3, 20)).astype(np.float32)
    one, other = (
        onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for source in (str(tmp_path / "a.onnx"), model.SerializeToString())
    )
    np.testing.assert_array_equal(one, other)
