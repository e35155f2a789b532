"""Reductions run as soon as they can."""

from __future__ import annotations

import pytest
from onnx import parser

from nnea_graph.runtime.session.node_order import reductions_first

CHAIN = """
agraph (float[N] x) => (float[N] c, float r, float s, float t) {
    a = Relu (x)
    b = Neg (a)
    c = Neg (b)
    s = ReduceSum (sq)
    t = ReduceSum (b)
    sq = Mul (a, a)
    r = ReduceMax (x)
    u = Add (t, s)
}
"""


def test_what_leads_to_no_output_stands_behind_what_it_needs() -> None:
    graph = parser.parse_graph(CHAIN)
    reductions_first(graph, ["c"])
    assert [node.output[0] for node in graph.node] == ["r", "a", "sq", "s", "b", "t", "u", "c"]


@pytest.mark.parametrize("outputs", [["c"], ["c", "t"], []])
def test_the_order_can_be_executed(outputs: list[str]) -> None:
    graph = parser.parse_graph(CHAIN)
    reductions_first(graph, outputs)
    made = {"x"}
    for node in graph.node:
        assert set(node.input) <= made
        made |= set(node.output)
    assert len(graph.node) == 8


def test_a_reduction_waits_for_what_a_body_reads() -> None:
    graph = parser.parse_graph("""
    agraph (float[N] x, bool c) => (float[N] z) {
        a = Relu (x)
        z = Neg (a)
        r = If (c) <
            then_branch = t () => (float[N] p) { p = Abs (z) },
            else_branch = e () => (float[N] q) { q = Abs (a) }
        >
    }
    """)
    reductions_first(graph, ["z"])
    assert [node.output[0] for node in graph.node] == ["a", "z", "r"]
