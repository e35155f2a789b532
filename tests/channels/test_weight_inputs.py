"""What leaves a layer after its activation function, and why a weight's channels may not be known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hostile.support.models import model, op, tensor, typed
from onnx import NodeProto

from nnea_graph.api.analyze import load
from nnea_graph.channels.weight_inputs import WeightInput, leaving, meetings
from nnea_graph.engine import run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.shape_inference import SHAPES

WEIGHT = [tensor("w", np.ones((4, 4))), tensor("b", np.ones(4)), tensor("low", 0.0)]
MATMUL = op("MatMul", ["x", "w"], ["h"], name="layer")


def made(*nodes: NodeProto, outputs: tuple[str, ...] = ("y",)) -> ModelGraph:
    graph = load(model([MATMUL, *nodes], outputs=[typed(name) for name in outputs], weights=WEIGHT))
    run_passes(graph, complete(parse("constants"), catalogue()))
    return graph


FOLLOWED: dict[str, tuple[tuple[NodeProto, ...], str]] = {
    "activation": ((op("Relu", ["h"], ["y"]),), "y"),
    "bias-and-activation": ((op("Add", ["h", "b"], ["s"]), op("Clip", ["s", "low"], ["y"])), "y"),
    "scale-bias-activation": (
        (op("Mul", ["h", "b"], ["m"]), op("Add", ["m", "b"], ["s"]), op("Gelu", ["s"], ["y"])),
        "y",
    ),
    "silu-of-two-operators": ((op("Sigmoid", ["h"], ["g"]), op("Mul", ["g", "h"], ["y"])), "y"),
    "silu-turned-round": ((op("Sigmoid", ["h"], ["g"]), op("Mul", ["h", "g"], ["y"])), "y"),
    "bias-and-silu": (
        (op("Add", ["h", "b"], ["s"]), op("Sigmoid", ["s"], ["g"]), op("Mul", ["s", "g"], ["y"])),
        "y",
    ),
}
FOLLOWED["gate-of-something-else"] = ((op("Sigmoid", ["h"], ["g"]), op("Mul", ["g", "x"], ["y"])), "g")
NOT_FOLLOWED: dict[str, tuple[tuple[NodeProto, ...], tuple[str, ...]]] = {
    "nothing": ((op("Exp", ["h"], ["y"]),), ("y",)),
    "bias-alone": ((op("Add", ["h", "b"], ["y"]),), ("y",)),
    "residual": ((op("Add", ["h", "x"], ["s"]), op("Relu", ["s"], ["y"])), ("y",)),
    "two-readers": ((op("Relu", ["h"], ["y"]), op("Exp", ["h"], ["z"])), ("y", "z")),
    "an-output-itself": ((op("Relu", ["h"], ["y"]),), ("y", "h")),
}


@pytest.mark.parametrize(("nodes", "expected"), FOLLOWED.values(), ids=FOLLOWED)
def test_the_activation_function_is_found(nodes: tuple[NodeProto, ...], expected: str) -> None:
    assert leaving(made(*nodes), "h") == expected


@pytest.mark.parametrize(("nodes", "outputs"), NOT_FOLLOWED.values(), ids=NOT_FOLLOWED)
def test_without_an_activation_function_of_its_own_a_layers_output_leaves_it(
    nodes: tuple[NodeProto, ...], outputs: tuple[str, ...]
) -> None:
    assert leaving(made(*nodes, outputs=outputs), "h") == "h"


def met(graph: ModelGraph, name: str, side: str = "input") -> list[Any]:
    node = graph.node(name)
    weights = graph[node, WEIGHTS]
    return list(meetings(graph, graph[SHAPES], node, weights, side))


def test_a_weight_meets_what_enters_and_what_leaves() -> None:
    graph = made(op("Relu", ["h"], ["y"]))
    (entering,), (left,) = met(graph, "layer"), met(graph, "layer", "output")
    assert isinstance(entering, WeightInput)
    assert (entering.tensor, entering.axis) == ("x", 1)
    assert (left.tensor, left.axis, left.layout.in_axis) == ("y", 1, -1)


def test_a_bias_meets_nothing() -> None:
    assert met(made(op("Add", ["h", "b"], ["y"], name="bias")), "bias") == []


def test_a_rank_that_is_not_known_is_a_reason() -> None:
    made_up = model(
        [op("Strange", ["x"], ["h"], domain="elsewhere"), op("MatMul", ["h", "w"], ["y"], name="layer")],
        weights=WEIGHT[:1],
        domains=["elsewhere"],
    )
    graph = load(made_up)
    run_passes(graph, complete(parse("constants"), catalogue()))
    assert met(graph, "layer") == ["the rank of 'h' is not known"]


def test_an_output_that_is_left_out_is_a_reason() -> None:
    weights = [tensor("w", np.ones((1, 8, 4))), tensor("r", np.ones((1, 8, 2)))]
    lstm = op("LSTM", ["x", "w", "r"], ["", "", "y"], name="layer", hidden_size=2)
    graph = load(model([lstm], [typed("x", 3, 1, 4)], weights=weights))
    run_passes(graph, complete(parse("constants"), catalogue()))
    first, second = met(graph, "layer")
    assert first.tensor == "x"
    assert second == "LSTM does not give its output 1"
