"""Local functions that call each other without end, or not as they are declared."""

from __future__ import annotations

import pytest
from hostile.support.models import call, function, graph, model, op, tensor, typed
from hostile.support.running import Program
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, helper

CALL = [call("f", "x", "y")]


def calling(nodes: list[NodeProto], *functions: FunctionProto) -> ModelProto:
    return model(nodes, functions=functions, domains=["local"])


def tower(levels: int, width: int) -> ModelProto:
    """Functions that each call the one before so many times."""
    functions = [function("f0", [op("Relu", ["a"], ["b"])])]
    for level in range(1, levels):
        names = ["a", *(f"t{n}" for n in range(width - 1)), "b"]
        body = [call(f"f{level - 1}", names[n], names[n + 1]) for n in range(width)]
        functions.append(function(f"f{level}", body))
    return calling([call(f"f{levels - 1}", "x", "y")], *functions)


def test_a_function_that_calls_itself_is_refused(program: Program) -> None:
    program.refuses(calling(CALL, function("f", [call("f", "a", "b")])), "'f'", "itself")


def test_functions_that_call_each_other_are_refused_even_if_nobody_calls_them(program: Program) -> None:
    f, g = function("f", [call("g", "a", "b")]), function("g", [call("f", "a", "b")])
    program.refuses(calling([op("Relu", ["x"], ["y"])], f, g), "itself")


def test_recursion_through_a_branch_is_refused(program: Program) -> None:
    branch = graph([call("f", "a", "t")], [], [typed("t")])
    body = [
        op("Constant", [], ["c"], value=tensor("c", 1, bool)),
        op("If", ["c"], ["b"], then_branch=branch, else_branch=branch),
    ]
    program.refuses(calling(CALL, function("f", body)), "'f'", "itself")


@pytest.mark.parametrize("levels", [11, 25, 60])
def test_expansion_is_counted_before_it_is_begun(program: Program, levels: int) -> None:
    """Ten calls each: 10^10 operators and more out of a few kilobytes."""
    made = tower(levels, 10)
    outcome = program.run(made)
    assert outcome.code == 2
    assert f"{10 ** (levels - 1):,} operators" in outcome.stderr
    assert outcome.seconds < 2


def test_a_tower_within_the_limit_is_expanded(program: Program) -> None:
    report = program.reports(tower(4, 10)).report
    assert report["model"]["operators"] == 1000
    assert report["totals"]["other_flops"] == 4 * 1000


def test_the_limit_of_expansion_can_be_set(program: Program) -> None:
    assert program.run(tower(4, 10), "--limit", "function_nodes=999").code == 2
    assert program.run(tower(4, 10), "--limit", "function_nodes=1000").code == 0


@pytest.mark.parametrize("depth", [101, 3_000])
def test_calls_nested_too_deep_are_refused_without_recursion(program: Program, depth: int) -> None:
    program.refuses(tower(depth, 1), f"{depth:,} deep", "nesting")


def test_calls_nested_as_deep_as_allowed_are_reported(program: Program) -> None:
    assert program.reports(tower(95, 1)).report["model"]["operators"] == 1


def test_a_function_may_shadow_an_operator(program: Program) -> None:
    shadow = function("Relu", chain_of("Abs", 3), domain="")
    made = model([op("Relu", ["x"], ["y"], name="call")], functions=[shadow])
    report = program.reports(made).report
    assert [node["op_type"] for node in report["nodes"]] == ["Abs"] * 3


def chain_of(op_type: str, count: int) -> list[NodeProto]:
    names = ["a", *(f"t{n}" for n in range(count - 1)), "b"]
    return [op(op_type, [names[n]], [names[n + 1]]) for n in range(count)]


@pytest.mark.parametrize(
    ("nodes", "functions", "said"),
    [
        pytest.param(
            CALL,
            [function("f", [op("Relu", ["a"], ["t"])])],
            "'b'",
            id="output-nobody-makes",
        ),
        pytest.param(CALL, [function("f", [op("Relu", ["zzz"], ["b"])])], "'zzz'", id="reads-nothing"),
        pytest.param(CALL, [function("f", [op("Relu", ["x"], ["b"])])], "'x'", id="reads-outside"),
        pytest.param(
            CALL,
            [function("f", [op("Relu", ["a"], ["b"]), op("Abs", ["a"], ["b"])])],
            "'b'",
            id="makes-twice",
        ),
        pytest.param(CALL, [function("f", chain_of("Relu", 1))] * 2, "'f'", id="two-of-one-name"),
        pytest.param(
            [op("f", ["x", "x", "x"], ["y"], domain="local", name="call")],
            [function("f", chain_of("Relu", 1))],
            "call",
            id="too-many-arguments",
        ),
        pytest.param(
            CALL,
            [
                helper.make_function(
                    "local", "f", ["a"], ["b"], chain_of("Relu", 1), [helper.make_opsetid("", 99)]
                )
            ],
            "opset 99",
            id="opset-99",
        ),
        pytest.param(
            [op("f", ["x"], ["y", "z"], domain="local", name="call")],
            [function("f", chain_of("Relu", 1))],
            "call",
            id="too-many-results",
        ),
    ],
)
def test_a_call_that_does_not_fit_its_function_is_refused(
    program: Program, nodes: list[NodeProto], functions: list[FunctionProto], said: str
) -> None:
    program.refuses(calling(nodes, *functions), said)


def test_a_function_that_passes_its_input_on_is_an_identity(program: Program) -> None:
    passing = helper.make_function("local", "f", ["a"], ["a"], [], [helper.make_opsetid("", 21)])
    report = program.reports(calling(CALL, passing)).report
    assert [node["op_type"] for node in report["nodes"]] == ["Identity"]


def test_an_argument_left_out_is_left_out_inside(program: Program) -> None:
    node = op("Clip", ["a", "low"], ["b"])
    clipping = helper.make_function("local", "f", ["a", "low"], ["b"], [node], [helper.make_opsetid("", 21)])
    report = program.reports(calling(CALL, clipping)).report
    assert report["nodes"][0]["inputs"] == ["x", ""]


def test_a_reference_to_an_attribute_that_nobody_gives_is_the_default(program: Program) -> None:
    node = op("Softmax", ["a"], ["b"])
    node.attribute.append(AttributeProto(name="axis", type="INT", ref_attr_name="nothing"))
    outcome = program.reports(calling(CALL, function("f", [node])))
    assert outcome.node("f_0/Softmax_0")["status"] == "exact"


def test_a_reference_of_another_type_is_refused(program: Program) -> None:
    node = op("Softmax", ["a"], ["b"])
    node.attribute.append(AttributeProto(name="axis", type="INT", ref_attr_name="axis"))
    made = calling(
        [op("f", ["x"], ["y"], domain="local", axis="text")], function("f", [node], attributes=["axis"])
    )
    program.refuses(made, "Softmax", "STRING")
