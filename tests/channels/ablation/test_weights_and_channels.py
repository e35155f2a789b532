"""What goes when the least important weights or channels of a layer go, worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import parser

from nnea_graph.api.analyze import load
from nnea_graph.channels.ablation.schedule import WHOLE, ordered_cuts
from nnea_graph.channels.ablation.weights_and_channels import (
    CRITERIA,
    UNITS,
    Ablation,
    Removable,
    removable,
    removed,
    zeroed,
)
from nnea_graph.channels.output_channels import last_layers
from nnea_graph.channels.weight_inputs import WeightInput
from nnea_graph.engine import run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.shape_inference import SHAPES

Array = NDArray[Any]


def prepared(text: str) -> ModelGraph:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    graph = load(model)
    run_passes(graph, complete(parse("constants"), catalogue()))
    return graph


def layer(graph: ModelGraph, name: str, activations: Array | None = None) -> Removable:
    def seen(meeting: WeightInput) -> Array:
        needed = meeting.layout.channels(meeting.constant.shape)
        return np.ones(needed) if activations is None else activations

    node = graph.node(name)
    weights = graph[node, WEIGHTS]
    found = removable(graph, graph[SHAPES], node, weights, seen)
    assert isinstance(found, Removable)
    return found


def cut(
    graph: ModelGraph, name: str, wanted: Ablation, activations: Array | None = None
) -> dict[tuple[str, int], Any]:
    found = layer(graph, name, activations)
    originals = {slot: constant.array() for slot, constant in found.constants().items()}
    return {slot: values.tolist() for slot, values in zeroed(found, originals, wanted, 0).items()}


DENSE = """
    g (float[1,2] x) => (float[1,3] y) <float[2,3] w = {1, -5, 2, 3, 0.5, 4}, float[3] b = {7, 8, 9}>
    { [dense] h = MatMul (x, w) [bias] z = Add (h, b) y = Relu (z) }
"""


@pytest.mark.parametrize(
    ("criterion", "activations", "expected"),
    [
        pytest.param("magnitude", None, [[0, -5, 0], [3, 0, 4]], id="by-magnitude"),
        # |w| a = 10, 50, 20 and 3, 0.5, 4: the second input hardly carries anything.
        pytest.param("importance", np.array([10.0, 1.0]), [[1, -5, 2], [0, 0, 0]], id="by-importance"),
    ],
)
def test_the_least_half_of_the_weights_goes_and_the_bias_stays(
    criterion: str, activations: Array | None, expected: list[list[float]]
) -> None:
    found = cut(prepared(DENSE), "dense", Ablation("weights", criterion, 0.5), activations)
    assert found == {("dense", 1): expected}


def test_a_channel_goes_with_its_bias_though_that_is_an_operator_of_its_own() -> None:
    # Sums of |w| by column: 4, 5.5, 6.
    found = cut(prepared(DENSE), "dense", Ablation("channels", "magnitude", 0.3))
    assert found == {("dense", 1): [[0, -5, 2], [0, 0.5, 4]], ("bias", 1): [0, 8, 9]}


def test_at_random_a_larger_share_holds_a_smaller_one_and_seeds_differ() -> None:
    ones = ", ".join(["1"] * 600)
    graph = prepared(
        f"g (float[1,20] x) => (float[1,30] y) <float[20,30] w = {{{ones}}}> {{ [dense] y = MatMul (x, w) }}"
    )
    found = layer(graph, "dense")
    originals = {("dense", 1): np.ones((20, 30), np.float32)}
    kept = {
        (fraction, seed): zeroed(found, originals, Ablation("weights", "random", fraction), seed)["dense", 1]
        for fraction in (0.3, 0.7)
        for seed in (0, 1)
    }
    assert [int((kept[key] == 0).sum()) for key in kept] == [180, 180, 420, 420]
    assert ((kept[0.3, 0] == 0) <= (kept[0.7, 0] == 0)).all()
    assert (kept[0.3, 0] != kept[0.3, 1]).any()


CHANNELS = [
    pytest.param(
        """g (float[1,2,3,3] x) => (float[1,2,3,3] y) <float[2,1,1,1] w = {3, 2}, float[2] b = {5, 6}>
        { [it] y = Conv <group = 2> (x, w, b) }""",
        {("it", 1): [[[[3]]], [[[0]]]], ("it", 2): [5, 0]},
        id="depthwise: a row",
    ),
    pytest.param(
        """g (float[1,2,3,3] x) => (float[1,4,3,3] y)
        <float[2,2,1,1] w = {4, 3, 1, 2}, float[4] b = {5, 6, 7, 8}>
        { [it] y = ConvTranspose <group = 2> (x, w, b) }""",
        # Output channels 0 and 1 are of the first group (row), 2 and 3 of the second: 2 and 3 are the least.
        {("it", 1): [[[[4]], [[3]]], [[[0]], [[0]]]], ("it", 2): [5, 6, 0, 0]},
        id="transposed, in groups: a column of its group",
    ),
    pytest.param(
        """g (float[1,2] x) => (float[1,2] y) <float[2,2] w = {4, 3, 1, 2}, float[2] b = {5, 6}>
        { [it] y = Gemm <transB = 1> (x, w, b) }""",
        {("it", 1): [[4, 3], [0, 0]], ("it", 2): [5, 0]},
        id="transposed dense: a row",
    ),
    pytest.param(
        """g (float[1,1,1] x) => (float[1,1,1,2] y)
        <float[1,6,1] w = {1, 9, 1, 9, 1, 9}, float[1,6,2] r = {1,1,2,2,1,1,2,2,1,1,2,2},
         float[1,12] b = {1,2,3,4,5,6,7,8,9,10,11,12}>
        { [it] y = GRU <hidden_size = 2> (x, w, r, b) }""",
        {
            ("it", 1): [[[0], [9], [0], [9], [0], [9]]],
            ("it", 2): [[[0, 0], [2, 2], [0, 0], [2, 2], [0, 0], [2, 2]]],
            ("it", 3): [[0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0, 12]],
        },
        id="recurrent: a row of every gate",
    ),
    pytest.param(
        """g (int64[3] x) => (float[3,2] y) <float[3,2] w = {1, 2, 3, 4, 5, 6}> { [it] y = Gather (w, x) }""",
        {("it", 0): [[0, 2], [0, 4], [0, 6]]},
        id="table: a column",
    ),
]


@pytest.mark.parametrize(("text", "expected"), CHANNELS)
def test_half_of_the_channels_goes(text: str, expected: dict[tuple[str, int], Any]) -> None:
    assert cut(prepared(text), "it", Ablation("channels", "magnitude", 0.5)) == expected


def test_layers_behind_which_no_other_stands_give_the_models_outputs() -> None:
    graph = prepared(
        """g (float[1,2] x) => (float[1,2] y, float[1,2] z) <float[2,2] w = {1, 2, 3, 4}>
        { [first] a = MatMul (x, w) b = Relu (a) [second] c = MatMul (b, w) y = Add (c, x)
          [third] z = MatMul (b, w) }"""
    )
    assert last_layers(graph, {"first", "second", "third"}) == {"second", "third"}


def test_the_most_telling_cuts_come_first() -> None:
    graph = prepared(DENSE)
    order = ordered_cuts([layer(graph, "dense")], UNITS)
    assert order[0] == (WHOLE, Ablation("weights", "importance", 0.5))
    assert {name for name, _ in order[:6]} == {WHOLE}
    assert [name for name, _ in order[6:9]] == ["dense", "dense", WHOLE]
    of_layer = [each for name, each in order if name == "dense"]
    assert of_layer[:2] == [Ablation("weights", "importance", 0.5), Ablation("channels", "importance", 0.5)]
    assert [each.criterion for each in of_layer[:6:2]] == list(CRITERIA)
    assert len(order) == len(set(order))


def test_cuts_that_take_nothing_or_everything_are_not_measured() -> None:
    graph = prepared(DENSE)
    dense = layer(graph, "dense")
    sizes = {each.fraction: removed(dense, each) for _, each in ordered_cuts([dense], ("channels",))}
    assert sizes == {0.3: 1, 0.5: 2, 0.7: 2}
