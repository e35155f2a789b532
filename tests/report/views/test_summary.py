from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from onnx import TensorProto, helper, parser

from nnea_graph.api.analyze import analyze
from nnea_graph.report import Report
from nnea_graph.report.schema.analysis import Finding
from nnea_graph.report.views.summary import (
    by_module,
    by_operator,
    by_rule,
    left_out,
    most_expensive_layers,
    share,
    working_branches,
)

IF = """<ir_version: 8, opset_import: ["" : 17]>
g (bool c, float[2, 4] x) => (float[2, 4] y) {
  y = If (c) <
    then_branch = a () => (float[2, 4] p)
      <float[4, 4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}> { q = MatMul(x, w)  p = MatMul(q, w) },
    else_branch = b () => (float[2, 4] r) { r = Relu(x) }>
}"""


def products(names: Sequence[str], sizes: Sequence[int]) -> Report:
    """MatMul of (1, 8) and (8, size) under each name: 8 x size MACs, all of one input."""
    nodes = [
        helper.make_node("MatMul", ["x", f"w{at}"], [f"y{at}"], name=name) for at, name in enumerate(names)
    ]
    weights = [
        helper.make_tensor(f"w{at}", TensorProto.FLOAT, [8, size], [float(at + 1)] * 8 * size)
        for at, size in enumerate(sizes)
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])
    outputs = [
        helper.make_tensor_value_info(f"y{at}", TensorProto.FLOAT, [1, size]) for at, size in enumerate(sizes)
    ]
    graph = helper.make_graph(nodes, "g", [x], outputs, weights)
    return analyze(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


@pytest.mark.parametrize(
    ("part", "whole", "found"), [(1, 4, 0.25), (0, 4, 0.0), (None, 4, None), (1, None, None), (0, 0, None)]
)
def test_a_share_of_nothing_or_of_the_unknown_is_unknown(
    part: int | None, whole: int | None, found: float | None
) -> None:
    assert share(part, whole) == found


def test_groups_add_up_to_the_total_without_the_branch_outside_it() -> None:
    report = analyze(parser.parse_model(IF))
    assert sum(group.macs for group in by_operator(report)) == report.totals.macs == 64
    assert [(group.name, group.operators, group.share) for group in by_operator(report)] == [
        ("MatMul", 2, 1.0)
    ]
    assert left_out(report) == {"If_0/else_branch/Relu_0"}


@pytest.mark.parametrize(
    ("names", "sizes", "found"),
    [
        pytest.param(
            ["/net/a/x/MatMul", "/net/a/y/MatMul", "/net/b/x/MatMul"],
            [4, 4, 8],
            [("net.a", 0.5), ("net.b", 0.5)],
            id="first-level-tells",
        ),
        pytest.param(
            ["/a/0/p/MatMul", "/a/0/q/MatMul", "/a/1/p/MatMul", "/a/1/q/MatMul", "/b/MatMul"],
            [4, 4, 4, 4, 2],
            [("a.0", 4 / 9), ("a.1", 4 / 9), ("b", 1 / 9)],
            id="second-level-tells",
        ),
        pytest.param(["/a/MatMul", "/b/MatMul"], [4, 4], [], id="one-operator-each"),
        pytest.param(["n0", "n1", "/a/MatMul"], [4, 4, 4], [], id="most-without-scope"),
        pytest.param([f"/l/{at // 2}/{at}/MatMul" for at in range(60)], [4] * 60, [], id="thirty-modules"),
    ],
)
def test_modules_are_grouped_at_the_level_that_tells_something(
    names: Sequence[str], sizes: Sequence[int], found: Sequence[tuple[str, float]]
) -> None:
    groups = by_module(products(names, sizes))
    assert [group.name for group in groups] == [name for name, _ in found]
    assert [group.share for group in groups] == pytest.approx([part for _, part in found])


def test_of_many_layers_the_dearest_and_the_largest_come_in_execution_order() -> None:
    report = products([f"n{at}" for at in range(9)], [1, 9, 2, 8, 3, 7, 4, 6, 5])
    assert [layer.id for layer in most_expensive_layers(report, 2)] == ["n1", "n3"]
    assert len(most_expensive_layers(report, 5)) == 9


def test_branches_without_work_are_left_out() -> None:
    outer, inner = working_branches(analyze(parser.parse_model(IF)))
    assert [branch.path for branch in outer] == ["If_0/then_branch"]
    assert inner == []


@pytest.mark.parametrize(
    ("values", "threshold", "order"),
    [
        pytest.param([0.4, 0.1, 0.3], 0.5, [0.1, 0.3, 0.4], id="lower-is-worse"),
        pytest.param([0.6, 0.9, 0.7], 0.5, [0.9, 0.7, 0.6], id="higher-is-worse"),
        pytest.param([3.0, 1.0, 2.0], None, [3.0, 1.0, 2.0], id="no-threshold-keeps-the-order"),
    ],
)
def test_the_worst_finding_of_a_rule_comes_first(
    values: Sequence[float], threshold: float | None, order: Sequence[float]
) -> None:
    report = products(["n"], [4])
    found = [Finding("R", "note", None, "m", "h", "d", value, threshold) for value in values]
    (group,) = by_rule(replace(report, findings=found))
    assert [finding.value for finding in group.findings] == list(order)
