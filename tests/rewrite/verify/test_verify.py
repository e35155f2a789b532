"""What is said of a pruned model is what onnxruntime and a count by hand say."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, helper
from oracles.slicing import Cuts, network, outputs, sliced

from nnea_graph.api.analyze import load
from nnea_graph.report.schema.verification import ModelSize, Speed, Verification
from nnea_graph.rewrite.verify.speedup import no_speedup, speed_of, unclear, verdict_of
from nnea_graph.rewrite.verify.verify import VerifyOptions, verify
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.open_data import open_data
from nnea_graph.runtime.session.operator_profile import seconds_by_operator
from nnea_graph.runtime.session.session import Settings
from nnea_graph.static.dims import symbolic_inputs

Array = NDArray[Any]


def mlp(hidden: int = 40) -> ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="h"),
        helper.make_node("Relu", ["h"], ["a"], name="a"),
        helper.make_node("Gemm", ["a", "w2", "b2"], ["y"], name="y"),
    ]
    shapes = {"w1": (20, hidden), "b1": (hidden,), "w2": (hidden, 4), "b2": (4,)}
    return network(nodes, {name: rng.normal(size=size) for name, size in shapes.items()}, ["n", 20], ["n", 4])


KEPT = np.arange(30)
CUTS: Cuts = {("w1", 1): KEPT, ("b1", 0): KEPT, ("w2", 0): KEPT}
X = np.random.default_rng(1).normal(size=(50, 20)).astype(np.float32)


def verified(pruned: ModelProto, *, labels: Array | None = None, **rivals: ModelProto) -> Verification:
    graph = load(mlp())
    spec = {"x": X} if labels is None else {"x": X, "label": labels}
    data = open_data(spec, symbolic_inputs(graph))
    return verify(graph, pruned, data, rivals, VerifyOptions(batch_size=16, rounds=3, threads=(1,)))


def test_likeness_is_what_both_models_give() -> None:
    labels = np.arange(50) % 4
    found = verified(sliced(mlp(), CUTS), labels=labels, other=mlp())
    before, after = outputs(mlp(), X).astype(float), outputs(sliced(mlp(), CUTS), X).astype(float)
    original, pruned, other = found.likeness
    assert (original.model, pruned.model, other.model) == ("original", "pruned", "other")
    assert original.accuracy == np.mean(before.argmax(1) == labels)
    assert pruned.accuracy == np.mean(after.argmax(1) == labels)
    assert pruned.agreement == np.mean(after.argmax(1) == before.argmax(1))
    noise = np.square(after - before).sum() / np.square(before).sum()
    assert pruned.sqnr_db == pytest.approx(-10 * np.log10(noise), rel=1e-5)
    assert (original.agreement, other.agreement, other.sqnr_db) == (1, 1, None)
    assert (found.samples, found.faults) == (50, [])


def test_without_labels_there_is_no_accuracy() -> None:
    assert {each.accuracy for each in verified(sliced(mlp(), CUTS)).likeness} == {None}


def test_sizes_are_those_counted_by_hand() -> None:
    pruned = sliced(mlp(), CUTS)
    found = verified(pruned)
    assert found.original.parameters == 20 * 40 + 40 + 40 * 4 + 4
    assert found.pruned == ModelSize(20 * 30 + 30 + 30 * 4 + 4, 20 * 30 + 30 * 4, "", pruned.ByteSize())
    assert found.original.macs == 20 * 40 + 40 * 4


def test_latency_has_an_interval_around_it() -> None:
    (speed,) = verified(sliced(mlp(), CUTS)).speed
    assert (speed.threads, speed.rounds) == (1, 3)
    assert 0 < speed.low <= speed.speedup <= speed.high
    assert min(speed.before, speed.after) > 0


def test_a_model_of_half_the_work_is_found_to_be_faster() -> None:
    big, small = (Written(network_of(size)) for size in (1500, 300))
    (speed,) = speed_of(big, small, {"x": np.zeros((8, 1500), np.float32)}, (1,), 7)
    assert speed.speedup > 1.5
    assert speed.low > 1


def network_of(hidden: int) -> ModelProto:
    nodes = [helper.make_node("MatMul", ["x", "v"], ["h"]), helper.make_node("MatMul", ["h", "w"], ["y"])]
    weights = {"v": np.ones((1500, hidden)), "w": np.ones((hidden, 1500))}
    return network(nodes, weights, ["n", 1500], ["n", 1500])


def sizes(before: int | None, after: int | None) -> tuple[ModelSize, ModelSize]:
    return ModelSize(1, before, "", 1), ModelSize(1, after, "", 1)


def timed(low: float, high: float, seconds: float = 1.0, rounds: int = 30) -> list[Speed]:
    return [Speed(1, seconds, seconds, 1.0, low, high, rounds, verdict_of(low, high, rounds))]


NONE, EITHER = timed(0.9, 1.02), timed(0.9, 1.2)


def test_where_other_operators_rule_no_speed_up_is_expected() -> None:
    feeds = {"x": np.ones((50, 2000), np.float32)}
    said = no_speedup(ERFS, sizes(100, 50), feeds, EITHER)
    assert said.startswith("operators with multiply-accumulates take ")
    assert "at most 1.0" in said
    assert "the rest is Erf 9" in said


ERFS = Written(
    network(
        [
            *(helper.make_node("Erf", [f"e{at}" if at else "x"], [f"e{at + 1}"]) for at in range(30)),
            helper.make_node("MatMul", ["e30", "w"], ["y"]),
        ],
        {"w": np.ones((2000, 1))},
        ["n", 2000],
        ["n", 1],
    )
)


@pytest.mark.parametrize(
    ("speed", "told"),
    [
        pytest.param(timed(0.9, 1.2, seconds=5e-5), "", id="a profile says nothing of so short a run"),
        pytest.param(timed(0.9, 1.02, seconds=5e-5), "the rest is Erf", id="an interval does"),
        pytest.param(timed(1.1, 1.2), "", id="faster"),
        pytest.param(timed(0.7, 0.9), "the rest is Erf", id="slower"),
    ],
)
def test_no_speed_up_is_said_where_a_measurement_says_so(speed: list[Speed], told: str) -> None:
    said = no_speedup(ERFS, sizes(100, 50), {"x": np.ones((50, 2000), np.float32)}, speed)
    assert told in said
    assert bool(told) == bool(said)


def test_where_products_rule_and_the_interval_is_wide_nothing_is_claimed() -> None:
    model = Written(network_of(500))
    assert not no_speedup(model, sizes(100, 25), {"x": np.ones((8, 1500), np.float32)}, EITHER)


@pytest.mark.parametrize(
    ("speed", "told"),
    [
        (timed(0.9, 1.2), "the intervals hold a speed-up and none; take more --rounds"),
        (timed(0.9, 1.2, seconds=6.7e-6), "a run takes 0.0067 ms, mostly overhead"),
        (timed(2.0, 3.0, rounds=3), "3 rounds are too few to tell; take --rounds 6 or more"),
        (timed(1.1, 1.2), ""),
    ],
)
def test_what_is_not_clear_says_what_to_do(speed: list[Speed], told: str) -> None:
    found = unclear(speed)
    assert told in found
    assert bool(told) == bool(found)


def test_where_products_rule_the_kernels_are_to_blame() -> None:
    model = Written(network_of(500))
    said = no_speedup(model, sizes(100, 25), {"x": np.ones((8, 1500), np.float32)}, NONE)
    assert said.endswith("but the runtime is not faster at the channel counts that are left; try --align 16")


def test_where_counts_are_not_known_only_the_time_is_told() -> None:
    model = Written(network_of(500))
    said = no_speedup(model, sizes(None, None), {"x": np.ones((8, 1500), np.float32)}, NONE)
    assert said.endswith("% of the original's time")


def test_a_measured_speed_up_needs_no_excuse() -> None:
    assert not no_speedup(Written(network_of(5)), sizes(100, 50), {}, timed(1.01, 1.06))


def test_the_profile_names_the_operators_that_ran() -> None:
    model = Written(network_of(500))
    found = seconds_by_operator(model, {"x": np.ones((8, 1500), np.float32)}, Settings(threads=1))
    assert set(found) == {"MatMul"}
    assert 0 < found["MatMul"] < 1


def renamed(model: ModelProto) -> None:
    model.graph.node[-1].output[0] = model.graph.output[0].name = "z"


def reshaped(model: ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "m"


def broken(model: ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == "w2":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones((31, 4), np.float32), "w2"))


def mute(model: ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == "b2":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.full(4, np.inf, np.float32), "b2"))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (renamed, "outputs are z, in the original y"),
        (reshaped, "'y' is float32 [m, 4], in the original float32 [n, 4]"),
        (broken, "onnx.checker: "),
        (mute, "outputs are no longer finite"),
    ],
)
def test_a_faulty_model_is_found_out(change: Any, fault: str) -> None:
    pruned = sliced(mlp(), CUTS)
    change(pruned)
    found = verified(pruned)
    assert any(each.startswith(fault) for each in found.faults), found.faults
    assert found.speed == []
    assert found.no_speedup == "the pruned model is invalid"
    onnx.checker.check_model(mlp(), full_check=True)
