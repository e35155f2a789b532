"""Statistics of observed tensors against float64 over stored activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import parser
from oracles.observing import ROOT, assert_close, brute, collected, float_observations, stored

from nnea_graph.errors import RunError
from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.observe.collect import collect
from nnea_graph.runtime.observe.observations import Collected, Kind, Observation

MODELS = ("digits_mlp", "digits_cnn", "digits_transformer")

GROUPED = """
<ir_version: 8, opset_import: ["" : 17]>
grouped (float[N, 4, 6, 6] x) => (float[N, 6] y)
<float[6, 2, 3, 3] w, float[6] b, float[6, 6] d> {
    c = Conv <group = 2, pads = [1, 1, 1, 1]> (x, w, b)
    r = Relu (c)
    p = GlobalAveragePool (r)
    f = Flatten (p)
    y = MatMul (f, d)
}
"""


def written(tmp_path: Path, text: str) -> Path:
    """The model as a file; what the text declares and nothing makes becomes a weight with drawn values."""
    model = parser.parse_model(text)
    rng = np.random.default_rng(0)
    for value in model.graph.value_info:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        drawn = rng.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(drawn, value.name))
    del model.graph.value_info[:]
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return path


def loaded(tmp_path: Path, text: str) -> ModelGraph:
    return load_onnx(written(tmp_path, text))


def digits(count: int, size: int) -> list[dict[str, NDArray[Any]]]:
    with np.load(ROOT / "models" / "digits.npz") as arrays:
        x = arrays["x"][:count]
    return [{"x": x[start : start + size]} for start in range(0, count, size)]


@pytest.mark.parametrize("name", MODELS)
def test_every_statistic_of_every_tensor_equals_float64(name: str) -> None:
    path, feeds = ROOT / "models" / f"{name}.onnx", digits(64, 24)
    graph = load_onnx(path)
    observations = float_observations(graph, feeds[0])
    found = collected(graph, observations, feeds)
    arrays = stored(path, [observation.tensor for observation in observations], feeds)
    # The transformer hands some tensors on with its samples along the last axis.
    assert all("not the same in all batches" in reason for reason in found.refused.values())
    assert set(found.stats) == set(observations) - set(found.refused)
    assert len(found.stats) > 0.9 * len(observations)
    for observation, stats in found.stats.items():
        assert_close(stats, brute(arrays[observation.tensor], observation.axis))
        assert found.shapes[observation.tensor] == arrays[observation.tensor][-1].shape


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, None])
def test_channels_may_lie_along_any_axis(tmp_path: Path, axis: int | None) -> None:
    path = written(tmp_path, GROUPED)
    rng = np.random.default_rng(1)
    feeds = [{"x": rng.standard_normal((3, 4, 6, 6)).astype(np.float32)} for _ in range(2)]
    observations = [Observation(name, axis, Kind.ALL) for name in ("x", "c", "r")]
    found = collected(load_onnx(path), observations, feeds)
    arrays = stored(path, ["c", "r"], feeds) | {"x": [batch["x"] for batch in feeds]}
    for observation in observations:
        assert_close(found.stats[observation], brute(arrays[observation.tensor], axis))


@pytest.mark.parametrize("name", MODELS)
def test_batch_sizes_make_no_difference(name: str) -> None:
    graph = load_onnx(ROOT / "models" / f"{name}.onnx")
    runs: list[Collected] = []
    for size in (1, 7, 64):
        feeds = digits(64, size)
        runs.append(collected(graph, float_observations(graph, feeds[0]), feeds))
    shared = set(runs[0].stats) & set(runs[1].stats)
    assert len(shared) > 0.9 * len(runs[2].stats)
    for observation in shared:
        for run in runs[1:]:
            assert_close(run.stats[observation], runs[0].stats[observation], 1e-5)


def test_mean_alone_leaves_the_rest_unknown_and_equals_it(tmp_path: Path) -> None:
    graph = loaded(tmp_path, GROUPED)
    feeds = [{"x": np.random.default_rng(2).standard_normal((2, 4, 6, 6)).astype(np.float32)}]
    mean, whole = Observation("c", 1), Observation("c", 1, Kind.ALL)
    found = collected(graph, [mean, whole], feeds).stats
    assert found[mean].sum_sq is None
    assert found[mean].zeros is None
    np.testing.assert_allclose(found[mean].mean_abs, found[whole].mean_abs, rtol=1e-6)


def test_maps_of_a_large_image_stay_exact(tmp_path: Path) -> None:
    graph = loaded(tmp_path, GROUPED.replace("6, 6] x", "640, 640] x"))
    x = np.random.default_rng(3).random((1, 4, 640, 640)).astype(np.float32) + 100
    observation = Observation("x", 1, Kind.ALL)
    found = collected(graph, [observation], [{"x": x}]).stats[observation]
    assert_close(found, brute([x], 1), 1e-5)


def test_a_sample_with_nan_is_left_out_and_counted(tmp_path: Path) -> None:
    graph = loaded(tmp_path, GROUPED)
    x = np.ones((2, 4, 6, 6), np.float32)
    x[1, 2, 0, 0] = np.nan
    observation = Observation("x", 1, Kind.ALL)
    found = collected(graph, [observation], [{"x": x}]).stats[observation]
    np.testing.assert_array_equal(found.count, [72, 72, 36, 72])
    np.testing.assert_array_equal(found.dropped, [0, 0, 36, 0])
    np.testing.assert_array_equal(found.mean_abs, 1)
    np.testing.assert_array_equal(found.max_abs, 1)


@pytest.mark.parametrize("kind", ["float16", "double"])
def test_other_floats_are_observed(tmp_path: Path, kind: str) -> None:
    text = f"""
    <ir_version: 8, opset_import: ["" : 17]>
    agraph ({kind}[N, C] x) => ({kind}[N, C] y) {{ y = Relu (x) }}
    """
    graph = loaded(tmp_path, text)
    x = np.random.default_rng(4).standard_normal((5, 3)).astype(np.dtype(kind))
    observation = Observation("y", -1, Kind.ALL)
    found = collected(graph, [observation], [{"x": x}]).stats[observation]
    assert_close(found, brute([np.maximum(x, 0)], 1))


def test_quantized_tensors_are_the_numbers_they_stand_for(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N, C] x) => (float[N, C] y) <float s = {0.5}, uint8 z = {3}> {
        q = QuantizeLinear (x, s, z)
        y = DequantizeLinear (q, s, z)
    }
    """
    graph = loaded(tmp_path, text)
    x = np.array([[-1.0, 0.0, 2.0], [1.0, 0.1, 4.0]], np.float32)
    observation = Observation("q", 1, Kind.ALL)
    found = collected(graph, [observation], [{"x": x}]).stats[observation]
    np.testing.assert_array_equal(found.mean_abs, [1.0, 0.0, 3.0])
    np.testing.assert_array_equal(found.sum, [0.0, 0.0, 6.0])
    np.testing.assert_array_equal(found.max_abs, [1.0, 0.0, 4.0])
    np.testing.assert_array_equal(found.zeros, [0, 2, 0])


def test_rows_of_a_table_are_counted(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (int64[N, T] ids) => (float[N, T, 4] y) <float[5, 4] w> { y = Gather (w, ids) }
    """
    graph = loaded(tmp_path, text)
    observation = Observation("ids", kind=Kind.ROWS, rows=5)
    feeds = [{"ids": np.array([[0, 3, -1]])}, {"ids": np.array([[3, 3, 1], [0, 0, 0]])}]
    np.testing.assert_array_equal(collected(graph, [observation], feeds).rows[observation], [4, 1, 0, 3, 1])


def test_shapes_that_depend_on_the_data_are_observed(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N, C] x, int64[r] s) => (float[K, C] y) {
        m = ReduceMax <keepdims = 0> (x)
        n = NonZero (x)
        t = Transpose (n)
        g = GatherND (x, t)
        r = Reshape (x, s)
        y = Relu (r)
    }
    """
    graph = loaded(tmp_path, text)
    x = np.array([[0.0, -2.0, 3.0], [4.0, 0.0, 0.0]], np.float32)
    listed, free = Observation("g", None, Kind.ALL), Observation("r", -2, Kind.ALL)
    feeds = [{"x": x, "s": np.array([1, 3, 2])}]
    found = collected(graph, [listed, free], feeds)
    assert_close(found.stats[listed], brute([x[x != 0]], None))
    assert_close(found.stats[free], brute([x.reshape(1, 3, 2)], 1))
    assert found.shapes == {"g": (3,), "r": (1, 3, 2)}


def test_what_cannot_be_observed_is_named_with_its_reason(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (int64[N, T] ids) => (float[N, T, 4] y) <float[5, 4] w> { y = Gather (w, ids) }
    """
    graph = loaded(tmp_path, text)
    wanted = {
        Observation("ids", 1): "the type is int64; floats and 8- and 16-bit integers can be observed",
        Observation("w", 1): "it is a constant",
        Observation("gone", 1): "the model has no such tensor",
        Observation("y", 3): "there is no axis 3 in 3 dims",
        Observation("y", kind=Kind.ROWS, rows=5): "the type is float32; indices are int32 or int64",
    }
    found = collected(graph, list(wanted), [{"ids": np.array([[1]])}])
    assert found.refused == wanted
    assert not found.stats


def test_merged_halves_are_the_whole() -> None:
    graph = load_onnx(ROOT / "models" / "digits_cnn.onnx")
    feeds = digits(32, 8)
    observations = float_observations(graph, feeds[0])
    whole, half = collected(graph, observations, feeds), collected(graph, observations, feeds[:2])
    half.merge(collected(graph, observations, feeds[2:]))
    assert half.batches == whole.batches == 4
    for observation, stats in whole.stats.items():
        assert_close(half.stats[observation], stats, 1e-12)


def test_no_batches_give_nothing() -> None:
    graph = load_onnx(ROOT / "models" / "digits_mlp.onnx")
    assert collected(graph, [Observation("logits", 1)], []) == Collected()


def test_progress_is_told_after_each_batch() -> None:
    graph = load_onnx(ROOT / "models" / "digits_mlp.onnx")
    told: list[int] = []
    collect(graph, [], digits(6, 2), lambda inputs: inputs, progress=told.append)
    assert told == [1, 2, 3]


def test_time_is_limited(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N] x) => (float[N] y) <int64 trips = {4611686018427387904}, bool yes = {1}> {
        y = Loop (trips, yes, x) <body = step (int64 i, bool c, float[N] a) => (bool d, float[N] b) {
            d = Identity (c)
            b = Sqrt (a)
        }>
    }
    """
    graph = loaded(tmp_path, text)
    with pytest.raises(RunError, match="the time for running the model is up"):
        collect(
            graph,
            [Observation("y", 0)],
            [{"x": np.ones(2, np.float32)}],
            lambda inputs: inputs,
            seconds=0.3,
        )
