"""Local functions that call each other without end, and control flow that runs without end."""

from __future__ import annotations

import numpy as np
import pytest
from hostile.models import call, chain, function, graph, ints, model, op, tensor, typed
from hostile.running import Program
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, TensorProto, helper

HUGE = 1 << 62


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
    program.refuses(calling([call("f", "x", "y")], function("f", [call("f", "a", "b")])), "'f'", "itself")


def test_functions_that_call_each_other_are_refused_even_if_nobody_calls_them(program: Program) -> None:
    f, g = function("f", [call("g", "a", "b")]), function("g", [call("f", "a", "b")])
    program.refuses(calling([op("Relu", ["x"], ["y"])], f, g), "itself")


def test_recursion_through_a_branch_is_refused(program: Program) -> None:
    branch = graph([call("f", "a", "t")], [], [typed("t")])
    body = [
        op("Constant", [], ["c"], value=tensor("c", 1, bool)),
        op("If", ["c"], ["b"], then_branch=branch, else_branch=branch),
    ]
    program.refuses(calling([call("f", "x", "y")], function("f", body)), "'f'", "itself")


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
            [call("f", "x", "y")],
            [function("f", [op("Relu", ["a"], ["t"])])],
            "'b'",
            id="output-nobody-makes",
        ),
        pytest.param(
            [call("f", "x", "y")], [function("f", [op("Relu", ["zzz"], ["b"])])], "'zzz'", id="reads-nothing"
        ),
        pytest.param(
            [call("f", "x", "y")], [function("f", [op("Relu", ["x"], ["b"])])], "'x'", id="reads-outside"
        ),
        pytest.param(
            [call("f", "x", "y")],
            [function("f", [op("Relu", ["a"], ["b"]), op("Abs", ["a"], ["b"])])],
            "'b'",
            id="makes-twice",
        ),
        pytest.param(
            [call("f", "x", "y")], [function("f", chain_of("Relu", 1))] * 2, "'f'", id="two-of-one-name"
        ),
        pytest.param(
            [op("f", ["x", "x", "x"], ["y"], domain="local", name="call")],
            [function("f", chain_of("Relu", 1))],
            "call",
            id="too-many-arguments",
        ),
        pytest.param(
            [call("f", "x", "y")],
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
    report = program.reports(calling([call("f", "x", "y")], passing)).report
    assert [node["op_type"] for node in report["nodes"]] == ["Identity"]


def test_an_argument_left_out_is_left_out_inside(program: Program) -> None:
    node = op("Clip", ["a", "low"], ["b"])
    clipping = helper.make_function("local", "f", ["a", "low"], ["b"], [node], [helper.make_opsetid("", 21)])
    report = program.reports(calling([call("f", "x", "y")], clipping)).report
    assert report["nodes"][0]["inputs"] == ["x", ""]


def test_a_reference_to_an_attribute_that_nobody_gives_is_the_default(program: Program) -> None:
    node = op("Softmax", ["a"], ["b"])
    node.attribute.append(AttributeProto(name="axis", type="INT", ref_attr_name="nothing"))
    assert (
        program.reports(calling([call("f", "x", "y")], function("f", [node]))).node("f_0/Softmax_0")["status"]
        == "exact"
    )


def test_a_reference_of_another_type_is_refused(program: Program) -> None:
    node = op("Softmax", ["a"], ["b"])
    node.attribute.append(AttributeProto(name="axis", type="INT", ref_attr_name="axis"))
    made = calling(
        [op("f", ["x"], ["y"], domain="local", axis="text")], function("f", [node], attributes=["axis"])
    )
    program.refuses(made, "Softmax", "STRING")


# Control flow


def looped(trips: int | None, body: list[NodeProto], extra: list[TensorProto] | None = None) -> ModelProto:
    """x goes round; ``trips`` None leaves the number to a model input."""
    inner = graph(
        [*body, op("Identity", ["keep"], ["again"])],
        [typed("i", dtype=TensorProto.INT64), typed("keep", dtype=TensorProto.BOOL), typed("a", 1, 4)],
        [typed("again", dtype=TensorProto.BOOL), typed("b", 1, 4)],
    )
    weights = [tensor("go", True, bool), *(extra or [])]
    inputs = [typed("x", 1, 4)]
    if trips is None:
        inputs.append(typed("n", dtype=TensorProto.INT64))
    else:
        weights.append(tensor("n", trips, np.int64))
    return model([op("Loop", ["n", "go", "x"], ["y"], name="loop", body=inner)], inputs, weights=weights)


MATMUL = [op("MatMul", ["a", "w"], ["b"], name="matmul")]
SQUARE = [tensor("w", np.ones((4, 4)))]


@pytest.mark.parametrize("trips", [0, 1, 1000, HUGE, (1 << 63) - 1])
def test_a_loop_costs_its_body_times_its_trips_to_the_digit(program: Program, trips: int) -> None:
    outcome = program.reports(looped(trips, MATMUL, SQUARE))
    assert outcome.report["totals"]["macs"] == 16 * trips
    assert program("run", "model.onnx").code == 0


def test_a_loop_of_a_negative_number_of_trips_runs_never(program: Program) -> None:
    assert program.reports(looped(-5, MATMUL, SQUARE)).report["totals"]["macs"] == 0


def test_a_loop_whose_trips_the_data_decide_is_unknown(program: Program) -> None:
    outcome = program.reports(looped(None, MATMUL, SQUARE))
    assert outcome.node("loop/body/matmul")["macs"] is None
    assert "NNEA107" in outcome.rules()


def test_loops_in_loops_multiply_without_overflow(program: Program) -> None:
    body = MATMUL
    made = looped(HUGE, MATMUL, SQUARE)
    for _ in range(9):
        inner = made.graph.node[0]
        inner.input[2], inner.output[0] = "a", "b"
        body = [inner]
        made = looped(HUGE, body, SQUARE)
    outcome = program.reports(made)
    assert outcome.report["totals"]["macs"] == 16 * HUGE**10
    assert program("run", "model.onnx").code == 0


def test_a_carried_value_that_grows_every_trip_is_not_followed_for_ever(program: Program) -> None:
    outcome = program.reports(looped(HUGE, [op("Concat", ["a", "a"], ["b"], axis=0, name="cat")]))
    assert outcome.node("loop/body/cat")["shapes"] == [[None, 4]]


@pytest.mark.parametrize(
    ("node", "said"),
    [
        pytest.param(
            op(
                "If",
                ["c"],
                ["y"],
                name="odd",
                then_branch=graph([op("Relu", ["x"], ["t"])], [], [typed("t")]),
            ),
            "else_branch",
            id="if-with-one-branch",
        ),
        pytest.param(
            op("If", ["c"], ["y"], name="odd", then_branch=graph([], [], []), else_branch=graph([], [], [])),
            "odd",
            id="branches-without-outputs",
        ),
        pytest.param(
            op(
                "If",
                [],
                ["y"],
                name="odd",
                then_branch=graph([], [], [typed("x")]),
                else_branch=graph([], [], [typed("x")]),
            ),
            "odd",
            id="if-without-condition",
        ),
        pytest.param(
            op("Loop", ["n", "c", "x"], ["y"], name="odd", body=graph([], [], [])),
            "odd",
            id="loop-body-without-anything",
        ),
        pytest.param(
            op("Loop", ["n", "c", "x"], ["y"], name="odd", body=graph([], [typed("i")], [typed("i")])),
            "odd",
            id="loop-body-with-one-input",
        ),
        pytest.param(
            op(
                "Scan",
                ["x"],
                ["y"],
                name="odd",
                num_scan_inputs=5,
                body=graph([op("Relu", ["a"], ["b"])], [typed("a")], [typed("b")]),
            ),
            "odd",
            id="scan-with-too-few-inputs",
        ),
        pytest.param(
            op(
                "Scan",
                ["x"],
                ["y"],
                name="odd",
                num_scan_inputs=-1,
                body=graph([op("Relu", ["a"], ["b"])], [typed("a")], [typed("b")]),
            ),
            "odd",
            id="scan-of-minus-1",
        ),
        pytest.param(
            op(
                "Scan",
                ["x"],
                ["y"],
                name="odd",
                body=graph([op("Relu", ["a"], ["b"])], [typed("a")], [typed("b")]),
            ),
            "num_scan_inputs",
            id="scan-without-number",
        ),
    ],
)
def test_control_flow_that_cannot_run_is_refused(program: Program, node: NodeProto, said: str) -> None:
    weights = [tensor("c", True, bool), ints("n", 3)]
    program.refuses(model([node], weights=weights), "'odd'", said)


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(
            op(
                "If",
                ["c"],
                ["y"],
                name="odd",
                then_branch=graph([], [], [typed("x")]),
                else_branch=graph([], [], [typed("x")]),
            ),
            id="branch-gives-an-outer-tensor",
        ),
        pytest.param(
            op(
                "If",
                ["c"],
                ["y"],
                name="odd",
                then_branch=graph([], [], [typed("w")], [tensor("w", [1])]),
                else_branch=graph([], [], [typed("x")]),
            ),
            id="branch-gives-a-weight",
        ),
        pytest.param(
            op(
                "If",
                ["c"],
                ["y"],
                name="odd",
                then_branch=graph([op("Relu", ["x"], ["x2"])], [], [typed("x2")]),
                else_branch=graph([op("Abs", ["x"], ["x2"])], [], [typed("x2")]),
            ),
            id="two-branches-of-one-name",
        ),
        pytest.param(
            op(
                "Scan",
                ["x"],
                ["y"],
                name="odd",
                num_scan_inputs=1,
                scan_input_axes=[9],
                body=graph([op("Relu", ["a"], ["b"])], [typed("a")], [typed("b")]),
            ),
            id="scan-axis-outside",
        ),
        pytest.param(
            op(
                "Scan",
                ["x"],
                ["y"],
                name="odd",
                num_scan_inputs=1,
                scan_output_axes=[-9],
                body=graph([op("Relu", ["a"], ["b"])], [typed("a")], [typed("b")]),
            ),
            id="scan-output-axis-outside",
        ),
        pytest.param(
            op(
                "Scan",
                ["", "x"],
                ["y"],
                name="odd",
                num_scan_inputs=1,
                body=graph([op("Relu", ["a"], ["b"])], [typed("a")], [typed("b")]),
            ),
            id="scan-8",
        ),
    ],
)
def test_odd_control_flow_is_reported(program: Program, node: NodeProto) -> None:
    opset = 8 if "" in node.input else 21
    outcome = program.reports(model([node], weights=[tensor("c", True, bool)], opset=opset))
    assert outcome.node("odd")


def test_a_branch_may_shadow_no_outer_name_and_says_so_or_keeps_both(program: Program) -> None:
    branch = graph([op("Relu", ["x"], ["h"])], [], [typed("h")])
    node = op("If", ["c"], ["y"], name="odd", then_branch=branch, else_branch=branch)
    outcome = program.reports(
        model([op("Abs", ["x"], ["h"], name="abs"), node], weights=[tensor("c", True, bool)])
    )
    names = [name for each in outcome.report["nodes"] for name in each["outputs"]]
    assert len(set(names)) == len(names)


def test_a_body_that_reads_what_comes_later_is_put_in_order(program: Program) -> None:
    branch = graph([op("Relu", ["late"], ["t"], name="reader")], [], [typed("t")])
    nodes = [
        op("If", ["c"], ["y"], name="if", then_branch=branch, else_branch=branch),
        op("Abs", ["x"], ["late"], name="abs"),
    ]
    ids = [
        node["id"]
        for node in program.reports(model(nodes, weights=[tensor("c", True, bool)])).report["nodes"]
    ]
    assert ids[0] == "abs"


def test_a_body_that_reads_its_own_owner_is_a_cycle(program: Program) -> None:
    branch = graph([op("Relu", ["y"], ["t"], name="reader")], [], [typed("t")])
    node = op("If", ["c"], ["y"], name="if", then_branch=branch, else_branch=branch)
    program.refuses(model([node], weights=[tensor("c", True, bool)]), "cycle", "reader")


def test_thousands_of_branches_are_reported(program: Program) -> None:
    branch = graph([op("Relu", ["x"], ["t"])], [], [typed("t")])
    nodes = [op("If", ["c"], [f"o{n}"], then_branch=branch, else_branch=branch) for n in range(3_000)]
    made = model([*nodes, *chain(1)], [typed("x", 1, 4), typed("c", dtype=TensorProto.BOOL)])
    assert len(program.reports(made).report["branches"]) == 6_000
