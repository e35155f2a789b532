"""Tensors in the bodies of If, Loop and Scan are observed over all trips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from model_zoo.shared import CORPUS
from numpy.typing import NDArray
from onnx import parser
from onnx.reference import ReferenceEvaluator
from oracles.observing import assert_close, brute, collected, float_observations

from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.observe.observations import Kind, Observation

SILERO = CORPUS / "silero-vad.onnx"

BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (bool c, float[N, 2] x) => (float[N, 2] y) {
    y = If (c) <
        then_branch = t () => (float[N, 2] p) { p = Neg (x) },
        else_branch = e () => (float[N, 2] q) { q = Relu (x) }
    >
}
"""
LOOP = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (int64 trips, float[2] x) => (float[2] y, float[T, 2] all) <bool yes = {1}> {
    y, all = Loop (trips, yes, x) <
        body = b (int64 i, bool c, float[2] a) => (bool d, float[2] s, float[2] o) {
            d = Identity (c)
            s = Add (a, a)
            o = Neg (s)
        }
    >
}
"""
SCAN = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[2] x, float[T, 2] rows) => (float[2] y, float[T, 2] all) {
    y, all = Scan <num_scan_inputs = 1, body = b (float[2] a, float[2] row) => (float[2] s, float[2] o) {
        s = Add (a, row)
        o = Neg (s)
    }> (x, rows)
}
"""
NESTED = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (int64 trips, float[2] x) => (float[2] y) <bool yes = {1}, int64 one = {1}, int64 two = {2}> {
    y = Loop (trips, yes, x) <
        body = outer (int64 i, bool c, float[2] a) => (bool d, float[2] s) {
            d = Identity (c)
            m = Mod (i, two)
            odd = Equal (m, one)
            s = If (odd) <
                then_branch = t () => (float[2] p) {
                    p = Loop (two, yes, a) <
                        body = inner (int64 j, bool e, float[2] b) => (bool f, float[2] u) {
                            f = Identity (e)
                            u = Add (b, b)
                        }
                    >
                },
                else_branch = k () => (float[2] q) { q = Neg (a) }
            >
        }
    >
}
"""


def loaded(tmp_path: Path, text: str) -> ModelGraph:
    path = tmp_path / "bodies.onnx"
    onnx.save(parser.parse_model(text), path)
    return load_onnx(path)


def named(graph: ModelGraph, name: str) -> str:
    """A tensor of a body by its name there."""
    return next(out for node in graph for out in node.outputs if node.body and out.endswith(f"/{name}"))


def floats(*numbers: Any) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


def test_a_branch_counts_only_when_it_runs(tmp_path: Path) -> None:
    graph = loaded(tmp_path, BRANCHES)
    p, q = (Observation(named(graph, name), 1, Kind.ALL) for name in "pq")
    xs = [floats([1, -2], [3, 0]), floats([5, -6])]
    conditions = (True, False)
    feeds = [{"c": np.array(c), "x": x} for c, x in zip(conditions, xs, strict=True)]
    found = collected(graph, [p, q], feeds)
    assert_close(found.stats[p], brute([-xs[0]], 1), 1e-12)
    assert_close(found.stats[q], brute([np.maximum(xs[1], 0)], 1), 1e-12)
    assert found.shapes == {p.tensor: (2, 2), q.tensor: (1, 2)}


def test_a_branch_that_never_runs_has_no_statistics(tmp_path: Path) -> None:
    graph = loaded(tmp_path, BRANCHES)
    p, q = (Observation(named(graph, name), 1) for name in "pq")
    found = collected(graph, [p, q], [{"c": np.array(True), "x": floats([1, -2])}])
    assert set(found.stats) == {p}
    assert not found.refused


@pytest.mark.parametrize("axis", [0, None])
def test_a_loop_adds_up_over_its_trips(tmp_path: Path, axis: int | None) -> None:
    graph = loaded(tmp_path, LOOP)
    s, o, a = (Observation(f"{graph_path(graph)}/{name}", axis, Kind.ALL) for name in "soa")
    found = collected(graph, [s, o, a], [{"trips": np.array(3), "x": floats(1, -0.5)}])
    sums = [floats(2, -1), floats(4, -2), floats(8, -4)]
    assert_close(found.stats[s], brute(sums, axis), 1e-12)
    assert_close(found.stats[o], brute([-value for value in sums], axis), 1e-12)
    assert_close(found.stats[a], brute([floats(1, -0.5), *sums[:2]], axis), 1e-12)


def graph_path(graph: ModelGraph) -> str:
    return next(iter(graph.bodies))


def test_a_loop_without_trips_has_no_statistics(tmp_path: Path) -> None:
    graph = loaded(tmp_path, LOOP)
    s = Observation(named(graph, "s"), 0, Kind.ALL)
    found = collected(graph, [s], [{"trips": np.array(0), "x": floats(1, 2)}])
    assert not found.stats
    assert not found.shapes


def test_a_scan_adds_up_over_its_rows(tmp_path: Path) -> None:
    graph = loaded(tmp_path, SCAN)
    s, o = (Observation(named(graph, name), 0, Kind.ALL) for name in "so")
    rows = floats([1, 2], [-3, 0], [2, -2])
    found = collected(graph, [s, o], [{"x": floats(0, 1), "rows": rows}])
    states = list(floats(0, 1) + np.cumsum(rows, 0))
    assert_close(found.stats[s], brute(states, 0), 1e-12)
    assert_close(found.stats[o], brute([-state for state in states], 0), 1e-12)


def test_a_loop_in_a_branch_of_a_loop_adds_up(tmp_path: Path) -> None:
    graph = loaded(tmp_path, NESTED)
    u, q = (Observation(named(graph, name), 0, Kind.ALL) for name in "uq")
    found = collected(graph, [u, q], [{"trips": np.array(4), "x": floats(1, 3)}])
    x = floats(1, 3)
    # Even trips negate, odd ones double twice: -x, (-2x, -4x), 4x, (8x, 16x).
    assert_close(found.stats[q], brute([-x, 4 * x], 0), 1e-12)
    assert_close(found.stats[u], brute([-2 * x, -4 * x, 8 * x, 16 * x], 0), 1e-12)


def test_sums_in_bodies_keep_float64(tmp_path: Path) -> None:
    graph = loaded(tmp_path, LOOP.replace("s = Add (a, a)", "s = Identity (a)"))
    s = Observation(named(graph, "s"), 0, Kind.ALL)
    found = collected(graph, [s], [{"trips": np.array(20_000), "x": floats(0.1, 1e-3)}])
    np.testing.assert_allclose(found.stats[s].mean_abs, floats(0.1, 1e-3).astype(np.float64), rtol=1e-12)


def test_a_body_out_of_which_nothing_is_carried_is_named(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (seq(float[N]) x) => (seq(float[N]) y) {
        y = SequenceMap (x) <body = b (float[N] a) => (float[N] o) { o = Relu (a) }>
    }
    """
    graph = loaded(tmp_path, text)
    observation = Observation(named(graph, "o"), 0)
    found = collected(graph, [observation], [{"x": [floats(1, 2)]}])  # type: ignore[dict-item]
    assert found.refused == {observation: "it lies in a body of SequenceMap, out of which nothing is carried"}


class _Recorder(ReferenceEvaluator):
    """onnx's own evaluator, which tells the value of every tensor, in bodies too."""

    def _log(self, _: int, pattern: str, *args: Any) -> None:
        if pattern.startswith(" + "):
            RECORDED.setdefault(args[0], []).append(args[1])


RECORDED: dict[str, list[Any]] = {}


@pytest.mark.skipif(not SILERO.is_file(), reason=f"no {SILERO}: set NNEA_SHARED")
@pytest.mark.filterwarnings("ignore:overflow encountered in exp")  # in the evaluator's Sigmoid
def test_all_that_runs_in_the_branches_of_silero_equals_onnx_own_evaluator() -> None:
    rng = np.random.default_rng(0)
    feeds = {
        "input": (rng.standard_normal((2, 512)) / 10).astype(np.float32),
        "state": np.zeros((2, 2, 128), np.float32),
        "sr": np.array(16000),
    }
    RECORDED.clear()
    _Recorder(str(SILERO)).run(None, feeds)
    graph = load_onnx(SILERO)
    found = collected(graph, float_observations(graph, feeds, bodies=True), [feeds])
    assert not found.refused
    assert max(depth(graph, observation.tensor) for observation in found.stats) >= 3
    assert len(found.stats) > 50
    for observation, stats in found.stats.items():
        local = observation.tensor.removeprefix(f"{body_of(graph, observation.tensor)}/")
        expected = brute([np.asarray(value) for value in RECORDED[local]], observation.axis)
        np.testing.assert_array_equal(stats.count, expected.count)
        np.testing.assert_allclose(stats.mean_abs, expected.mean_abs, rtol=1e-4, atol=1e-5)


def body_of(graph: ModelGraph, tensor: str) -> str:
    producer = graph.producer(tensor)
    assert producer is not None
    return producer.body


def depth(graph: ModelGraph, tensor: str) -> int:
    path, count = body_of(graph, tensor), 0
    while path:
        path, count = graph.bodies[path].outer, count + 1
    return count
