"""Each operator of a graph is found where it is written, also in bodies, in functions and without names."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from hostile.support.models import call, function, graph, model, op, tensor, typed
from onnx import ModelProto, helper
from onnx.backend.test.case.node import collect_testcases

from nnea_graph.api.analyze import load
from nnea_graph.frontends.onnx.node_locations import places_of

MODELS = sorted((Path(__file__).parents[3] / "models").glob("*.onnx"))


def assert_found(made: ModelProto) -> None:
    """The ids are those of the graph, each once; a node outside of functions has its own name and type."""
    nodes = {node.id: node for node in load(made)}
    places = places_of(made)
    ids = [each for _, held in places for each in held]
    assert sorted(ids) == sorted(nodes)
    for proto, held in places:
        if len(held) == 1 and not any(proto.op_type == each.name for each in made.functions):
            found = nodes[held[0]]
            assert found.op_type == proto.op_type
            assert len(found.inputs) == len(proto.input)
            assert not proto.name or held[0].split("/")[-1].startswith(proto.name)


def branches(name: str) -> onnx.NodeProto:
    """An If whose branches have a nameless operator, one of a name used outside, and a call."""
    inner = [op("Abs", ["x"], ["p"]), op("Neg", ["p"], ["q"], name="same"), call("twice", "q", "r")]
    bodies = {
        "then_branch": graph(inner, [], [typed("r", None)]),
        "else_branch": graph([op("Abs", ["x"], ["r"])], [], [typed("r", None)]),
    }
    return op("If", ["c"], ["i"], name=name, **bodies)


NESTED = model(
    [
        op("Relu", ["x"], ["a"], name="same"),
        op("Relu", ["a"], ["b"], name="same"),
        op("Constant", [], ["c"], value=tensor("c", True, bool)),
        branches("same"),
        op("Relu", ["i"], ["d"]),
        call("outer", "d", "e"),
        call("handed", "e", "f"),
        op("Relu", ["f"], ["y"]),
    ],
    functions=[
        function("twice", [op("Relu", ["a"], ["m"]), op("Relu", ["m"], ["b"])]),
        function(
            "outer",
            [
                call("twice", "a", "m"),
                op("Constant", [], ["k"], value=tensor("k", 1.0)),
                op("Mul", ["m", "k"], ["b"]),
            ],
        ),
        helper.make_function("local", "handed", ["a"], ["a"], [], [helper.make_opsetid("", 21)]),
    ],
    domains=["local"],
)


def test_bodies_functions_and_names_used_twice() -> None:
    assert_found(NESTED)
    called = {proto.op_type: held for proto, held in places_of(NESTED)}
    assert called["Constant"] == []
    assert len(called["outer"]) == 3
    assert len(called["handed"]) == 1
    assert [len(held) for proto, held in places_of(NESTED) if proto.op_type == "twice"] == [2]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_shipped_models(path: Path) -> None:
    assert_found(onnx.load(path))


@pytest.mark.filterwarnings("ignore")
def test_node_cases_of_onnx_with_bodies() -> None:
    cases = [each.model for each in collect_testcases(None) if each.model is not None]
    with_bodies = {"If", "Loop", "Scan", "SequenceMap"}
    found = [made for made in cases if with_bodies & {node.op_type for node in made.graph.node}]
    assert len(found) > 40
    for made in found:
        assert_found(made)
