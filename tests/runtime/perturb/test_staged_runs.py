"""A model run stage after stage gives what it gives in one run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper, parser
from oracles.observing import ROOT, quiet_options

from nnea_graph.api.analyze import load
from nnea_graph.runtime.export.extract_subgraph import excerpt, frontier, makers
from nnea_graph.runtime.perturb.staged_runs import Stages
from nnea_graph.runtime.session.session import session_of

Array = NDArray[Any]
X = np.load(ROOT / "models" / "digits.npz")["x"][:24]


def reference(model: ModelProto, tensors: list[str], feeds: dict[str, Array]) -> list[Array]:
    found = ModelProto()
    found.CopyFrom(model)
    del found.graph.output[:]
    found.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors)
    session = onnxruntime.InferenceSession(found.SerializeToString(), quiet_options())
    arrays: list[Array] = session.run(tensors, feeds)
    return arrays


class Source:
    """Batches of 5, and how often they were read."""

    def __init__(self, x: Array) -> None:
        self.x, self.read = x, 0

    def __call__(self) -> Iterator[dict[str, Array]]:
        self.read += 1
        for start in range(0, len(self.x), 5):
            yield {"x": self.x[start : start + 5]}


def joined(batches: Iterator[list[Array]]) -> list[Array]:
    return [np.concatenate(arrays) for arrays in zip(*batches, strict=True)]


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_transformer"])
@pytest.mark.parametrize("kept_bytes", [0, 1 << 30])
def test_every_stage_gives_the_models_own_tensors(name: str, kept_bytes: int) -> None:
    model, graph = onnx.load(ROOT / "models" / f"{name}.onnx"), load(ROOT / "models" / f"{name}.onnx")
    tensors = [node.outputs[0] for node in graph if node.op_type in {"Gemm", "Conv", "MatMul", "Softmax"}]
    source = Source(X)
    stages = Stages(graph, source, kept_bytes)
    expected = [reference(model, tensors, feeds) for feeds in Source(X)()]
    for place, tensor in enumerate(tensors):
        for (found,), all_of_it in zip(stages.run([tensor], [tensor], {}), expected, strict=True):
            np.testing.assert_allclose(found, all_of_it[place], rtol=1e-3, atol=1e-4)
    assert source.read == (1 if kept_bytes else len(tensors))


CHAIN = """<ir_version: 8, opset_import: ["" : 17]>
g (float[n,2] x) => (float[n,2] y) <float[2,2] v = {1, 2, 3, 4}, float[2,2] w = {1, 0, 0, 1}>
{ [first] h = MatMul (x, v) [relu] a = Relu (h) [second] z = MatMul (a, w) [last] y = Add (z, x) }"""


def chain() -> ModelProto:
    return parser.parse_model(CHAIN)


def test_weights_may_change_until_what_they_make_is_finished() -> None:
    graph, x = load(chain()), np.array([[1, -1], [2, 3]], np.float32)
    stages = Stages(graph, lambda: iter([{"x": x}]))
    v, w = np.eye(2, dtype=np.float32), np.full((2, 2), 2, np.float32)
    (h,) = joined(stages.run(["h"], [], {}))
    np.testing.assert_array_equal(h, x @ [[1, 2], [3, 4]])
    (h,) = joined(stages.run(["h"], ["h"], {"v": v}))
    np.testing.assert_array_equal(h, x)
    (y,) = joined(stages.run(["y"], ["a"], {"v": v, "w": w}))
    np.testing.assert_array_equal(y, np.maximum(x, 0) @ w + x)
    # What is finished was kept: other weights for it are too late.
    (y,) = joined(stages.run(["y"], [], {"v": 9 * v}))
    np.testing.assert_array_equal(y, np.maximum(x, 0) + x)


def test_an_input_of_the_model_may_be_seen() -> None:
    x = np.array([[1, -1]], np.float32)
    stages = Stages(load(chain()), lambda: iter([{"x": x}]))
    for _ in range(2):
        found = joined(stages.run(["x"], ["x"], {}))
        np.testing.assert_array_equal(found[0], x)


def test_what_operators_are_needed_and_what_lies_between() -> None:
    graph = load(chain())
    assert makers(graph, ["a"]) == {"first", "relu"}
    assert makers(graph, ["y"], {"a"}) == {"second", "last"}
    assert frontier(graph, {"first"}) == ["x", "h"]
    assert frontier(graph, {"first", "relu", "second"}) == ["x", "z"]


def test_an_excerpt_holds_nothing_else() -> None:
    part = excerpt(load(chain()), ["z"], {"a": np.ones((1, 2), np.float32)}, {})
    main = part.proto.graph
    assert [node.op_type for node in main.node] == ["MatMul"]
    assert [value.name for value in main.input] == ["a"]
    assert [tensor.name for tensor in main.initializer] == ["w"]


def test_bodies_run_with_what_they_read_from_outside() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[n,2] x, bool c) => (float[n,2] y) <float[2,2] v = {1, 2, 3, 4}>
        { [first] h = MatMul (x, v) [again] k = Neg (h) [choice] y = If (c) <
            then_branch = a () => (float[n,2] t) { t = Add (h, k) },
            else_branch = b () => (float[n,2] e) { e = Mul (k, v) } > }"""
    )
    graph = load(model)
    feeds = {"x": np.array([[1, 2], [3, 4]], np.float32), "c": np.array(False)}
    stages = Stages(graph, lambda: iter([feeds]))
    list(stages.run(["h"], ["h"], {}))
    (y,) = joined(stages.run(["y"], ["y"], {}))
    v = numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_array_equal(y, -(feeds["x"] @ v) * v)


def test_large_constants_in_files_are_given_to_the_part_that_reads_them() -> None:
    graph = load(ROOT / "models" / "digits_mlp.onnx")
    gemms = [node for node in graph if node.op_type == "Gemm"]
    part = excerpt(graph, [gemms[0].outputs[0]], None, {})
    assert set(part.arrays) == {gemms[0].inputs[1]}
    session_of(part).run({"x": X})
