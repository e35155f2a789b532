"""What diagrams show: numbers by hand, what is left out said, everything bounded."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest
from hostile.support.models import graph as onnx_graph
from hostile.support.models import model, op, tensor, typed
from oracles.channel_graphs import carry, dense, graph_of

from nnea_graph.api.analyze import load, report_on
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.channels.graph import ChannelGraph, Link
from nnea_graph.engine import RunContext
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.channels import CHANNELS
from nnea_graph.passes.pathways import MARGINALS, PathwaysPass
from nnea_graph.report.diagrams.boxes import by_utilization
from nnea_graph.report.diagrams.flow import flow_diagram
from nnea_graph.report.diagrams.model import STEPS, DrawnBox, FlowDiagram, OperatorDiagram, PathDiagram
from nnea_graph.report.diagrams.operators import operator_diagram
from nnea_graph.report.diagrams.pathways import path_diagram

MODELS = File(__file__).parents[3] / "models"
DEEP = 30


def prepared(channels: ChannelGraph, k: int = 10) -> ModelGraph:
    """A model of any kind with that channel graph on it."""
    made = load(model([op("Relu", ["x"], ["y"])]))
    made[CHANNELS] = channels
    PathwaysPass(k=k).run(made, RunContext())
    return made


def drawn(channels: ChannelGraph, k: int = 10) -> PathDiagram:
    found = path_diagram(prepared(channels, k))
    assert found is not None
    return found


SMALL = graph_of(
    {"x": 2, "h": 3, "y": 1},
    [dense("x", "h", [[1, 3], [1, 0], [1, 1]]), dense("h", "y", [[2, 1, 1]])],
    ("y",),
)


def test_channels_on_the_paths_are_drawn_and_the_rest_is_counted() -> None:
    found = drawn(SMALL, 2)  # x1 h0 y: 3/4 * 1/2; x0 h1 y: 1 * 1/4
    assert [(layer.name, layer.channels) for layer in found.layers] == [("x", 2), ("h", 3), ("Relu_0", 1)]
    hidden = found.layers[1]
    assert [(unit.channel, unit.share) for unit in hidden.units] == [(0, 0.5), (1, 0.25)]
    assert hidden.rest is not None
    assert (hidden.rest.count, hidden.rest.on_paths, hidden.rest.share) == (1, 0, 0.25)
    assert found.layers[0].rest is None
    assert found.share == pytest.approx(3 / 8 + 1 / 4)


def test_steps_carry_their_part_of_the_drawn_flow() -> None:
    found = drawn(SMALL, 2)
    parts = {(step.source, step.target): step.part for step in found.steps}
    assert parts == {
        ((0, 1), (1, 0)): pytest.approx(0.6),
        ((1, 0), (2, 0)): pytest.approx(0.6),
        ((0, 0), (1, 1)): pytest.approx(0.4),
        ((1, 1), (2, 0)): pytest.approx(0.4),
    }
    assert {step.step for step in found.steps if step.part > 0.5} == {STEPS - 1}


def chain(weights: Any) -> tuple[dict[str, int], list[Link]]:
    names = [f"t{place}" for place in range(DEEP)]
    counts = dict.fromkeys(names, 2)
    return counts, [weights(a, b) for a, b in pairwise(names)]


def test_layers_that_keep_their_channels_are_folded_into_the_next() -> None:
    """A join lies between each two, as in a residual network: all paths stay in their channel."""

    def joined(a: str, b: str) -> Link:
        return dense(a, b, [[1, 0], [0, 1]])

    counts, links = chain(joined)
    found = drawn(graph_of(counts, links, ("t29",)))
    assert len(found.layers) == 3
    assert [layer.channels for layer in found.layers] == [2, 2, 2]
    assert found.layers[1].straight
    assert len(found.layers[1].folded) == DEEP - 3


def test_long_stretches_of_other_layers_are_thinned_and_said_to_be() -> None:
    counts, links = chain(lambda a, b: dense(a, b, [[1, 2], [3, 1]]))
    found = drawn(graph_of(counts, links, ("t29",)), 20)
    assert len(found.layers) <= 10
    assert sum(len(layer.folded) for layer in found.layers) + len(found.layers) == DEEP
    assert not all(layer.straight for layer in found.layers if layer.folded)
    assert found.layers[0].name == "t0"
    assert found.layers[-1].name == "t29"


def test_of_many_channels_the_strongest_are_drawn() -> None:
    weights = np.arange(1, 101, dtype=np.float64)[None]
    channels = graph_of({"x": 100, "y": 1}, [dense("x", "y", weights)], ("y",))
    first = drawn(channels, 50).layers[0]
    assert [unit.channel for unit in first.units] == list(range(88, 100))
    assert first.rest is not None
    assert (first.rest.count, first.rest.on_paths) == (88, 38)


def test_what_runs_between_rests_does_not_make_the_drawn_channels_faint() -> None:
    """20 channels go straight on, alike: 12 are drawn, and the other 8 together are eight times as strong."""
    names = ["x", "a", "b", "y"]
    found = drawn(
        graph_of(dict.fromkeys(names, 20), [dense(a, b, np.eye(20)) for a, b in pairwise(names)], ("y",)), 20
    )
    levels = {step.source[1] is None: step.step for step in found.steps if step.source[0] == 1}
    assert levels == {False: STEPS - 1, True: STEPS - 1}
    assert [step.part for step in found.steps if step.source == (1, None)] == [pytest.approx(0.4)]


def test_paths_below_every_float_are_drawn_by_their_proportions() -> None:
    names = [f"t{place}" for place in range(9)]
    links = [dense(a, b, [[1, 0], [0, 1]], [1e-60, 5e-61]) for a, b in pairwise(names)]
    found = drawn(graph_of(dict.fromkeys(names, 2), links, ("t8",)))
    assert found.steps[0].part == pytest.approx(256 / 257)


def test_without_paths_there_is_nothing_to_draw() -> None:
    channels = graph_of({"x": 1, "y": 1}, [carry("x", "y", [-1])], ("y",))
    made = prepared(channels)
    assert path_diagram(made) is None


# Flow and operators


def analyzed(source: Any, **options: Any) -> tuple[ModelGraph, Any]:
    request = AnalysisRequest(source=source, passes="pathways,cost,memory,weight_statistics", **options)
    opened = request.open()
    return opened.graph, report_on(opened)[0]


def flow(source: Any) -> FlowDiagram:
    found = flow_diagram(*analyzed(source))
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_transformer"])
def test_what_flows_into_a_box_flows_out_of_it(name: str) -> None:
    found = flow(MODELS / f"{name}.onnx")
    for number, box in enumerate(found.boxes):
        into = sum(edge.share or 0 for edge in found.edges if edge.target == number)
        out = sum(edge.share or 0 for edge in found.edges if edge.source == number)
        assert box.kind in {"input", "output"} or into == pytest.approx(out), box.name
        assert box.kind != "output" or into == pytest.approx(1)


def test_boxes_of_the_digits_cnn_hold_all_its_parameters_and_work() -> None:
    made, report = analyzed(MODELS / "digits_cnn.onnx")
    found = flow_diagram(made, report)
    assert found is not None
    assert sum(box.parameters for box in found.boxes) == report.totals.parameters
    assert sum(box.macs or 0 for box in found.boxes) == report.totals.macs
    assert [box.name for box in found.boxes] == [
        "x", "stem", "block.conv1", "block.conv2", "block", "depthwise", "pointwise", "head", "logits",
    ]  # fmt: skip


def deep(blocks: int) -> Any:
    nodes, weights, last = [], [], "x"
    for block in range(blocks):
        weights += [tensor(f"w{block}", np.eye(4)), tensor(f"v{block}", np.eye(4))]
        nodes += [
            op("MatMul", [last, f"w{block}"], [f"a{block}"], name=f"/net/blocks.{block}/fc1/MatMul"),
            op("MatMul", [f"a{block}", f"v{block}"], [f"b{block}"], name=f"/net/blocks.{block}/fc2/MatMul"),
            op("Add", [f"b{block}", last], [f"c{block}"], name=f"/net/blocks.{block}/Add"),
        ]
        last = f"c{block}"
    return model(nodes, outputs=[typed(last, 1, 4)], weights=weights)


def test_a_deep_model_is_folded_and_says_so() -> None:
    found = flow(deep(18))
    assert found.folding == "by branch"
    folded = [box for box in found.boxes if box.kind == "folded"]
    assert len(folded) == 18
    assert {(box.layers, box.parameters, tuple(box.operators)) for box in folded} == {
        (2, 32, (("MatMul", 2),))
    }
    assert folded[0].name == "net.blocks.0"
    deeper = flow(deep(30))
    assert deeper.folding == "by block"
    assert len(deeper.boxes) <= 40


def box(utilization: float | None) -> DrawnBox:
    return DrawnBox("", "operator", (), "", 1, 1, 1, None, utilization, None, "")


def test_colors_span_the_tenths_around_what_there_is() -> None:
    boxes, low, high = by_utilization([box(0.72), box(0.98), box(None)])
    assert (low, high) == (0.7, 1.0)
    assert [each.step for each in boxes] == [1, 7, None]


def operators(source: Any) -> OperatorDiagram:
    return operator_diagram(analyzed(source)[1])


def test_every_operator_that_inputs_lead_to_is_drawn_with_its_shape() -> None:
    proto = model(
        [op("Neg", ["w"], ["n"]), op("Add", ["x", "n"], ["a"]), op("Relu", ["a"], ["y"])],
        outputs=[typed("y", 1, 4)],
        weights=[tensor("w", [1.0, 2, 3, 4])],
    )
    found = operators(proto)
    assert found.constant == 1
    assert [(each.kind, each.shape) for each in found.boxes] == [
        ("input", "1×4"), ("operator", "1×4"), ("operator", "1×4"), ("output", "1×4"),
    ]  # fmt: skip
    assert [(edge.source, edge.target) for edge in found.edges] == [(0, 1), (1, 2), (2, 3)]


def test_bodies_lead_to_their_owner() -> None:
    branches = {
        name: onnx_graph([op("Neg", ["x"], [name])], [], [typed(name, 1, 4)], name=name)
        for name in ("t", "e")
    }
    proto = model(
        [op("If", ["c"], ["y"], then_branch=branches["t"], else_branch=branches["e"])],
        [typed("x", 1, 4), typed("c", dtype=9)],
        [typed("y", 1, 4)],
    )
    found = operators(proto)
    names = [next(iter(box.operators), ("", 0))[0] for box in found.boxes]
    assert names == ["", "", "Neg", "Neg", "If", ""]
    assert {(edge.source, edge.target) for edge in found.edges} >= {
        (0, 2),
        (0, 3),
        (2, 4),
        (3, 4),
        (1, 4),
        (4, 5),
    }


def test_thousands_of_operators_become_a_hundred_boxes() -> None:
    nodes = [op("Relu", [f"t{place}" if place else "x"], [f"t{place + 1}"]) for place in range(5000)]
    found = operators(model(nodes, outputs=[typed("t5000", 1, 4)]))
    assert len(found.boxes) <= 120
    assert sum(count for each in found.boxes for _, count in each.operators) == 5000
    assert found.folding


def test_marginals_of_no_flow_leave_nothing_out() -> None:
    made, report = analyzed(MODELS / "digits_transformer.onnx")
    found = flow_diagram(made, report)
    assert found is not None
    assert len(made[MARGINALS]) > len(found.boxes)
    assert sum(each.parameters for each in found.boxes) == report.totals.parameters
