"""Mass, entropy and marginals of all paths against enumeration, and what must not change them."""

from __future__ import annotations

from itertools import pairwise
from math import fsum, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles.channel_graphs import Enumeration, Sampler, carry, dense, graph_of

from nnea_graph.channels.graph import ChannelGraph, DenseLink, Link
from nnea_graph.channels.paths.endpoints import Endpoints, choose_ends
from nnea_graph.channels.paths.forward_pass import forward
from nnea_graph.channels.paths.marginals import channel_marginals
from nnea_graph.channels.paths.search import BestPaths, pathways
from nnea_graph.channels.paths.shares import Score, Vector
from nnea_graph.errors import PassError

SCORES: tuple[Score, ...] = ("flow", "importance")
Matrix = NDArray[np.float64]


def both(
    graph: ChannelGraph, score: Score = "flow", k: int = 10, ends: Endpoints | None = None
) -> tuple[BestPaths, dict[str, Vector]]:
    ends = ends or choose_ends(graph)
    found, marginals = pathways(graph, forward(graph, score, ends.sources), ends, score, k)
    return found, dict(marginals)


def mlp(*layers: Matrix) -> ChannelGraph:
    counts = {"t0": layers[0].shape[1]} | {f"t{n + 1}": layer.shape[0] for n, layer in enumerate(layers)}
    links = [dense(f"t{n}", f"t{n + 1}", layer) for n, layer in enumerate(layers)]
    return graph_of(counts, links, (f"t{len(layers)}",))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("seed", range(0, 300, 4))
def test_mass_entropy_and_marginals_are_those_of_all_paths(seed: int, score: Score) -> None:
    graph = Sampler(seed).graph()
    ends = choose_ends(graph)
    every = Enumeration(graph, score).paths(ends.sinks, ends.sources)
    got, marginals = both(graph, score, 7)
    shares = [float(path.score) * ends.weight for path in every]
    mass = fsum(shares)
    assert got.mass == pytest.approx(mass, rel=1e-12)
    assert got.flow_covered == pytest.approx(fsum(shares[:7]), rel=1e-12)
    through = {name: np.zeros(tensor.count) for name, tensor in graph.tensors.items()}
    if not every:
        assert (got.entropy, got.part_of_mass, got.log_mass) == (None, None, None)
        assert not any(values.any() for values in marginals.values())
        return
    assert got.part_of_mass == pytest.approx(fsum(shares[:7]) / mass, rel=1e-12)
    assert got.entropy == pytest.approx(-fsum(x / mass * log(x / mass) for x in shares), rel=1e-9, abs=1e-12)
    for path, share in zip(every, shares, strict=True):
        for tensor, channel in path.vertices:
            through[tensor][channel] += share / mass
    for name, values in through.items():
        np.testing.assert_allclose(marginals[name], values, rtol=1e-12, atol=1e-15)


def test_by_hand() -> None:
    # h0 takes 1/4 and 3/4 of x, h1 all of x1; y takes 2/3 and 1/3 of h.
    got, marginals = both(mlp(np.array([[1.0, 3.0], [0.0, 5.0]]), np.array([[4.0, 2.0]])))
    assert [path.score for path in got.paths] == pytest.approx([1 / 2, 1 / 3, 1 / 6], rel=1e-15)
    assert [[unit.channel for unit in path.units] for path in got.paths] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert got.entropy == pytest.approx(log(2) / 2 + log(3) / 3 + log(6) / 6, rel=1e-14)
    np.testing.assert_allclose(marginals["t0"], [1 / 6, 5 / 6], rtol=1e-15)
    np.testing.assert_allclose(marginals["t1"], [2 / 3, 1 / 3], rtol=1e-15)


def test_importance_by_hand() -> None:
    # shares of the whole layer: 1/9, 3/9, 0, 5/9, then 4/6 and 2/6.
    got, _ = both(mlp(np.array([[1.0, 3.0], [0.0, 5.0]]), np.array([[4.0, 2.0]])), "importance")
    assert [path.score for path in got.paths] == pytest.approx([2 / 9, 5 / 27, 2 / 27], rel=1e-15)
    assert got.mass == pytest.approx(13 / 27, rel=1e-15)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.integers(0, 999))
def test_shares_into_one_output_add_up_to_one(widths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = mlp(*(rng.random((m, n)) + 1e-3 for n, m in pairwise(widths)))
    sink = f"t{len(widths) - 1}"
    for channel in range(widths[-1]):
        got, marginals = both(graph, "flow", 10**4, choose_ends(graph, sink, channel))
        assert fsum(path.share for path in got.paths) == pytest.approx(1, abs=1e-12)
        assert got.mass == pytest.approx(1, abs=1e-12)
        for values in marginals.values():
            assert values.sum() == pytest.approx(1, abs=1e-12)


def rescaled(layers: list[Matrix], layer: int, factor: Vector) -> list[Matrix]:
    """Inputs of the neurons of a layer times c, their outputs times 1 / c."""
    changed = list(layers)
    changed[layer] = layers[layer] * factor[:, None]
    changed[layer + 1] = layers[layer + 1] / factor
    return changed


@pytest.mark.parametrize("seed", range(10))
def test_rescaling_neurons_changes_importance_but_not_flow(seed: int) -> None:
    # With data, strengths are |w| times activation: those of the next layer stay, those into the neuron scale.
    rng = np.random.default_rng(seed)
    layers = [rng.random((6, 4)), rng.random((5, 6)), rng.random((3, 5))]
    scaled = [layers[0] * rng.uniform(1e-3, 1e3, 6)[:, None], layers[1] * rng.uniform(1e-3, 1e3, 5)[:, None]]
    before, marginals = both(mlp(*layers), k=30)
    after, others = both(mlp(*scaled, layers[2]), k=30)
    assert [path.units for path in after.paths] == [path.units for path in before.paths]
    np.testing.assert_allclose(
        [path.score for path in after.paths], [path.score for path in before.paths], rtol=1e-9
    )
    assert after.flow_covered == pytest.approx(before.flow_covered, rel=1e-9)
    assert after.entropy == pytest.approx(before.entropy, rel=1e-9)
    for name, values in marginals.items():
        np.testing.assert_allclose(others[name], values, rtol=1e-9)
    assert both(mlp(*layers), "importance")[0].mass != pytest.approx(
        both(mlp(*scaled, layers[2]), "importance")[0].mass, rel=1e-3
    )


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("seed", range(10))
def test_permuting_hidden_channels_permutes_the_paths(seed: int, score: Score) -> None:
    rng = np.random.default_rng(seed)
    first, second, third = rng.random((6, 4)), rng.random((5, 6)), rng.random((3, 5))
    one, two = rng.permutation(6), rng.permutation(5)
    before, marginals = both(mlp(first, second, third), score, 40)
    after, others = both(mlp(first[one], second[two][:, one], third[:, two]), score, 40)
    moved = {"t1": one, "t2": two}
    back = [[int(moved.get(u.tensor, np.arange(9))[u.channel]) for u in path.units] for path in after.paths]
    assert back == [[unit.channel for unit in path.units] for path in before.paths]
    np.testing.assert_allclose([p.score for p in after.paths], [p.score for p in before.paths], rtol=1e-12)
    np.testing.assert_allclose(others["t1"], marginals["t1"][one], rtol=1e-12)


def test_a_walk_backward_visits_channels_as_often_as_their_marginals_say() -> None:
    rng = np.random.default_rng(3)
    layers = [rng.random((4, 3)), rng.random((4, 4)), rng.random((2, 4))]
    _, marginals = both(mlp(*layers))
    walks = 20_000
    at = rng.integers(0, 2, walks)
    for depth in (2, 1, 0):
        shares = layers[depth] / layers[depth].sum(1, keepdims=True)
        at = (shares.cumsum(1)[at] < rng.random((walks, 1))).sum(1).clip(max=shares.shape[1] - 1)
        seen = np.bincount(at, minlength=shares.shape[1]) / walks
        np.testing.assert_allclose(seen, marginals[f"t{depth}"], atol=5 * 0.5 / walks**0.5)


@pytest.mark.parametrize("seed", range(0, 300, 30))
def test_marginals_alone_equal_those_beside_paths(seed: int) -> None:
    graph = Sampler(seed).graph()
    ends = choose_ends(graph)
    alone = channel_marginals(graph, forward(graph, "flow", ends.sources), ends)
    for name, values in both(graph)[1].items():
        np.testing.assert_array_equal(alone[name], values)


def test_chains_of_carries_are_one_step_with_their_operators_counted() -> None:
    links = [
        dense("x", "conv", [[1.0, 2.0], [3.0, 0.0]], node="Conv"),
        carry("conv", "bn", [0, 1], node="BatchNorm"),
        carry("bn", "relu", [0, 1], node="Relu"),
        carry("relu", "flat", [1, 1, 0, 0], node="Flatten"),
        dense("flat", "logits", [[0.0, 1.0, 0.0, 2.0]], node="Gemm"),
        carry("logits", "y", [0], node="Softmax"),
    ]
    counts = {"x": 2, "conv": 2, "bn": 2, "relu": 2, "flat": 4, "logits": 1, "y": 1}
    got, marginals = both(graph_of(counts, links, ("y",)), k=1)
    assert [(u.tensor, u.channel, u.node) for u in got.paths[0].units] == [
        ("x", 1, ""),
        ("conv", 0, "Conv"),
        ("y", 0, "Gemm"),
    ]
    assert got.operators == ("Conv", "BatchNorm", "Relu", "Flatten", "Gemm", "Softmax")
    np.testing.assert_allclose(marginals["flat"], [0, 1 / 3, 0, 2 / 3], rtol=1e-15)
    np.testing.assert_allclose(marginals["relu"], [2 / 3, 1 / 3], rtol=1e-15)


def test_an_output_with_other_numbers_than_its_operator_is_a_unit_of_its_own() -> None:
    links = [dense("x", "h", [[1.0], [1.0]], node="Gemm"), carry("h", "y", [1], node="Slice")]
    got, _ = both(graph_of({"x": 1, "h": 2, "y": 1}, links, ("y",)))
    assert [(u.tensor, u.channel, u.node) for u in got.paths[0].units] == [
        ("x", 0, ""),
        ("h", 1, "Gemm"),
        ("y", 0, "Slice"),
    ]


def test_strengths_that_are_no_numbers_are_no_edges_and_are_counted() -> None:
    weights = np.array([[np.nan, 1.0, 3.0], [np.inf, 1.0, 0.0]])
    got, _ = both(mlp(weights, np.array([[1.0, 1.0]])))
    assert got.unusable == {"t0>t1": 2}
    assert [path.score for path in got.paths] == [0.5, 0.375, 0.125]


def test_strengths_of_another_shape_are_a_fault_of_whoever_built_the_graph() -> None:
    link = Link("x", "y", "Conv_7", DenseLink(1, lambda: np.ones((1, 2, 3))))
    with pytest.raises(
        PassError, match=r"^channels of 'Conv_7': strengths of shape \(1, 2, 3\) where \(1, 3, 2\)"
    ):
        both(graph_of({"x": 2, "y": 3}, [link], ("y",)))


@pytest.mark.parametrize(
    ("counts", "sinks"),
    [({}, ()), ({"x": 3}, ()), ({"x": 0, "y": 0}, ("y",))],
    ids=["empty", "no-sink", "no-channel"],
)
def test_nothing_to_find_is_said_not_invented(counts: dict[str, int], sinks: tuple[str, ...]) -> None:
    got, _ = both(graph_of(counts, [], sinks))
    assert (got.paths, got.mass, got.entropy, got.part_of_mass) == ((), 0.0, None, None)


def test_the_same_paths_twice() -> None:
    graph = Sampler(17).graph()
    assert both(graph)[0] == both(graph)[0]
