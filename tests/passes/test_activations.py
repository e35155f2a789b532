"""What enters and leaves layers, against brute force; what is run where, and why a model is not run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hostile.support.models import graph as graph_of
from hostile.support.models import model, op, tensor, typed
from model_zoo.weighed_nets import CASES
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto
from oracles.annotated import annotated
from oracles.observing import assert_close, brute
from oracles.weighing import stored_activations

from nnea_graph.errors import DataError, NneaError, UsageError
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import activations as module
from nnea_graph.passes.activations import ACTIVATIONS, Activations
from nnea_graph.passes.cost import MODEL_COST
from nnea_graph.passes.memory import MEMORY
from nnea_graph.report.assembly.build import build_report
from nnea_graph.runtime.session import isolation_policy

Array = NDArray[Any]
Feeds = Mapping[str, Array]


def observed(
    made: ModelProto, feeds: Feeds | None = None, passes: str = "activations", **more: Any
) -> tuple[ModelGraph, Activations]:
    graph = annotated(made, passes, data=feeds, **more)
    return graph, graph[ACTIVATIONS]


@cache
def of_net(name: str, batch_size: int) -> Activations:
    return observed(CASES[name].model, CASES[name].feeds, batch_size=batch_size)[1]


@cache
def stored(name: str) -> dict[str, Array]:
    return stored_activations(CASES[name].model, CASES[name].feeds)


nets = pytest.mark.parametrize("name", sorted(set(CASES) - {"quantized"}))


@nets
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_every_statistic_is_that_of_brute_force(name: str, batch_size: int) -> None:
    """Of all samples at once, in float64; integers of quantized tensors stand for other numbers."""
    found = of_net(name, batch_size)
    assert found.samples == 64
    assert found.seen
    for (tensor_name, axis), stats in found.seen.items():
        # Channels of the time-first LSTM are averaged over the same samples, in another order.
        assert_close(stats, brute([stored(name)[tensor_name]], axis))


@pytest.mark.parametrize("name", CASES)
def test_the_size_of_batches_makes_no_difference(name: str) -> None:
    one, seven, all_at_once = (of_net(name, size) for size in (1, 7, 64))
    for place, stats in seven.seen.items():
        for other in (one.seen[place], all_at_once.seen[place]):
            assert other.count.tolist() == stats.count.tolist()
            assert other.mean_abs == pytest.approx(stats.mean_abs, rel=1e-5)
            assert other.second_moment == pytest.approx(stats.second_moment, rel=1e-5)
            assert other.max_abs == pytest.approx(stats.max_abs, rel=1e-5)
            assert other.zeros is not None
            assert stats.zeros is not None
            assert other.zeros.tolist() == stats.zeros.tolist()
    for table, uses in seven.rows.items():
        assert one.rows[table].tolist() == uses.tolist() == all_at_once.rows[table].tolist()


@pytest.mark.parametrize("name", CASES)
def test_another_process_sees_the_same_to_the_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation_policy, "doubt", lambda *_, **__: "for once")
    apart = observed(CASES[name].model, CASES[name].feeds, batch_size=7)[1]
    here = of_net(name, 7)
    assert (apart.apart, here.apart) == ("for once", "")
    assert apart.seen.keys() == here.seen.keys()
    for place, stats in here.seen.items():
        assert apart.seen[place].sum_abs.tolist() == stats.sum_abs.tolist()
        assert apart.seen[place].count.tolist() == stats.count.tolist()
    assert {key: uses.tolist() for key, uses in apart.rows.items()} == {
        key: uses.tolist() for key, uses in here.rows.items()
    }


# Where a model is run

MATMUL = op("MatMul", ["h", "w"], ["y"], name="layer")
SQUARE = tensor("w", np.ones((4, 4)))


def looped(trips: int | None) -> ModelProto:
    inner = graph_of(
        [op("Tanh", ["a"], ["b"]), op("Identity", ["keep"], ["again"])],
        [typed("i", dtype=TensorProto.INT64), typed("keep", dtype=TensorProto.BOOL), typed("a", 1, 4)],
        [typed("again", dtype=TensorProto.BOOL), typed("b", 1, 4)],
    )
    weights = [SQUARE, tensor("go", True, np.bool_)]
    inputs = [typed("x", 1, 4), *([] if trips else [typed("n", dtype=TensorProto.INT64)])]
    weights += [tensor("n", trips, np.int64)] if trips else []
    return model([op("Loop", ["n", "go", "x"], ["h"], body=inner), MATMUL], inputs, weights=weights)


def chained(count: int) -> ModelProto:
    names = ["x", *(f"t{number}" for number in range(count)), "h"]
    nodes = [op("Relu", [one], [other]) for one, other in pairwise(names)]
    return model([*nodes, MATMUL], weights=[SQUARE])


DOUBTS = [
    pytest.param(model([op("Relu", ["x"], ["h"]), MATMUL], weights=[SQUARE]), "", id="plain"),
    pytest.param(looped(100), "", id="loop-of-a-hundred"),
    pytest.param(looped(20_000), "too many trips", id="loop-of-many"),
    pytest.param(looped(None), "a loop has no known end", id="loop-by-data"),
    pytest.param(
        model(
            [
                op("NonZero", ["x"], ["n"]),
                op("Cast", ["n"], ["f"], to=1),
                op("ReduceSum", ["f"], ["s"], keepdims=0),
                op("Add", ["x", "s"], ["h"]),
                MATMUL,
            ],
            weights=[SQUARE],
        ),
        "have no known size",
        id="sizes-by-data",
    ),
    pytest.param(
        model([op("MatMul", ["x", "w"], ["y"], name="layer")], [typed("x", 40_000_000, 4)], weights=[SQUARE]),
        "activations take",
        id="large",
    ),
    pytest.param(
        model(
            [
                op("AveragePool", ["x"], ["p"], kernel_shape=[901, 901]),
                op("Conv", ["p", "k"], ["y"], name="layer"),
            ],
            [typed("x", 1, 1, 1400, 1400)],
            weights=[tensor("k", np.ones((1, 1, 1, 1)))],
        ),
        "one run takes",
        id="long",
    ),
    pytest.param(chained(10_000), "operators", id="many-operators"),
    pytest.param(
        model([op("Foo", ["x"], ["h"], domain="elsewhere"), MATMUL], weights=[SQUARE], domains=["elsewhere"]),
        "have no known size",
        id="of-others",
    ),
]


@pytest.mark.parametrize(("made", "expected"), DOUBTS)
def test_what_is_not_known_to_be_small_is_run_in_another_process(made: ModelProto, expected: str) -> None:
    graph = annotated(made, "memory,cost")
    found = module.doubt_of(graph, 1)
    assert expected in found
    assert bool(found) == bool(expected)


# Made-up data


def test_without_data_eight_samples_are_made_up() -> None:
    found = observed(CASES["mlp"].model)[1]
    assert (found.source, found.synthetic, found.samples, found.not_run) == (
        "synthetic (seed 0)",
        True,
        8,
        "",
    )


def test_the_seed_and_the_number_of_made_up_samples_can_be_set() -> None:
    first, again, other = (observed(CASES["mlp"].model, seed=seed, samples=3)[1] for seed in (5, 5, 6))
    assert (first.samples, first.source) == (3, "synthetic (seed 5)")
    sums = [each.seen["x", 1].sum_abs.tolist() for each in (first, again, other)]
    assert sums[0] == sums[1] != sums[2]


def test_of_a_model_that_takes_long_fewer_samples_are_made_up() -> None:
    """24 G operations a sample: four are below the bound of 100 G, five are not."""
    made = model(
        [op("Conv", ["x", "k"], ["y"], name="layer", pads=[15] * 4)],
        [typed("x", "batch", 64, 78, 78)],
        weights=[tensor("k", np.ones((64, 64, 31, 31)))],
    )
    graph = annotated(made, "memory,cost")
    assert graph[MODEL_COST].totals.macs == 64 * 64 * 31 * 31 * 78 * 78
    assert module.synthetic_samples(graph) == 4


# A model that is not run


def refused(error: type[NneaError], made: ModelProto, feeds: Feeds | None = None, **more: Any) -> str:
    with pytest.raises(error) as caught:
        observed(made, feeds, **more)
    return str(caught.value)


BROKEN = model(
    [op("Reshape", ["x", "s"], ["h"]), MATMUL],
    [typed("x", "batch", 4), typed("s", 2, dtype=TensorProto.INT64)],
    weights=[SQUARE],
)
X = {"x": np.ones((3, 4), np.float32), "s": np.array([7, 7])}


def test_a_run_that_fails_on_real_data_is_an_error_in_the_report() -> None:
    graph, found = observed(BROKEN, X)
    assert found.not_run.startswith("onnxruntime cannot run the model: ")
    assert (found.source, found.synthetic, found.samples) == ("arrays", False, 0)
    (finding,) = [each for each in build_report(graph, [], "").findings if each.rule == "NNEA108"]
    assert (finding.severity, finding.message) == ("error", f"the model was not run: {found.not_run}")


def test_a_run_that_fails_on_made_up_data_is_a_warning() -> None:
    made = model([op("NoSuchOp", ["x"], ["h"]), MATMUL], weights=[SQUARE])
    graph, found = observed(made)
    (finding,) = [each for each in build_report(graph, [], "").findings if each.rule == "NNEA108"]
    assert finding.severity == "warning"
    assert "NoSuchOp" in found.not_run


def test_data_that_does_not_fit_ends_the_run() -> None:
    bad = CASES["mlp"].feeds["x"].copy()
    bad[5, 5] = np.nan
    assert "NaN" in refused(DataError, CASES["mlp"].model, {"x": bad})


def test_one_batch_above_the_limit_is_made_of_single_samples_and_one_sample_above_it_is_refused() -> None:
    peak = observed(CASES["mlp"].model)[0][MEMORY].peak_bytes
    feeds = CASES["mlp"].feeds
    assert (
        observed(CASES["mlp"].model, feeds, batch_size=64, limits=Limits(activation_bytes=3 * peak))[
            1
        ].samples
        == 64
    )
    found = observed(CASES["mlp"].model, feeds, limits=Limits(activation_bytes=peak - 1))[1]
    assert "raise it: --limit activation_bytes=N" in found.not_run


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_no_time_at_all_is_a_usage_error(seconds: float) -> None:
    assert "above 0" in refused(UsageError, CASES["mlp"].model, passes=f"activations{{seconds={seconds}}}")


def test_a_weight_that_many_files_hold_is_no_obstacle(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large weights are mapped by the other process from the files that this one has open."""
    import onnx  # noqa: PLC0415 - only here files are written

    rng = np.random.default_rng(0)
    weight = rng.standard_normal((64, 64)).astype(np.float32)
    made = model(
        [op("MatMul", ["x", "w"], ["y"], name="layer")],
        [typed("x", "batch", 64)],
        weights=[tensor("w", weight)],
    )
    for external in (False, True):
        path = tmp_path / f"{external}.onnx"
        onnx.save(made, path, save_as_external_data=external, location="w.bin", size_threshold=0)
        x = rng.standard_normal((5, 64)).astype(np.float32)
        monkeypatch.setattr(isolation_policy, "doubt", lambda *_, **__: "for once")
        found = annotated(path, "activations", data={"x": x})[ACTIVATIONS]
        assert found.not_run == ""
        assert found.seen["y", 1].mean_abs == pytest.approx(np.abs(x @ weight).mean(0), rel=1e-5)


def test_the_load_of_the_machine_changes_nothing() -> None:
    made = CASES["mlp"].model
    alone = build_report(annotated(made, "activations"), [], "")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        assert build_report(annotated(made, "activations"), [], "") == alone
    finally:
        for each in busy:
            each.kill()
            each.wait()


def test_made_up_samples_of_too_much_work_are_not_run_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["mlp"]
    graph, before = observed(case.model)
    assert before.not_run == ""
    totals = graph[MODEL_COST].totals
    work = totals.macs + totals.other_flops
    monkeypatch.setattr(module, "_SYNTHETIC_MOST", work)
    assert observed(case.model)[1].not_run == ""
    monkeypatch.setattr(module, "_SYNTHETIC_MOST", work - 1)
    said = observed(case.model)[1].not_run
    assert said.startswith(f"one made-up sample takes {work:,} operations, over {work - 1:,}; give data")
    assert observed(case.model, case.feeds)[1].not_run == ""
    assert observed(case.model, passes="activations{seconds=600}")[1].not_run == ""


def test_only_a_run_without_a_known_end_is_short_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENDLESS_SECONDS", 1e-9)
    assert observed(CASES["mlp"].model)[1].not_run == ""
