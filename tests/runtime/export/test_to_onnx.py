"""A model that is read and written back gives, bit by bit, what the original file gives in onnxruntime."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from model_zoo.shared import CORPUS
from onnx import helper, numpy_helper, parser
from onnx.backend.test.case.node import collect_testcases
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from oracles.observing import ROOT, quiet_options

from nnea_graph.errors import RunError
from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.runtime.export import to_onnx as model_proto
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.session.session import session_of

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
FILES = sorted([*CORPUS.glob("*.onnx"), *LIGHT.glob("*.onnx"), *(ROOT / "models").glob("*.onnx")])

# Sizes that the open dims of these models take, in the order of their inputs.
SIZES: dict[str, list[tuple[int, ...]]] = {
    "basic-pitch": [(1, 43844, 1)],
    "magika": [(2, 2048)],
    "minilm-int8": [(2, 8)] * 3,
    "ppocr-cls": [(2, 3, 48, 192)],
    "ppocr-det": [(1, 3, 64, 96)],
    "ppocr-rec": [(1, 3, 48, 96)],
    "romanizer-decoder": [(2, 4), (2, 8, 256), (2, 8), (2, 2, 256)],
    "romanizer-encoder": [(2, 8), (2, 8)],
    "silero-vad-sequence": [(3, 576), (1, 1, 128), (1, 1, 128)],
    "silero-vad": [(2, 512), (2, 2, 128), ()],
}
WHOLE = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if one is None or other is None:
        return one is other
    a, b = np.asarray(one), np.asarray(other)
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return False
    return bool((a == b).all()) if a.dtype == object else a.tobytes() == b.tobytes()


def original(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, quiet_options())


def feeds_of(session: Any, name: str) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    inputs = session.get_inputs()
    sizes = SIZES.get(name) or [tuple(d if isinstance(d, int) else 2 for d in i.shape) for i in inputs]
    feeds: dict[str, Any] = {}
    for value, shape in zip(inputs, sizes, strict=True):
        if value.name == "sr":
            feeds[value.name] = np.array(16000)
        elif value.type in WHOLE:
            feeds[value.name] = np.ones(shape, WHOLE[value.type])
        else:
            assert value.type == "tensor(float)"
            feeds[value.name] = rng.random(shape).astype(np.float32)
    return feeds


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_gives_the_same_bits(path: Path) -> None:
    session = original(path)
    feeds = feeds_of(session, path.stem)
    assert same(session.run(None, feeds), session_of(to_proto(load_onnx(path))).run(feeds))


def runnable() -> Iterator[tuple[str, bytes, Mapping[str, Any], list[Any]]]:
    """onnx's node cases that onnxruntime runs: name, model, inputs and outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx's generators overflow on purpose
        collected: list[Any] = list(collect_testcases(None))
    refusals = tuple(
        getattr(ort_errors, name)
        for name in ("Fail", "InvalidArgument", "InvalidGraph", "NotImplemented", "RuntimeException")
    )
    for case in collected:
        model = case.model.SerializeToString()
        try:
            session = onnxruntime.InferenceSession(model, quiet_options())
            inputs = (value.name for value in session.get_inputs())
            feeds = dict(zip(inputs, case.data_sets[0][0], strict=False))
            yield case.name, model, feeds, session.run(None, feeds)
        except (*refusals, ValueError, RuntimeError, TypeError):
            continue


@cache
def node_cases() -> list[tuple[str, bytes, Mapping[str, Any], list[Any]]]:
    return list(runnable())


def test_every_node_case_that_onnxruntime_runs_gives_the_same_bits(tmp_path: Path) -> None:
    path, wrong = tmp_path / "case.onnx", []
    for name, model, feeds, expected in node_cases():
        path.write_bytes(model)
        if not same(expected, session_of(to_proto(load_onnx(path))).run(feeds)):
            wrong.append(name)
    assert not wrong
    assert len(node_cases()) > 1400


def test_large_weights_stay_in_their_file(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).standard_normal((300, 400)).astype(np.float32)
    model = parser.parse_model("""
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N, 300] x) => (float[N, 400] y) { y = MatMul (x, w) }
    """)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    inside, beside = tmp_path / "inside.onnx", tmp_path / "beside.onnx"
    onnx.save(model, inside)
    onnx.save(model, beside, save_as_external_data=True, location="weights.bin", size_threshold=0)
    x = np.random.default_rng(1).standard_normal((2, 300)).astype(np.float32)
    for path in (inside, beside):
        written = to_proto(load_onnx(path))
        assert written.proto.ByteSize() < 1000
        np.testing.assert_allclose(session_of(written).run({"x": x})[0], x @ weight, rtol=1e-3, atol=1e-3)


def test_other_tensors_of_the_main_graph_can_be_asked_for() -> None:
    graph = load_onnx(ROOT / "models" / "digits_mlp.onnx")
    first = next(iter(graph)).outputs[0]
    session = session_of(to_proto(graph, [first, "logits"]))
    assert session.outputs == (first, "logits")
    assert len(session.run({"x": np.zeros((1, 1, 8, 8), np.float32)})) == 2


def test_bodies_may_hand_on_what_lies_outside(tmp_path: Path) -> None:
    model = parser.parse_model("""
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (bool c, float[2] x) => (float[2] y) {
        a = Neg (x)
        y = If (c) <
            then_branch = t () => (float[2] p) { p = Identity (a) },
            else_branch = e () => (float[2] q) { q = Abs (a) }
        >
    }
    """)
    # The parser demands an operator in a branch, the file format does not.
    branch = model.graph.node[1].attribute[0].g
    del branch.node[:]
    branch.output[0].name = "a"
    path = tmp_path / "handed.onnx"
    path.write_bytes(model.SerializeToString())
    session = session_of(to_proto(load_onnx(path)))
    x = np.array([1.0, -2.0], np.float32)
    for condition, expected in ((True, [-1.0, 2.0]), (False, [1.0, 2.0])):
        assert session.run({"c": np.array(condition), "x": x})[0].tolist() == expected


def test_too_many_operators_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_proto, "NODE_LIMIT", 3)
    graph = load_onnx(ROOT / "models" / "digits_mlp.onnx")
    with pytest.raises(RunError, match=r"has \d+ operators; onnxruntime is not run on more than 3"):
        to_proto(graph)


def test_an_operator_of_two_versions_is_refused(tmp_path: Path) -> None:
    function = helper.make_function(
        "own",
        "F",
        ["a"],
        ["b"],
        [helper.make_node("ReduceMax", ["a"], ["b"], axes=[0])],
        [helper.make_opsetid("", 13)],
    )
    graph = helper.make_graph(
        [helper.make_node("F", ["x"], ["y"], domain="own")],
        "g",
        [helper.make_tensor_value_info("x", 1, [2])],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    path = tmp_path / "versions.onnx"
    onnx.save(helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=8), path)
    with pytest.raises(RunError, match=r"\(ReduceMax\) comes from a function of opset 13, the model has 18"):
        to_proto(load_onnx(path))
