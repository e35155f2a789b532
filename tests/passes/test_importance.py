"""Importance against float64 brute force over stored activations of the original model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto
from reference.weighed_nets import CASES
from reference.weighing import Case, expected_metrics, stored_activations

from nnea_graph.api import data_options, load
from nnea_graph.engine import run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.passes.importance import IMPORTANCE, MODEL_IMPORTANCE, Importance

Array = NDArray[Any]


def analysed(
    model: ModelProto, feeds: Mapping[str, Array], side: str = "input", batch_size: int = 7
) -> ModelGraph:
    graph = load(model)
    options: dict[str, Any] = {"dims": {}, "input_shapes": {}, "batch_size": batch_size}
    options |= data_options(graph, feeds, options)
    results = run_passes(graph, complete(parse(f"importance{{side={side}}}"), catalogue(), options))
    assert [(each.name, each.reason) for each in results if each.status != "ok"] == []
    return graph


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
