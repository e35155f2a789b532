"""Which channels paths begin and end in, and what is refused."""

from __future__ import annotations

import pytest
from oracles.channel_graphs import dense, graph_of

from nnea_graph.channels.paths.endpoints import choose_ends
from nnea_graph.errors import UsageError

GRAPH = graph_of(
    {"image": 2, "text": 3, "hidden": 2, "boxes": 1, "classes": 4},
    [
        dense("image", "hidden", [[1, 1], [1, 1]], [0.5, 0.5], node="Conv"),
        dense("text", "hidden", [[1, 1, 1], [1, 1, 1]], [0.5, 0.5], node="Gather"),
        dense("hidden", "boxes", [[1, 1]], node="Gemm"),
        dense("hidden", "classes", [[1, 1]] * 4, node="Linear"),
    ],
    ("boxes", "classes"),
)


def test_by_default_everything() -> None:
    ends = choose_ends(GRAPH)
    assert {name: found.tolist() for name, found in ends.sinks.items()} == {
        "boxes": [0],
        "classes": [0, 1, 2, 3],
    }
    assert {name: found.tolist() for name, found in ends.sources.items()} == {
        "image": [0, 1],
        "text": [0, 1, 2],
    }
    assert ends.weight == 1 / 5


@pytest.mark.parametrize("name", ["hidden", "Conv", "Gather"])
def test_a_sink_is_a_tensor_or_the_operator_that_makes_it(name: str) -> None:
    ends = choose_ends(GRAPH, name, 1, "text", 2)
    assert {name: found.tolist() for name, found in ends.sinks.items()} == {"hidden": [1]}
    assert {name: found.tolist() for name, found in ends.sources.items()} == {"text": [2]}


@pytest.mark.parametrize(
    ("sink", "channel", "source", "source_channel", "message"),
    [
        (
            "clases",
            None,
            "",
            None,
            "no tensor or operator 'clases' on the channel graph; did you mean 'classes'?",
        ),
        ("", 1, "", None, r"sink_channel=1 of which tensor\? name one: sink=boxes\|classes"),
        ("classes", 4, "", None, "'classes' has channels 0 to 3, not 4"),
        ("classes", -1, "", None, "'classes' has channels 0 to 3, not -1"),
        ("", None, "hidden", None, "paths do not begin in 'hidden'; they begin in image, text"),
        ("", None, "", 0, r"source_channel=0 of which tensor\? name one: source=image\|text"),
    ],
    ids=["misspelt", "which-output", "too-large", "negative", "not-a-source", "which-input"],
)
def test_refusals(
    sink: str, channel: int | None, source: str, source_channel: int | None, message: str
) -> None:
    with pytest.raises(UsageError, match="^pathways: " + message):
        choose_ends(GRAPH, sink, channel, source, source_channel)
