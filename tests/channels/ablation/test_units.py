"""Where units are taken out, which others are chosen instead, and what reads a channel."""

from __future__ import annotations

import numpy as np
import pytest
from hostile.support.models import model, op, tensor, typed
from oracles.channel_graphs import carry, dense, graph_of

from nnea_graph.api.analyze import load
from nnea_graph.channels.ablation.baselines import drawn, largest, units_on_paths
from nnea_graph.channels.ablation.units import AblatedUnits, last_place, read_strengths, removals
from nnea_graph.channels.paths.path import ChannelPath, ChannelUnit

NODES = [
    op("MatMul", ["x", "w"], ["a"]),
    op("Relu", ["a"], ["b"]),
    op("Tanh", ["b"], ["c"]),
    op("MatMul", ["c", "v"], ["d"]),
    op("Sigmoid", ["d"], ["e"]),
    op("Add", ["e", "d"], ["f"]),
    op("Relu", ["f"], ["y"]),
]
WEIGHTS = [tensor("w", np.ones((4, 3))), tensor("v", np.ones((3, 3)))]
LINKS = [
    dense("x", "a", [[1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], node="MatMul_0"),
    carry("a", "b", [0, 1, 2]),
    carry("b", "c", [0, 1, 2]),
    dense("c", "d", [[1, 2, 3], [0, 5, 0], [0, 0, 7]], node="MatMul_3"),
    carry("d", "e", [0, 1, 2]),
    carry("e", "f", [0, 1, 2], [0.5] * 3),
    carry("d", "f", [0, 1, 2], [0.5] * 3),
    carry("f", "y", [0, 1, 2]),
]
COUNTS = {"x": 4, "a": 3, "b": 3, "c": 3, "d": 3, "e": 3, "f": 3, "y": 3}
GRAPH, CHANNELS = load(model(NODES, weights=WEIGHTS)), graph_of(COUNTS, LINKS, ("y",))


@pytest.mark.parametrize(
    ("tensor_", "place"),
    [("a", "c"), ("b", "c"), ("d", "d"), ("f", "y"), ("y", "y"), ("x", "x")],
    ids=["past-activations", "from-within", "two-readers", "up-to-the-output", "output", "input"],
)
def test_a_unit_is_taken_out_where_it_last_stands_alone(tensor_: str, place: str) -> None:
    assert last_place(GRAPH, CHANNELS, tensor_) == place


def test_a_shuffle_is_not_stepped_over() -> None:
    links = [carry("a", "b", [1, 0, 2]) if link.target == "b" else link for link in LINKS]
    assert last_place(GRAPH, graph_of(COUNTS, links, ("y",)), "a") == "a"


def test_a_tensor_that_a_branch_reads_is_not_stepped_over() -> None:
    nodes = [op("Relu", ["x"], ["a"]), op("Relu", ["a"], ["y"])]
    made = load(model(nodes, outputs=[typed("y"), typed("a")]))
    channels = graph_of(
        {"x": 4, "a": 4, "y": 4}, [carry("x", "a", range(4)), carry("a", "y", range(4))], ("y",)
    )
    assert last_place(made, channels, "a") == "a"


def path(*units: tuple[str, int]) -> ChannelPath:
    return ChannelPath(1, 1, 0, tuple(ChannelUnit(name, channel, "") for name, channel in units))


def test_the_ends_of_paths_stay() -> None:
    paths = [
        path(("x", 3), ("a", 2), ("f", 2), ("y", 1)),
        path(("x", 0), ("a", 0), ("f", 2), ("y", 0)),
        path(("x", 1), ("y", 2)),
    ]
    found = [(each.tensor, each.place, each.units.tolist()) for each in removals(GRAPH, CHANNELS, paths)]
    assert found == [("a", "c", [0, 2]), ("f", "y", [2])]


def test_a_channel_counts_all_weights_that_read_it() -> None:
    found = read_strengths(CHANNELS)
    assert found["c"].tolist() == [1, 7, 10]
    assert found["a"].tolist() == [1, 7, 10]
    assert found["x"].tolist() == [1, 2, 1, 1]
    assert found["d"].tolist() == [0, 0, 0]


def test_groups_and_splits_count_apart() -> None:
    links = [carry("x", "h", [1, 1, 0, -1]), dense("h", "y", [[1, 2], [3, 4]], groups=2)]
    found = read_strengths(graph_of({"x": 2, "h": 4, "y": 2}, links, ("y",)))
    assert found["h"].tolist() == [1, 2, 3, 4]
    assert found["x"].tolist() == [3, 3]


LAYERS = (AblatedUnits("h", "h", np.array([5, 7])), AblatedUnits("g", "g", np.array([0])))


def test_the_largest_are_as_many_in_each_layer_and_ties_go_to_the_first() -> None:
    found = largest(LAYERS, {"h": np.array([1.0, 9, 3, 9, 9, 0, 0, 0]), "g": np.zeros(3)})
    assert {name: units.tolist() for name, units in found.items()} == {"h": [1, 3], "g": [0]}
    assert units_on_paths(LAYERS)["h"].tolist() == [5, 7]


def test_draws_repeat_with_their_seed_and_hit_every_unit_alike() -> None:
    counts = {"h": 8, "g": 3}
    first, again = (drawn(LAYERS, counts, 0, 1) for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in counts)
    hits = np.zeros(8)
    for repeat in range(400):
        units = drawn(LAYERS, counts, 0, repeat)["h"]
        assert len(set(units.tolist())) == 2
        hits[units] += 1
    assert hits == pytest.approx(100, abs=35)  # four standard deviations
