"""How far local functions expand, counted without expanding any."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hostile.support.models import call, function, model, op
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, FunctionProto, NodeProto, helper

from nnea_graph.api.analyze import load
from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.onnx.functions import (
    check_call,
    check_expansion,
    functions_of,
    opsets_of,
    resolve_references,
)


def tower(widths: Sequence[int]) -> list[FunctionProto]:
    """Function n calls function n - 1 so many times."""
    made = [function("f0", [op("Relu", ["a"], ["b"])])]
    for level, width in enumerate(widths, 1):
        names = ["a", *(f"t{n}" for n in range(width - 1)), "b"]
        made.append(
            function(f"f{level}", [call(f"f{level - 1}", names[n], names[n + 1]) for n in range(width)])
        )
    return made


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=0, max_size=4))
def test_the_count_is_what_expanding_gives(widths: list[int]) -> None:
    made = model([call(f"f{len(widths)}", "x", "y")], functions=tower(widths), domains=["local"])
    count = len(load(made))
    functions = functions_of(made)
    check_expansion(functions, made.graph, count, 100)
    if count > 1:
        with pytest.raises(LimitError, match=f"expand to {count} operators"):
            check_expansion(functions, made.graph, count - 1, 100)


def test_depth_is_counted_too() -> None:
    made = model([call("f3", "x", "y")], functions=tower([1, 1, 1]), domains=["local"])
    check_expansion(functions_of(made), made.graph, 10, 4)
    with pytest.raises(LimitError, match="4 deep, over the limit of 3"):
        check_expansion(functions_of(made), made.graph, 10, 3)


def test_two_functions_of_one_name_are_refused_but_overloads_are_not() -> None:
    first, second = function("f", [op("Relu", ["a"], ["b"])]), function("f", [op("Abs", ["a"], ["b"])])
    with pytest.raises(ModelError, match="two local functions are called 'f'"):
        functions_of(model([], functions=[first, second]))
    second.overload = "other"
    assert len(functions_of(model([], functions=[first, second]))) == 2


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (op("f", ["x", "x"], ["y"]), "2 inputs and 1 outputs, the function 'f' takes 1 and gives 1"),
        (op("f", ["x"], ["y", "z"]), "1 inputs and 2 outputs"),
    ],
)
def test_a_call_must_fit(node: NodeProto, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)):
        check_call(function("f", [op("Relu", ["a"], ["b"])]), node, "f_0")


def test_references_are_replaced_and_those_to_nothing_go() -> None:
    node = op("Odd", ["a"], ["b"], own=1)
    node.attribute.extend(
        AttributeProto(name=name, type="INT", ref_attr_name=source)
        for name, source in (("k", "given"), ("l", "absent"))
    )
    resolved = resolve_references(node, {"given": helper.make_attribute("given", 7)})
    assert {attribute.name: attribute.i for attribute in resolved.attribute} == {"own": 1, "k": 7}
    assert len(node.attribute) == 3, "the original stays as it is"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([("", 0)], "opset 0 is not known"),
        ([("", 10_000)], "opset 10000 is not known"),
        ([("own", -1)], "own opset -1 is not known"),
        ([("own", 1 << 40)], "own opset"),
        ([("", 13), ("ai.onnx", 14)], "'ai.onnx' is named in versions 13 and 14"),
    ],
)
def test_operator_sets_that_cannot_be_are_refused(entries: list[tuple[str, int]], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        opsets_of(helper.make_opsetid(*entry) for entry in entries)


def test_a_domain_named_twice_in_one_version_is_one() -> None:
    assert opsets_of(helper.make_opsetid(name, 13) for name in ("", "ai.onnx")) == {"": 13}
