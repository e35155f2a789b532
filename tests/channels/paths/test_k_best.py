"""The k best paths against full enumeration in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.channel_graphs import Enumeration, Sampler, WholePath, carry, dense, graph_of

from nnea_graph.channels.graph import ChannelGraph, DenseLink, Floats, Link
from nnea_graph.channels.paths import expansion, shares
from nnea_graph.channels.paths import top_k as contest
from nnea_graph.channels.paths.endpoints import Endpoints, choose_ends
from nnea_graph.channels.paths.forward_pass import forward
from nnea_graph.channels.paths.search import BestPaths, best_paths
from nnea_graph.channels.paths.shares import Score
from nnea_graph.channels.paths.top_k import leading

SCORES: tuple[Score, ...] = ("flow", "importance")
EVERYTHING = 10**6


def found(graph: ChannelGraph, ends: Endpoints, score: Score, k: int) -> BestPaths:
    return best_paths(graph, forward(graph, score, ends.sources), ends, score, k)


def units_of(pathways: BestPaths) -> list[tuple[tuple[str, int, str], ...]]:
    return [tuple((unit.tensor, unit.channel, unit.node) for unit in path.units) for path in pathways.paths]


def agree(graph: ChannelGraph, ends: Endpoints, score: Score, ks: tuple[int, ...]) -> list[WholePath]:
    """All paths, after comparing the first k of them for each k: which, in what order, with what score."""
    enumeration = Enumeration(graph, score)
    every = enumeration.paths(ends.sinks, ends.sources)
    for k in ks:
        got, expected = found(graph, ends, score, k), every[:k]
        assert units_of(got) == [enumeration.units(path) for path in expected]
        for path, exact in zip(got.paths, expected, strict=True):
            assert path.score == pytest.approx(float(exact.score), rel=1e-12)
            assert path.share == pytest.approx(float(exact.score) * ends.weight, rel=1e-12)
            assert path.log_score == pytest.approx(log(exact.score), abs=1e-12)
    return every


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("first", range(0, 300, 25))
def test_equal_to_full_enumeration_on_300_graphs(first: int, score: Score) -> None:
    counts = []
    for seed in range(first, first + 25):
        graph = Sampler(seed).graph()
        every = agree(graph, choose_ends(graph), score, (1, 7, EVERYTHING))
        counts.append((len(every), any(a.score == b.score for a, b in pairwise(every))))
    assert sum(ties for _, ties in counts) >= 15, "the sampler should draw ties"
    assert sorted(count for count, _ in counts)[12] >= 10, "the sampler should draw many paths"


@pytest.mark.parametrize(("block", "room"), [(1, 1), (4, 3), (16, 40)])
def test_the_size_of_pieces_does_not_matter(block: int, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (shares, expansion):
        monkeypatch.setattr(module, "BLOCK", block)
    for module in (contest, expansion):
        monkeypatch.setattr(module, "ROOM", room)
    for seed in range(0, 300, 10):
        graph = Sampler(seed).graph()
        agree(graph, choose_ends(graph), "flow", (3, 20, EVERYTHING))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("seed", range(0, 300, 5))
def test_restricted_to_any_neuron_and_any_input_channel(seed: int, score: Score) -> None:
    graph = Sampler(seed).graph()
    rng = np.random.default_rng(seed)
    sink, source = str(rng.choice(graph.order)), str(rng.choice(graph.sources))
    channel = int(rng.integers(graph.tensors[sink].count))
    start = int(rng.integers(graph.tensors[source].count))
    agree(graph, choose_ends(graph, sink, channel), score, (3, EVERYTHING))
    agree(graph, choose_ends(graph, sink, channel, source, start), score, (3, EVERYTHING))
    agree(graph, choose_ends(graph, source=source), score, (3, EVERYTHING))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equal_to_full_enumeration_of_any_layered_graph(data: st.DataObject) -> None:
    widths = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    counts = {f"t{place}": width for place, width in enumerate(widths)}
    links = []
    for place, (n, m) in enumerate(pairwise(widths)):
        row = st.lists(st.integers(0, 9), min_size=n, max_size=n)
        strength = data.draw(st.lists(row, min_size=m, max_size=m))
        skip = place > 0 and data.draw(st.booleans())
        links.append(dense(f"t{place}", f"t{place + 1}", strength, [0.75] * m if skip else None))
        if skip:
            places = data.draw(st.lists(st.integers(-1, widths[place - 1] - 1), min_size=m, max_size=m))
            links.append(carry(f"t{place - 1}", f"t{place + 1}", places, [0.25] * m))
    graph = graph_of(counts, links, (f"t{len(widths) - 1}",))
    for score in SCORES:
        agree(graph, choose_ends(graph), score, (1, 5, EVERYTHING))


@pytest.mark.parametrize("k", [1, 100, 4095, 4096, 5000])
def test_of_4096_equal_paths_the_first_by_channel_from_the_sink_backward(k: int) -> None:
    counts = {f"t{place}": 2 for place in range(12)}
    links = [dense(f"t{place}", f"t{place + 1}", np.ones((2, 2))) for place in range(11)]
    got = found(graph := graph_of(counts, links, ("t11",)), choose_ends(graph), "flow", k)
    backward = [tuple(unit.channel for unit in path.units[::-1]) for path in got.paths]
    assert backward == [tuple((rank >> bit) & 1 for bit in range(11, -1, -1)) for rank in range(min(k, 4096))]
    assert {path.score for path in got.paths} == {2.0**-11}


def test_parallel_links_between_two_channels_are_two_paths() -> None:
    graph = graph_of(
        {"x": 1, "y": 1}, [carry("x", "y", [0], [0.5], "a"), carry("x", "y", [0], [0.5], "b")], ("y",)
    )
    assert units_of(found(graph, choose_ends(graph), "flow", 5)) == [
        (("x", 0, ""), ("y", 0, "a")),
        (("x", 0, ""), ("y", 0, "b")),
    ]


def test_a_path_to_an_output_inside_the_graph_and_one_through_it_are_both_found() -> None:
    links = [dense("x", "early", [[1.0, 3.0]]), dense("early", "late", [[2.0]])]
    graph = graph_of({"x": 2, "early": 1, "late": 1}, links, ("late", "early"))
    assert [
        (path.share, path.units[-1].tensor) for path in found(graph, choose_ends(graph), "flow", 9).paths
    ] == [
        (0.375, "early"),
        (0.375, "late"),
        (0.125, "early"),
        (0.125, "late"),
    ]


@pytest.mark.parametrize("score", SCORES)
def test_scores_below_the_smallest_float_keep_their_order(score: Score) -> None:
    # 400 layers of 1 : 1e9, from channel 0 and 1 to both: the best path is (1e9 / sum)^400 for either score's sum.
    counts = {f"t{place}": 2 for place in range(401)}
    strength = np.array([[1.0, 1e9], [1.0, 1e9]])
    links = [dense(f"t{place}", f"t{place + 1}", strength) for place in range(400)]
    graph = graph_of(counts, links, ("t400",))
    ends = choose_ends(graph, "t400", 0, "t0", 0)
    best = found(graph, ends, score, 3).paths
    whole = strength.sum() / (1 if score == "importance" else 2)
    expected = 399 * log(1e9) - 400 * log(whole)
    assert best[0].log_score == pytest.approx(expected, rel=1e-12)
    assert [unit.channel for unit in best[0].units] == [0, *[1] * 399, 0]
    assert best[0].log_score - best[1].log_score == pytest.approx(log(1e9), rel=1e-9)


def test_scores_that_no_float_holds_have_a_logarithm() -> None:
    count, wide = 200, 100
    counts = {f"t{place}": wide for place in range(count + 1)}
    links = [dense(f"t{p}", f"t{p + 1}", np.ones((wide, wide))) for p in range(count)]
    graph = graph_of(counts, links, (f"t{count}",))
    got = found(graph, choose_ends(graph), "importance", 2)
    assert [path.score for path in got.paths] == [0.0, 0.0]
    assert got.paths[0].log_score == pytest.approx(-count * log(wide**2), rel=1e-12)
    # every channel's sum over sources is 1 / 100 of the average before it
    assert got.log_mass == pytest.approx(-count * log(wide), rel=1e-12)
    assert got.part_of_mass == pytest.approx(0.0, abs=1e-300)
    assert got.entropy == pytest.approx((count + 1) * log(wide), rel=1e-12)


def test_wide_layers_in_pieces_equal_their_brute_force() -> None:
    # more strengths than are worked on at a time, in groups and without
    rng = np.random.default_rng(5)
    first, last = rng.random((700, 700)) ** 8, rng.random((40, 350)) ** 8
    links = [dense("x", "h", first), dense("h", "y", last, groups=2)]
    graph = graph_of({"x": 700, "h": 700, "y": 40}, links, ("y",))
    got = found(graph, choose_ends(graph), "flow", 2000)
    a = first / first.sum(1, keepdims=True)
    b = last / last.sum(1, keepdims=True)
    scores = np.concatenate([(b[:20, :, None] * a[:350]).ravel(), (b[20:, :, None] * a[350:]).ravel()])
    expected = np.sort(np.partition(scores, -2000)[-2000:])[::-1]
    np.testing.assert_allclose([path.score for path in got.paths], expected, rtol=1e-12)
    for path in got.paths:
        x, h, y = (unit.channel for unit in path.units)
        assert path.score == pytest.approx(b[y, h % 350] * a[h, x], rel=1e-12)


def test_strengths_are_read_once_forward_and_only_where_paths_run_backward() -> None:
    reads: list[str] = []

    def read(name: str) -> Floats:
        reads.append(name)
        return np.ones((1, 1, 1))

    links = [Link("x", name, name, DenseLink(1, partial(read, name))) for name in ("strong", "weak")]
    links += [carry("strong", "y", [0], [0.9]), carry("weak", "y", [0], [0.1])]
    graph = graph_of({"x": 1, "strong": 1, "weak": 1, "y": 1}, links, ("y",))
    found(graph, choose_ends(graph), "flow", 1)
    assert reads == ["strong", "weak", "strong"]


@pytest.mark.parametrize(
    ("logs", "k", "rows"),
    [
        ([0.0, -1.0, 0.0, -2.0, -1.0], 3, [0, 1, 2]),
        ([-1.0, 0.0, -1.0, 0.0], 3, [0, 1, 3]),
        ([-1.0 - 1e-12, -1.0, -1.0 + 1e-12], 2, [0, 1]),
        ([-1.0 - 1e-8, -1.0, -1.0 + 1e-8], 2, [1, 2]),
        ([], 2, []),
    ],
    ids=["first-of-equals", "better-later", "rounding-is-a-tie", "not-rounding", "nothing"],
)
def test_leading_takes_the_first_of_equal_ones(logs: list[float], k: int, rows: list[int]) -> None:
    assert leading(np.array(logs), k).tolist() == rows


def test_a_path_without_edges_is_a_source_that_is_a_sink() -> None:
    graph = graph_of({"x": 2}, [], ("x",))
    got = found(graph, choose_ends(graph), "flow", 5)
    assert [(path.share, units) for path, units in zip(got.paths, units_of(got), strict=True)] == [
        (0.5, (("x", 0, ""),)),
        (0.5, (("x", 1, ""),)),
    ]
    assert Fraction(got.mass) == 1
