"""If, Loop and Scan: what enters, how often it runs, what leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hostile.support.models import graph, ints, model, op, tensor, typed
from onnx import ModelProto, NodeProto, TensorProto

from nnea_graph.api.analyze import analyze as analyze_model
from nnea_graph.report import Report
from nnea_graph.report.schema.analysis import Branch, Node

INT64, BOOL = TensorProto.INT64, TensorProto.BOOL
SQUARE, WIDE = tensor("w", np.ones((4, 4))), tensor("v", np.ones((4, 100)))


def analyze(made: ModelProto) -> Report:
    return analyze_model(made, passes="cost")


def node(report: Report, node_id: str) -> Node:
    return next(each for each in report.nodes if each.id == node_id)


def branch(report: Report, path: str) -> Branch:
    return next(each for each in report.branches if each.path == path)


def choice(condition: Any = None) -> ModelProto:
    """Then 16 MACs and four numbers, else 400 MACs and a hundred."""
    then = graph([op("MatMul", ["x", "w"], ["t"], name="small")], [], [typed("t")])
    other = graph([op("MatMul", ["x", "v"], ["e"], name="large")], [], [typed("e")])
    weights, inputs = [SQUARE, WIDE], [typed("x", 1, 4)]
    if condition is None:
        inputs.append(typed("c", dtype=BOOL))
    else:
        weights.append(tensor("c", condition, bool))
    return model(
        [op("If", ["c"], ["y"], name="if", then_branch=then, else_branch=other)], inputs, weights=weights
    )


def test_of_alternatives_the_larger_counts_and_both_are_shown() -> None:
    report = analyze(choice())
    assert report.totals.macs == 400
    assert branch(report, "if/then_branch").macs == 16
    assert not branch(report, "if/then_branch").in_total
    assert node(report, "if").shapes == [(1, None)]


@pytest.mark.parametrize(("condition", "macs", "width"), [(True, 16, 4), (False, 400, 100)])
def test_a_constant_condition_decides(*, condition: bool, macs: int, width: int) -> None:
    report = analyze(choice(condition))
    assert report.totals.macs == macs
    assert node(report, "if").shapes == [(1, width)]


def loop(
    body: list[NodeProto], outputs: list[str], *, trips: int = 5, start: bool = True, keep: str = "k"
) -> ModelProto:
    inner = graph(
        body,
        [typed("i", dtype=INT64), typed("k", dtype=BOOL), typed("a")],
        [typed(keep, dtype=BOOL), *(typed(name) for name in outputs)],
    )
    made = op(
        "Loop", ["m", "c", "x"], ["y", *(f"s{n}" for n in range(len(outputs) - 1))], name="loop", body=inner
    )
    return model([made], weights=[tensor("m", trips, np.int64), tensor("c", start, bool), SQUARE])


MATMUL = op("MatMul", ["a", "w"], ["b"], name="matmul")


def test_a_loop_costs_its_body_times_its_trips() -> None:
    report = analyze(loop([MATMUL], ["b"]))
    assert report.totals.macs == 5 * 16
    assert node(report, "loop/body/matmul").runs == 5
    assert node(report, "loop").shapes == [(1, 4)]


def test_what_a_loop_collects_is_stacked_along_a_first_axis() -> None:
    assert node(analyze(loop([MATMUL], ["b", "b"])), "loop").shapes == [(1, 4), (5, 1, 4)]


def test_a_condition_of_the_body_makes_the_count_a_bound() -> None:
    body = [MATMUL, op("ReduceSum", ["b"], ["t"], keepdims=0), op("Cast", ["t"], ["go"], to=BOOL)]
    report = analyze(loop(body, ["b", "b"], keep="go"))
    assert node(report, "loop/body/matmul").status == "estimated"
    assert node(report, "loop").shapes == [(1, 4), (None, 1, 4)]


def test_the_largest_number_is_no_bound_where_a_condition_ends_the_loop() -> None:
    body = [MATMUL, op("ReduceSum", ["b"], ["t"], keepdims=0), op("Cast", ["t"], ["go"], to=BOOL)]
    endless = loop(body, ["b", "b"], keep="go", trips=np.iinfo(np.int64).max)
    report = analyze(endless)
    assert report.totals.macs is None
    assert node(report, "loop/body/matmul").status == "unknown"
    assert [each.rule for each in report.findings] == ["NNEA107"]


def test_a_loop_whose_condition_is_false_never_runs() -> None:
    assert analyze(loop([MATMUL], ["b"], start=False)).totals.macs == 0


def test_a_shape_that_changes_from_trip_to_trip_is_open() -> None:
    report = analyze(loop([op("Concat", ["a", "a"], ["b"], axis=1, name="cat")], ["b"]))
    assert node(report, "loop/body/cat").shapes == [(1, None)]


def scan(**attributes: Any) -> ModelProto:
    """Adds up the rows of x (7 x 4) through a matrix product."""
    body = [op("MatMul", ["r", "w"], ["p"], name="matmul"), op("Add", ["s", "p"], ["t"])]
    inner = graph(body, [typed("s"), typed("r")], [typed("t"), typed("p")])
    made = op("Scan", ["s0", "x"], ["y", "z"], name="scan", body=inner, num_scan_inputs=1, **attributes)
    return model([made], [typed("x", 7, 4)], weights=[tensor("s0", [0] * 4), SQUARE])


def test_a_scan_runs_once_a_slice() -> None:
    report = analyze(scan())
    assert report.totals.macs == 7 * 16
    assert node(report, "scan").shapes == [(4,), (7, 4)]


def test_a_scan_may_go_along_another_axis_and_stack_on_another() -> None:
    body = graph([op("Relu", ["r"], ["p"], name="relu")], [typed("r")], [typed("p")])
    made = op(
        "Scan",
        ["x"],
        ["y"],
        name="scan",
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_output_axes=[-1],
    )
    report = analyze(model([made], [typed("x", 7, 4)]))
    assert node(report, "scan/body/relu").shapes == [(7,)]
    assert node(report, "scan/body/relu").runs == 4
    assert node(report, "scan").shapes == [(7, 4)]


def test_loops_in_loops_multiply() -> None:
    inner = loop([MATMUL], ["b"], trips=3).graph.node[0]
    inner.input[0], inner.input[2], inner.output[0] = "m2", "a", "b"
    made = loop([inner], ["b"])
    made.graph.initializer.append(tensor("m2", 3, np.int64))
    assert analyze(made).totals.macs == 5 * 3 * 16


def test_a_trip_count_that_is_computed_from_shapes_is_known() -> None:
    made = loop([MATMUL], ["b"])
    del made.graph.initializer[0]
    made.graph.node.insert(0, op("Shape", ["x"], ["shape"]))
    made.graph.node.insert(1, op("Gather", ["shape", "last"], ["m"]))
    made.graph.initializer.append(ints("last", 1))
    assert analyze(made).totals.macs == 4 * 16
