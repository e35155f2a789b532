"""The pathways pass: its options, the facts it writes, what it refuses."""

from __future__ import annotations

import pytest
from hostile.support.models import model, op
from oracles.channel_graphs import carry, dense, graph_of

from nnea_graph.api.analyze import load
from nnea_graph.engine import RunContext
from nnea_graph.engine.pipeline import build, parse
from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.channels import CHANNELS
from nnea_graph.passes.pathways import MARGINALS, PATHWAYS, PathwaysPass

# h0 takes 1/4 and 3/4 of x, h1 all of x1; y0 takes 2/3 and 1/3 of h, y1 all of h0.
LINKS = [
    dense("x", "h", [[1.0, 3.0], [0.0, 5.0]], node="Gemm_0"),
    dense("h", "z", [[4.0, 2.0], [1.0, 0.0]], node="Gemm_1"),
    carry("z", "y", [0, 1], node="Relu_2"),
]
CHANNEL_GRAPH = graph_of({"x": 2, "h": 2, "z": 2, "y": 2}, LINKS, ("y",))


@pytest.fixture
def graph() -> ModelGraph:
    """A model of any kind with that channel graph on it."""
    made = load(model([op("Relu", ["x"], ["y"])]))
    made[CHANNELS] = CHANNEL_GRAPH
    return made


def run(graph: ModelGraph, text: str) -> None:
    (item,) = parse(text)
    build(PathwaysPass, item.options).run(graph, RunContext())


def found(graph: ModelGraph) -> list[tuple[tuple[int, ...], float]]:
    return [(tuple(unit.channel for unit in path.units), path.share) for path in graph[PATHWAYS].paths]


def test_by_default_the_flow_of_all_paths(graph: ModelGraph) -> None:
    run(graph, "pathways")
    assert [channels for channels, _ in found(graph)] == [
        (1, 0, 1),
        (1, 0, 0),
        (1, 1, 0),
        (0, 0, 1),
        (0, 0, 0),
    ]
    assert [share for _, share in found(graph)] == pytest.approx([3 / 8, 1 / 4, 1 / 6, 1 / 8, 1 / 12])
    assert graph[PATHWAYS].flow_covered == pytest.approx(1)
    assert graph[PATHWAYS].operators == ("Gemm_0", "Gemm_1", "Relu_2")
    marginals = graph[MARGINALS]
    assert marginals["h"] == pytest.approx([5 / 6, 1 / 6])
    assert set(marginals) == {"x", "h", "z", "y"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pathways{k=1}", [((1, 0, 1), 3 / 8)]),
        ("pathways{sink_channel=0}", [((1, 0, 0), 1 / 2), ((1, 1, 0), 1 / 3), ((0, 0, 0), 1 / 6)]),
        ("pathways{sink=h,sink_channel=0}", [((1, 0), 3 / 4), ((0, 0), 1 / 4)]),
        ("pathways{sink=Gemm_0,sink_channel=1}", [((1, 1), 1)]),
        ("pathways{source_channel=0}", [((0, 0, 1), 1 / 8), ((0, 0, 0), 1 / 12)]),
        ("pathways{score=importance,k=1}", [((1, 0, 0), 3 / 9 * 4 / 7 / 2)]),
    ],
    ids=["k", "class", "neuron", "operator", "input-channel", "importance"],
)
def test_options(graph: ModelGraph, text: str, expected: list[tuple[tuple[int, ...], float]]) -> None:
    run(graph, text)
    assert [channels for channels, _ in found(graph)] == [channels for channels, _ in expected]
    assert [share for _, share in found(graph)] == pytest.approx([share for _, share in expected])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pathways{k=0}", "pathways: k=0; ask for 1 to 10,000 paths"),
        ("pathways{score=flows}", "pathways: there is no score 'flows'; write flow or importance"),
        ("pathways{sink=q}", "pathways: no tensor or operator 'q' on the channel graph"),
        ("pathways{sink_channel=2}", "pathways: 'y' has channels 0 to 1, not 2"),
        (
            "pathways{sink_channel=cat}",
            "passes: option 'sink_channel' of pass 'pathways' is int | None, not 'cat'",
        ),
    ],
    ids=["no-path", "score", "sink", "class", "class-name"],
)
def test_refusals(graph: ModelGraph, text: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        run(graph, text)
    assert str(refusal.value) == message
