"""ModelGraph: operators, tensors, and facts that only their passes may write."""

from __future__ import annotations

import networkx as nx
import pytest
from hostile.support.models import graph, model, op, tensor, typed
from onnx import TensorProto

from nnea_graph.api.analyze import load
from nnea_graph.errors import PassError
from nnea_graph.graph import Key, ModelGraph

COUNT = Key[int]("count")


@pytest.fixture
def diamond() -> ModelGraph:
    nodes = [
        op("Relu", ["x"], ["h"], name="top"),
        op("Abs", ["h"], ["l"], name="left"),
        op("Neg", ["h"], ["r"], name="right"),
        op("Add", ["l", "r"], ["s"], name="join"),
        op("Mul", ["s", "w"], ["y"], name="scale"),
    ]
    return load(model(nodes, weights=[tensor("w", [2.0])]))


def test_edges_carry_the_tensors_between_operators(diamond: ModelGraph) -> None:
    assert set(diamond.nx.edges) == {
        ("top", "left"), ("top", "right"), ("left", "join"), ("right", "join"), ("join", "scale"),
    }  # fmt: skip
    assert diamond.nx.edges["left", "join"]["tensors"] == ("l",)
    assert nx.is_directed_acyclic_graph(diamond.nx)


def test_producers_and_consumers_are_found(diamond: ModelGraph) -> None:
    producer = diamond.producer("h")
    assert producer is not None
    assert producer.id == "top"
    assert diamond.producer("x") is diamond.producer("w") is None
    assert [node.id for node in diamond.consumers("h")] == ["left", "right"]
    assert [node.id for node in diamond.consumers("w")] == ["scale"]


def test_the_structure_is_frozen(diamond: ModelGraph) -> None:
    with pytest.raises(nx.NetworkXError):
        diamond.nx.remove_node("top")


def test_a_fact_that_nobody_wrote_is_an_error_that_names_it(diamond: ModelGraph) -> None:
    with pytest.raises(PassError, match="'count' is asked for before"):
        diamond[COUNT]
    with pytest.raises(PassError, match="'count' is asked for before"):
        diamond[diamond.node("top"), COUNT]


def test_facts_of_the_model_and_of_operators_are_apart(diamond: ModelGraph) -> None:
    diamond[COUNT] = 5
    diamond[diamond.node("top"), COUNT] = 1
    assert diamond[COUNT] == 5
    assert diamond[diamond.node("top"), COUNT] == 1
    assert (diamond.node("left"), COUNT) not in diamond


def test_only_the_facts_that_are_named_may_be_written_meanwhile(diamond: ModelGraph) -> None:
    with (
        diamond.writing([Key[int]("other")]),
        pytest.raises(PassError, match="'count', which it does not provide"),
    ):
        diamond[COUNT] = 1
    diamond[COUNT] = 1


def test_an_owner_comes_after_the_operators_in_its_bodies() -> None:
    body = graph([op("Relu", ["x"], ["t"], name="leaf")], [], [typed("t")])
    made = model(
        [op("If", ["c"], ["y"], name="if", then_branch=body, else_branch=body)],
        [typed("x", 1), typed("c", dtype=TensorProto.BOOL)],
    )
    flat = load(made)
    assert [node.id for node in flat] == ["if/else_branch/leaf", "if/then_branch/leaf", "if"]
    assert set(flat.nx.predecessors("if")) == {"if/then_branch/leaf", "if/else_branch/leaf"}
