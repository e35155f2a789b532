"""Loops that run without end, branches and scans that cannot run or that nobody would write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hostile.support.models import chain, graph, ints, model, op, tensor, typed
from hostile.support.running import Program
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

HUGE = 1 << 62


def branch(op_type: str, source: str, target: str, name: str = "") -> GraphProto:
    """One operator on a tensor from outside."""
    return graph([op(op_type, [source], [target], name=name)], [], [typed(target)])


TRUE = tensor("c", True, bool)
RELU = branch("Relu", "x", "t")
NOTHING = graph([], [], [])
OUTER = graph([], [], [typed("x")])


def branching(then: GraphProto, other: GraphProto, inputs: Sequence[str] = ("c",)) -> NodeProto:
    return op("If", inputs, ["y"], name="odd", then_branch=then, else_branch=other)


def scanning(inputs: Sequence[str] = ("x",), **attributes: Any) -> NodeProto:
    """Relu over the slices of ``x``."""
    body = graph([op("Relu", ["a"], ["b"])], [typed("a")], [typed("b")])
    return op("Scan", inputs, ["y"], name="odd", body=body, **attributes)


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
            op("If", ["c"], ["y"], name="odd", then_branch=RELU),
            "else_branch",
            id="if-with-one-branch",
        ),
        pytest.param(
            branching(NOTHING, NOTHING),
            "odd",
            id="branches-without-outputs",
        ),
        pytest.param(
            branching(OUTER, OUTER, inputs=[]),
            "odd",
            id="if-without-condition",
        ),
        pytest.param(
            op("Loop", ["n", "c", "x"], ["y"], name="odd", body=NOTHING),
            "odd",
            id="loop-body-without-anything",
        ),
        pytest.param(
            op("Loop", ["n", "c", "x"], ["y"], name="odd", body=graph([], [typed("i")], [typed("i")])),
            "odd",
            id="loop-body-with-one-input",
        ),
        pytest.param(
            scanning(num_scan_inputs=5),
            "odd",
            id="scan-with-too-few-inputs",
        ),
        pytest.param(
            scanning(num_scan_inputs=-1),
            "odd",
            id="scan-of-minus-1",
        ),
        pytest.param(
            scanning(),
            "num_scan_inputs",
            id="scan-without-number",
        ),
    ],
)
def test_control_flow_that_cannot_run_is_refused(program: Program, node: NodeProto, said: str) -> None:
    weights = [TRUE, ints("n", 3)]
    program.refuses(model([node], weights=weights), "'odd'", said)


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(
            branching(OUTER, OUTER),
            id="branch-gives-an-outer-tensor",
        ),
        pytest.param(
            branching(graph([], [], [typed("w")], [tensor("w", [1])]), OUTER),
            id="branch-gives-a-weight",
        ),
        pytest.param(
            branching(branch("Relu", "x", "x2"), branch("Abs", "x", "x2")),
            id="two-branches-of-one-name",
        ),
        pytest.param(
            scanning(num_scan_inputs=1, scan_input_axes=[9]),
            id="scan-axis-outside",
        ),
        pytest.param(
            scanning(num_scan_inputs=1, scan_output_axes=[-9]),
            id="scan-output-axis-outside",
        ),
        pytest.param(
            scanning(inputs=("", "x"), num_scan_inputs=1),
            id="scan-8",
        ),
    ],
)
def test_odd_control_flow_is_reported(program: Program, node: NodeProto) -> None:
    opset = 8 if "" in node.input else 21
    outcome = program.reports(model([node], weights=[TRUE], opset=opset))
    assert outcome.node("odd")


def test_a_branch_may_shadow_no_outer_name_and_says_so_or_keeps_both(program: Program) -> None:
    shadow = branch("Relu", "x", "h")
    node = branching(shadow, shadow)
    outcome = program.reports(model([op("Abs", ["x"], ["h"], name="abs"), node], weights=[TRUE]))
    names = [name for each in outcome.report["nodes"] for name in each["outputs"]]
    assert len(set(names)) == len(names)


def test_a_body_that_reads_what_comes_later_is_put_in_order(program: Program) -> None:
    reader = branch("Relu", "late", "t", name="reader")
    nodes = [
        branching(reader, reader),
        op("Abs", ["x"], ["late"], name="abs"),
    ]
    ids = [node["id"] for node in program.reports(model(nodes, weights=[TRUE])).report["nodes"]]
    assert ids[0] == "abs"


def test_a_body_that_reads_its_own_owner_is_a_cycle(program: Program) -> None:
    reader = branch("Relu", "y", "t", name="reader")
    program.refuses(model([branching(reader, reader)], weights=[TRUE]), "cycle", "reader")


def test_thousands_of_branches_are_reported(program: Program) -> None:
    nodes = [op("If", ["c"], [f"o{n}"], then_branch=RELU, else_branch=RELU) for n in range(3_000)]
    made = model([*nodes, *chain(1)], [typed("x", 1, 4), typed("c", dtype=TensorProto.BOOL)])
    assert len(program.reports(made).report["branches"]) == 6_000
