"""Importance against float64 brute force over stored activations of the original model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from hostile.support.models import model, op, tensor, typed
from model_zoo.weighed_nets import CASES
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto
from oracles.annotated import annotated
from oracles.weighing import Case, along, expected_metrics, mean_abs, stored_activations

from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.importance import IMPORTANCE, MODEL_IMPORTANCE, ChannelFacts, Importance

Array = NDArray[Any]


def analysed(
    made: ModelProto, feeds: Mapping[str, Array], side: str = "input", batch_size: int = 7
) -> ModelGraph:
    return annotated(made, f"importance{{side={side}}}", data=feeds, batch_size=batch_size)


@cache
def importance(name: str, side: str, batch_size: int = 7) -> dict[str, Importance]:
    case = CASES[name]
    graph = analysed(case.model, case.feeds, side, batch_size)
    return {node.id: graph[node, IMPORTANCE] for node in graph}


@cache
def activations(name: str) -> dict[str, Array]:
    return stored_activations(CASES[name].model, CASES[name].feeds)


def expected(name: str, side: str) -> dict[str, list[Array]]:
    case: Case = CASES[name]
    layers = case.inputs if side == "input" else case.outputs
    return {node: [np.asarray(x) for x in weigh(activations(name))] for node, weigh in layers.items()}


sides = pytest.mark.parametrize("side", ["input", "output"])
nets = pytest.mark.parametrize("name", CASES)


@sides
@nets
def test_every_metric_of_every_layer_is_that_of_brute_force(name: str, side: str) -> None:
    found = importance(name, side)
    for node, parts in expected(name, side).items():
        x = np.concatenate([part.reshape(-1) for part in parts])
        metrics = found[node].metrics
        assert metrics is not None, (node, found[node].reason)
        for field, value in expected_metrics(x).items():
            mine = getattr(metrics, field)
            assert _near(field, mine, value), (node, field, mine, value)
        assert found[node].total == pytest.approx(x.sum(), rel=1e-4)


def _near(field: str, mine: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return all(_near(field, mine[key], each) for key, each in value.items())
    close = pytest.approx(value, rel=1e-4, abs=1e-4 if field in {"lorenz", "top_share", "reach"} else 0)
    if field == "entropy":
        close = pytest.approx(value, abs=1e-6)
    return bool(mine == close if not isinstance(value, list) else list(mine) == close)


@sides
@nets
def test_the_model_is_all_its_layers_together(name: str, side: str) -> None:
    graph = analysed(CASES[name].model, CASES[name].feeds, side)
    x = np.concatenate([part.reshape(-1) for parts in expected(name, side).values() for part in parts])
    metrics = graph[MODEL_IMPORTANCE].metrics
    assert metrics is not None
    assert metrics.count == x.size
    assert metrics.entropy == pytest.approx(expected_metrics(x)["entropy"], abs=1e-6)


@sides
@nets
def test_layers_without_expectation_say_why_they_have_no_metrics(name: str, side: str) -> None:
    for node, found in importance(name, side).items():
        if node not in expected(name, side):
            assert found.metrics is None
            assert found.reason


@sides
@nets
def test_the_size_of_batches_makes_no_difference(name: str, side: str) -> None:
    one, seven, all_at_once = (importance(name, side, size) for size in (1, 7, 64))
    for node, found in seven.items():
        for other in (one[node], all_at_once[node]):
            if found.metrics is None or other.metrics is None:
                assert found.metrics is other.metrics
                continue
            for field in ("entropy", "gini", "mean", "max", "hill_2", "std"):
                value = getattr(found.metrics, field)
                assert getattr(other.metrics, field) == pytest.approx(value, rel=1e-5), (node, field)


# What channels show


def layer(found: ModelGraph, name: str) -> Importance:
    return found[found.node(name), IMPORTANCE]


def facts(found: ModelGraph, name: str) -> ChannelFacts:
    channels = layer(found, name).channels
    assert channels is not None
    return channels


@sides
@nets
def test_the_sums_of_channels_are_those_of_brute_force(name: str, side: str) -> None:
    """By input and output channel of the first weight; an output by the gates, where it has some."""
    found = importance(name, side)
    for node, (x, *_) in expected(name, side).items():
        channels = found[node].channels
        assert channels is not None
        for sums in (channels.inputs, channels.outputs):
            if sums is not None:
                assert sums.sum() == pytest.approx(x.sum(), rel=1e-4), node


def test_sums_of_channels_of_grouped_convolutions() -> None:
    """Two groups of two inputs and one output each; seen from either side, the same channels."""
    weight = np.array([[[1.0], [2.0]], [[3.0], [4.0]]], np.float32)
    made = model(
        [op("Conv", ["x", "w"], ["y"], name="conv", group=2)],
        [typed("x", "batch", 4, 1)],
        weights=[tensor("w", weight)],
    )
    x = np.array([[[1.0], [10.0], [100.0], [1000.0]]], np.float32)
    found = facts(analysed(made, {"x": x}), "conv")
    assert found.inputs == pytest.approx([1, 20, 300, 4000])
    assert found.outputs == pytest.approx([21, 4300])
    turned = facts(analysed(made, {"x": x}, "output"), "conv")
    assert turned.inputs == pytest.approx([21, 42, 3 * 4300, 4 * 4300])
    assert turned.outputs == pytest.approx([3 * 21, 7 * 4300])


def dense(x: Array, weight: Array, bias: Array, activation: str = "Relu") -> ModelGraph:
    made = model(
        [op("Gemm", ["x", "w", "b"], ["h"], name="dense"), op(activation, ["h"], ["y"])],
        [typed("x", "batch", x.shape[1])],
        weights=[tensor("w", weight), tensor("b", bias)],
    )
    return analysed(made, {"x": x.astype(np.float32)})


def test_dead_inputs_are_those_that_weights_wait_for_in_vain() -> None:
    x = np.random.default_rng(0).standard_normal((10, 4))
    x[:, [1, 2]] = 0
    weight = np.array([[1, 1], [2, 3], [0, 0], [4, 5]])  # nothing waits for channel 2
    found = facts(dense(x, weight, np.zeros(2)), "dense")
    assert found.dead_inputs == 1
    assert found.stranded == pytest.approx(5 / 16)


def test_dead_and_constant_outputs_are_counted_after_the_activation_function() -> None:
    """Of four: one always below 0, one always 0.3 (no number of float32), one that varies, one always -1 before it."""
    x = np.random.default_rng(0).standard_normal((50, 2))
    weight = np.array([[0, 0, 1, 0], [0, 0, 1, 0]])
    found = facts(dense(x, weight, np.array([-5, 0.3, 0, -1])), "dense")
    assert (found.output_channels, found.dead_outputs, found.constant_outputs) == (4, 2, 1)
    bent = facts(dense(x, weight, np.array([-5, 0.3, 0, -1]), "LeakyRelu"), "dense")
    assert (bent.dead_outputs, bent.constant_outputs) == (0, 3)


@pytest.mark.parametrize("size", [1, 8, 64, 128, 129, 224, 300])
@pytest.mark.parametrize("value", [0.3, -0.7, 1e-4, 12345.678])
def test_a_constant_map_of_any_size_is_constant_and_one_that_varies_is_not(size: int, value: float) -> None:
    weight = np.zeros((3, 1, 1, 1), np.float32)
    weight[2] = 0.01
    made = model(
        [op("Conv", ["x", "w", "b"], ["y"], name="conv")],
        [typed("x", "batch", 1, size, size)],
        weights=[tensor("w", weight), tensor("b", [value, 0, value])],
    )
    x = np.random.default_rng(0).standard_normal((3, 1, size, size)).astype(np.float32) * np.float32(
        abs(value)
    )
    found = facts(analysed(made, {"x": x}), "conv")
    assert (found.dead_outputs, found.constant_outputs) == (1, 1)


def test_a_channel_of_both_signs_of_one_number_is_not_constant() -> None:
    x = np.array([[1], [-1], [1], [-1]])
    found = facts(dense(x, np.ones((1, 1)), np.zeros(1), "Identity"), "dense")
    assert found.constant_outputs == 0


def test_tied_layers_are_both_weighed_and_once_in_the_model() -> None:
    """One table looks words up and, turned round, gives their scores."""
    table = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
    made = model(
        [
            op("Gather", ["table", "ids"], ["words"], name="words"),
            op("Transpose", ["table"], ["turned"], perm=[1, 0]),
            op("MatMul", ["words", "turned"], ["y"], name="scores"),
        ],
        [typed("ids", "batch", 3, dtype=TensorProto.INT64)],
        weights=[tensor("table", table)],
    )
    ids = np.array([[0, 1, 2], [2, 2, 5]])
    found = analysed(made, {"ids": ids})
    used = np.array([1, 1, 3, 0, 0, 1]) / 6
    entering = np.abs(table[ids].astype(np.float64)).mean((0, 1))
    first, second = np.abs(table) * used[:, None], np.abs(table.T) * entering[:, None]
    for name, x in (("words", first), ("scores", second)):
        metrics = layer(found, name).metrics
        assert metrics is not None
        assert metrics.entropy == pytest.approx(expected_metrics(x.reshape(-1))["entropy"], abs=1e-6)
    whole = found[MODEL_IMPORTANCE].metrics
    assert whole is not None
    assert whole.count == table.size
    assert whole.max == pytest.approx(first.max(), rel=1e-5)


def test_one_tensor_may_be_two_weights_of_an_operator() -> None:
    weight = np.random.default_rng(2).standard_normal((1, 3, 3)).astype(np.float32)
    made = model(
        [op("RNN", ["x", "w", "w"], ["states"], name="rnn", hidden_size=3)],
        [typed("x", 4, "batch", 3)],
        [typed("states")],
        [tensor("w", weight)],
    )
    x = np.random.default_rng(3).standard_normal((4, 5, 3)).astype(np.float32)
    states = stored_activations(made, {"x": x})["states"]
    both = [along(weight, 2, mean_abs(x, 2)), along(weight, 2, mean_abs(states, 3))]
    metrics = layer(analysed(made, {"x": x}), "rnn").metrics
    assert metrics is not None
    x_all = np.concatenate([each.reshape(-1) for each in both])
    assert metrics.entropy == pytest.approx(expected_metrics(x_all)["entropy"], abs=1e-6)


def test_two_tables_may_be_read_by_the_same_numbers() -> None:
    tables = [np.full((5, 2), 1.0), np.full((9, 2), 1.0)]
    made = model(
        [
            op("Gather", ["t0", "ids"], ["a"], name="short"),
            op("Gather", ["t1", "ids"], ["b"], name="long"),
            op("Add", ["a", "b"], ["y"]),
        ],
        [typed("ids", "batch", 1, dtype=TensorProto.INT64)],
        weights=[tensor("t0", tables[0]), tensor("t1", tables[1])],
    )
    found = analysed(made, {"ids": np.array([[0], [4], [4], [1]])})
    assert facts(found, "short").inputs == pytest.approx([0.5, 0.5, 0, 0, 1])
    assert facts(found, "long").inputs == pytest.approx([0.5, 0.5, 0, 0, 1, 0, 0, 0, 0])


# What is no number


def test_weights_that_are_no_numbers_are_counted_and_left_out() -> None:
    weight = np.array([[1, np.nan], [np.inf, 2], [3, 4]], np.float32)
    found = dense(np.ones((4, 3)), weight, np.zeros(2), "Identity")
    importance_of = layer(found, "dense")
    metrics = importance_of.metrics
    assert metrics is not None
    assert (metrics.count, metrics.nan, metrics.inf) == (4, 1, 1)
    assert metrics.entropy == pytest.approx(expected_metrics(np.array([1.0, 2, 3, 4]))["entropy"], abs=1e-6)
    assert importance_of.total == pytest.approx(10)
    assert facts(found, "dense").inputs == pytest.approx([1, 2, 7])


def test_activations_that_are_no_numbers_leave_their_channels_unknown() -> None:
    """0/0 in channel 0 always, in channel 1 for one of two samples: what is left of that one counts."""
    made = model(
        [
            op("Div", ["x", "x"], ["q"]),
            op("Add", ["q", "one"], ["h"]),
            op("MatMul", ["h", "w"], ["y"], name="dense"),
        ],
        [typed("x", "batch", 3)],
        weights=[tensor("one", [1.0]), tensor("w", [[1.0], [2.0], [4.0]])],
    )
    found = analysed(made, {"x": np.array([[0, 0, 3], [0, 5, 3]], np.float32)}, batch_size=1)
    metrics = layer(found, "dense").metrics
    assert metrics is not None
    assert (metrics.count, metrics.nan, metrics.max) == (2, 1, 8)
    channels = facts(found, "dense")
    assert channels.dead_inputs == 0  # not known to be dead
    assert channels.inputs == pytest.approx([0, 4, 8])
    assert (channels.dead_outputs, channels.constant_outputs) == (0, 0)


def test_nothing_but_zeros_has_no_shares() -> None:
    metrics = layer(dense(np.zeros((3, 2)), np.ones((2, 2)), np.zeros(2)), "dense").metrics
    assert metrics is not None
    assert (metrics.count, metrics.zeros, metrics.entropy, metrics.gini) == (4, 4, None, None)


def test_sums_answer_for_other_activations_without_the_weights() -> None:
    weight = np.random.default_rng(4).standard_normal((5, 3))
    (sums,) = layer(dense(np.ones((2, 5)), weight, np.zeros(3)), "dense").sums
    other = np.array([0.5, 0, 2, 7, 1])
    x = np.abs(weight.astype(np.float32).astype(np.float64)) * other[:, None]
    assert sums.entropy(other) == pytest.approx(expected_metrics(x.reshape(-1))["entropy"], abs=1e-9)


# Reasons


def reason(nodes: list[Any], inputs: list[Any], weights: list[Any], side: str = "input") -> str:
    made = model(nodes, inputs, weights=weights, domains=["com.microsoft"])
    found = layer(analysed(made, {"x": np.ones((2, 4, 4), np.float32)}, side), "layer")
    assert found.metrics is None
    return found.reason


CUBE = [typed("x", "batch", 4, 4)]


def test_a_bias_says_that_it_is_one() -> None:
    found = reason([op("Add", ["x", "b"], ["y"], name="layer")], CUBE, [tensor("b", np.ones(4))])
    assert found == "a bias alone, which meets no channel"


def test_a_weight_that_no_rule_covers_names_its_operator() -> None:
    found = reason([op("Add", ["x", "p"], ["y"], name="layer")], CUBE, [tensor("p", np.ones((4, 4)))])
    assert found == "no rule says which channels the weights of Add meet"


def test_projections_side_by_side_lead_to_no_output_channel() -> None:
    nodes = [
        op(
            "Attention",
            ["x", "w", "b"],
            ["y"],
            name="layer",
            domain="com.microsoft",
            num_heads=2,
        )
    ]
    weights = [tensor("w", np.ones((4, 12))), tensor("b", np.zeros(12))]
    assert (
        reason(nodes, CUBE, weights, "output") == "the weights of Attention do not lead to one channel each"
    )


def test_attention_projections_meet_what_enters_them() -> None:
    rng = np.random.default_rng(5)
    weight, x = (
        rng.standard_normal((4, 12)).astype(np.float32),
        rng.standard_normal((9, 3, 4)).astype(np.float32),
    )
    made = model(
        [op("Attention", ["x", "w", "b"], ["y"], name="layer", domain="com.microsoft", num_heads=2)],
        [typed("x", "batch", 3, 4)],
        weights=[tensor("w", weight), tensor("b", np.zeros(12))],
        domains=["com.microsoft"],
    )
    metrics = layer(analysed(made, {"x": x}), "layer").metrics
    assert metrics is not None
    x_all = along(weight, 0, mean_abs(x, 2)).reshape(-1)
    assert metrics.entropy == pytest.approx(expected_metrics(x_all)["entropy"], abs=1e-6)


def test_a_side_that_there_is_not_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="is input or output, not 'both'"):
        analysed(CASES["mlp"].model, CASES["mlp"].feeds, "both")
