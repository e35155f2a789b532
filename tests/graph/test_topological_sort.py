"""Execution order: checked, restored, cycles named."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnea_graph.errors import ModelError
from nnea_graph.graph import OpNode
from nnea_graph.graph.topological_sort import in_order, ordered


def node(name: str, *reads: str) -> OpNode:
    """Makes a tensor of its own name."""
    return OpNode(name, "Op", "", 1, {}, reads, (name,))


def reads(each: OpNode) -> Iterable[str]:
    return each.inputs


def ids(nodes: list[OpNode]) -> list[str]:
    return [each.id for each in ordered(nodes, reads)]


def test_an_order_that_can_run_is_kept() -> None:
    nodes = [node("b"), node("a"), node("c", "a", "b")]
    assert in_order(nodes, reads)
    assert ids(nodes) == ["b", "a", "c"]


def test_an_order_that_cannot_run_is_restored_as_near_as_can_be() -> None:
    nodes = [node("c", "a"), node("x"), node("a"), node("y", "x")]
    assert not in_order(nodes, reads)
    assert ids(nodes) == ["x", "a", "c", "y"]


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=31), st.randoms())
def test_any_acyclic_graph_comes_out_in_order(edges: list[list[int]], chance: object) -> None:
    nodes = [node(str(n), *(str(k % n) for k in sources if n)) for n, sources in enumerate(edges)]
    chance.shuffle(nodes)  # type: ignore[attr-defined]
    result = ordered(nodes, reads)
    assert in_order(result, reads)
    assert {each.id for each in result} == {each.id for each in nodes}


@pytest.mark.parametrize(
    ("nodes", "cycle"),
    [
        ([node("a", "a")], "a -> a"),
        ([node("a", "b"), node("b", "a")], "b -> a -> b"),
        (
            [node("s"), node("a", "s", "c"), node("b", "a"), node("c", "b"), node("t", "c")],
            "b -> c -> a -> b",
        ),
    ],
    ids=["self", "two", "three"],
)
def test_a_cycle_is_named_in_the_direction_of_the_data(nodes: list[OpNode], cycle: str) -> None:
    with pytest.raises(ModelError) as caught:
        ordered(nodes, reads)
    names = str(caught.value).rpartition(": ")[2].split(" -> ")
    assert names[0] == names[-1]
    assert sorted(set(names)) == sorted(set(cycle.split(" -> ")))
    by_name = {each.id: each for each in nodes}
    assert all(source in by_name[target].inputs for source, target in pairwise(names))


def test_a_long_cycle_is_cut_short() -> None:
    nodes = [node(str(n), str((n + 1) % 1000)) for n in range(1000)]
    with pytest.raises(ModelError, match="… 992 more") as caught:
        ordered(nodes, reads)
    assert len(str(caught.value)) < 200
