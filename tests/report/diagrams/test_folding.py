"""Folding: never into a circle, never over the limit, where the graph is narrow if it can be."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnea_graph.report.diagrams.folding import Box, Edge, blocks_of, branches_of, fold, shared_module


def residual(blocks: int, inner: int = 3) -> tuple[int, list[Edge]]:
    """A stem, then blocks of a branch of ``inner`` operators beside a shortcut into an add."""
    edges, last = [], 0
    for _ in range(blocks):
        branch = list(range(last + 1, last + 1 + inner))
        end = branch[-1] + 1
        edges += [(last, branch[0]), *pairwise(branch), (branch[-1], end), (last, end)]
        last = end
    return last + 1, edges


def plain(boxes: list[Box]) -> list[list[int]]:
    return [list(box) for box in boxes]


def test_what_fits_is_left_alone() -> None:
    assert fold(3, [(0, 1), (1, 2)], "abc", ["", "", ""], 3) == ([(0,), (1,), (2,)], "")


def test_branches_of_residual_blocks_are_folded_and_shortcuts_stay() -> None:
    count, edges = residual(4)
    boxes, how = fold(count, edges, [""] * count, [""] * count, 9)
    assert how == "by branch"
    assert plain(boxes) == [[0], [1, 2, 3], [4], [5, 6, 7], [8], [9, 10, 11], [12], [13, 14, 15], [16]]


def test_blocks_come_next() -> None:
    count, edges = residual(4)
    boxes, how = fold(count, edges, [""] * count, [""] * count, 6)
    assert how == "by block"
    assert plain(boxes) == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]


def test_stages_are_blocks_whose_ends_are_alike() -> None:
    count, edges = residual(6)
    widths = [8] + [16] * 8 + [32] * 8 + [64] * 8
    boxes, how = fold(count, edges, widths, [""] * count, 4)
    assert how == "by stage"
    assert plain(boxes) == [[0], list(range(1, 9)), list(range(9, 17)), list(range(17, 25))]


def test_two_branches_of_a_block_are_two_boxes_and_dead_ends_go_along() -> None:
    """1-2 and 3 lead to the end 5; 4 leads nowhere."""
    edges = [(0, 1), (1, 2), (2, 5), (0, 3), (3, 5), (0, 4)]
    assert plain(branches_of(blocks_of(6, edges), edges)) == [[0], [3], [1, 2, 4], [5]]


def test_modules_are_as_deep_as_the_limit_allows() -> None:
    scopes = [f"net.{part}.{leaf}" for part in "abcde" for leaf in "xyz"]
    wide = [(0, place) for place in range(1, 15)] + [(place, 14) for place in range(1, 14)]
    boxes, how = fold(15, wide, [""] * 15, scopes, 6)
    assert how == "by module"
    assert plain(boxes) == [[3 * part, 3 * part + 1, 3 * part + 2] for part in range(5)]


def test_equal_parts_are_the_last_resort() -> None:
    wide = [(0, place) for place in range(1, 100)] + [(place, 99) for place in range(1, 99)]
    boxes, how = fold(100, wide, [""] * 100, [""] * 100, 30)
    assert how == "in equal parts"
    assert {len(box) for box in boxes} == {4}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[Edge]]:
    count = draw(st.integers(1, 40))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = [(min(pair), max(pair)) for pair in draw(st.lists(pairs, max_size=80)) if pair[0] != pair[1]]
    return count, edges


@settings(max_examples=300, deadline=None)
@given(
    graphs(),
    st.integers(1, 12),
    st.lists(st.sampled_from(["", "a", "a.b", "c.d.e"]), min_size=40, max_size=40),
)
def test_every_place_is_in_one_box_and_boxes_make_no_circle(
    graph: tuple[int, list[Edge]], limit: int, scopes: list[str]
) -> None:
    count, edges = graph
    boxes, how = fold(count, edges, scopes[:count], scopes[:count], limit)
    assert sorted(place for box in boxes for place in box) == list(range(count))
    assert len(boxes) <= limit
    assert bool(how) == (count > limit)
    home = {place: number for number, box in enumerate(boxes) for place in box}
    folded = nx.DiGraph((home[a], home[b]) for a, b in edges if home[a] != home[b])
    assert nx.is_directed_acyclic_graph(folded)


@pytest.mark.parametrize(
    ("scopes", "shared"),
    [
        (["a.b.c", "a.b.d"], "a.b"),
        (["a.b", "a.b.c"], "a.b"),
        (["layer1", "layer10"], ""),
        (["", ""], ""),
        (["x", ""], "x"),
    ],
    ids=["siblings", "parent-and-child", "whole-parts-only", "none", "some-without"],
)
def test_the_module_that_all_lie_in(scopes: list[str], shared: str) -> None:
    assert shared_module(scopes) == shared


def test_hundreds_of_thousands_of_operators_are_folded() -> None:
    count = 300_000
    edges = [(place, place + 1) for place in range(count - 1)]
    boxes, _ = fold(count, edges, [""] * count, ["a." * 500] * count, 120)
    assert len(boxes) <= 120
