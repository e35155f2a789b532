"""Channels and paths in the report, on models small enough to work by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np
import pytest
from onnx import parser

from nnea_graph.api.analyze import analyze
from nnea_graph.report import Report
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.views.pathways import RouteStop, busiest, busy_layers, routes

# y0 gets 1/4 of x0 and 3/4 of x1; y1 all of x1.
PRODUCT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w = {1, 0, -3, 5}> { y = MatMul(x, w) }"""

# h = x W; s = h + x; two more sums; then y = s V
RESIDUAL = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w = {1, 2, 3, 4}, float[2, 2] v = {8, 1, 1, 8}>
{ h = MatMul(x, w)  s = Add(h, x)  t = Add(s, x)  u = Add(t, x)  y = MatMul(u, v) }"""

ATTENTION = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 4, 2] x) => (float[1, 4, 2] y)
<float[2, 2] q = {1, 2, 3, 4}, float[2, 2] k = {4, 3, 2, 1}, float[2, 2] v = {1, 1, 2, 2}>
{ a = MatMul(x, q)  b = MatMul(x, k)  c = MatMul(x, v)
  bt = Transpose <perm = [0, 2, 1]> (b)  s = MatMul(a, bt)  p = Softmax <axis = -1> (s)  y = MatMul(p, c) }"""


def of(text: str, passes: str | None = None, rows: Sequence[Sequence[float]] | None = None) -> Report:
    data = None if rows is None else {"x": np.array(rows, np.float32)}
    return analyze(parser.parse_model(text), passes=passes, data=data)


def test_paths_carry_their_shares_best_first() -> None:
    found = of(PRODUCT).pathways
    assert found is not None
    assert [[(unit.node, unit.tensor, unit.channel) for unit in path.units] for path in found.paths] == [
        [(None, "x", 1), ("MatMul_0", "y", 1)],
        [(None, "x", 1), ("MatMul_0", "y", 0)],
        [(None, "x", 0), ("MatMul_0", "y", 0)],
    ]
    assert [path.score for path in found.paths] == pytest.approx([1, 3 / 4, 1 / 4])
    assert [path.share for path in found.paths] == pytest.approx([1 / 2, 3 / 8, 1 / 8])
    assert (found.mass, found.flow_covered, found.part_of_mass) == pytest.approx((1, 1, 1))
    entropy = -sum(part * log(part) for part in (1 / 2, 3 / 8, 1 / 8))
    assert (found.entropy, found.effective_paths) == pytest.approx((entropy, exp(entropy)))
    assert (found.operators, found.operator_macs) == (["MatMul_0"], 4)


def test_strengths_are_of_importance_on_real_data_and_of_weights_on_made_up_ones() -> None:
    made_up, real = of(PRODUCT).pathways, of(PRODUCT, rows=[[9, 1], [-9, -1]]).pathways
    assert made_up is not None
    assert real is not None
    assert (made_up.strengths, real.strengths) == ("weights", "importance")
    assert [path.score for path in real.paths] == pytest.approx([1, 3 / 4, 1 / 4])
    assert [path.units[0].channel for path in real.paths] == [1, 0, 1]  # 9 x 1 against 1 x 3


def test_the_ends_that_were_asked_for_are_in_the_report() -> None:
    found = of(PRODUCT, "pathways{sink_channel=1,source_channel=1}").pathways
    assert found is not None
    assert [(end.tensor, end.channels, end.channel) for end in (*found.sources, *found.sinks)] == [
        ("x", 1, 1),
        ("y", 1, 1),
    ]
    assert [path.share for path in found.paths] == pytest.approx([1])


def test_what_did_not_run_is_null() -> None:
    report = of(PRODUCT, "weight_statistics")
    assert (report.channels, report.pathways) == (None, None)
    assert [(layer.flow, layer.flow_channels, layer.top_channels) for layer in report.layers] == [(None,) * 3]


def test_paths_without_cost_have_unknown_macs() -> None:
    report = of(PRODUCT, "pathways")
    assert report.pathways is not None
    assert report.channels is not None
    assert (report.pathways.operator_macs, report.pathways.operator_bytes) == (None, None)
    assert (report.channels.macs, report.channels.mac_share, report.channels.covered_layers) == (
        None,
        None,
        1,
    )


def test_each_layer_has_its_busiest_channels_and_the_flow_through_it() -> None:
    first, last = of(RESIDUAL).layers
    # u is x, and s + x, and so on: of every channel 1/2 is x, 1/4, and of the rest half is h.
    assert first.flow == pytest.approx(1 / 8)
    assert [each.channel for each in first.top_channels or ()] == [0, 1]
    assert [each.flow for each in first.top_channels or ()] == pytest.approx([1 / 16, 1 / 16])
    assert last.flow == pytest.approx(1)
    assert last.flow_channels == 2


def test_attention_is_covered_with_queries_and_keys_apart() -> None:
    found = of(ATTENTION).channels
    assert found is not None
    assert (found.layers, found.covered_layers, found.mac_share) == (3, 3, 1)
    assert (found.query_key_macs, found.macs) == (4 * 4 * 2, 3 * 4 * 2 * 2 + 2 * 4 * 4 * 2)
    assert {end.node for end in found.query_key} == {"MatMul_3"}
    assert found.ends == []
    assert [(each.name, each.channels) for each in found.outputs] == [("y", 2)]
    assert sum(found.marks.values()) == 1


LOST = """<ir_version: 8, opset_import: ["" : 17, "my.dom" : 1]>
g (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w = {1, 2, 3, 4}>
{ h = my.dom.Foo(x)  y = MatMul(h, w) }"""


LABELS = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 2] x) => (int64[N, 1] y) <float[2, 2] w = {1, 2, 3, 4}> { h = MatMul(x, w)  y = ArgMax <axis = 1> (h) }"""


def test_what_is_not_followed_is_an_end_with_its_reason() -> None:
    found = of(LABELS).channels
    assert found is not None
    assert [(end.node, end.tensor) for end in found.ends] == [("ArgMax_0", "h")]
    assert all(end.reason for end in found.ends)


def test_a_layer_that_is_not_covered_is_named_with_the_reason() -> None:
    found = of(LOST).channels
    assert found is not None
    assert (found.layers, found.covered_layers) == (1, 0)
    assert list(found.uncovered) == ["MatMul_0"]
    assert found.uncovered["MatMul_0"] == "the rank of 'h' is not known before the model runs"
    assert [(each.name, each.channels) for each in found.outputs] == [("y", None)]


def test_joins_that_keep_the_channel_are_one_step() -> None:
    best = routes(of(RESIDUAL))[0]
    assert best.steps == [
        RouteStop("", "x", best.steps[0].channel),
        RouteStop("Add_2", "", best.steps[0].channel, "Add", keeps=True),
        RouteStop("", "y", best.steps[-1].channel),
    ]
    through_all = next(route for route in routes(of(RESIDUAL)) if len(route.steps) == 4)
    assert [(step.node, step.join, step.times) for step in through_all.steps[1:3]] == [
        ("MatMul_0", "", 1),
        ("Add_0", "Add", 3),
    ]


def test_paths_that_differ_in_channels_only_are_one_route() -> None:
    found = routes(of(PRODUCT.replace("{1, 0, -3, 5}", "{2, 0, 0, 5}")))
    assert [route.share for route in found] == pytest.approx([1 / 2])
    assert [route.alike for route in found] == [1]


def flow(layer: Layer) -> list[tuple[int, float]]:
    return [(channel, round(times, 6)) for channel, times in busiest(layer)]


def test_busiest_channels_are_told_in_even_shares_and_sinks_are_left_out() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 2] x) => (float[N, 1] y) <float[2, 2] w = {1, 1, 1, 1}, float[2, 1] v = {3, 1}>
    { h = MatMul(x, w)  y = MatMul(h, v) }"""
    report = of(text)
    assert [layer.id for layer in busy_layers(report, 5, 1.0)] == ["MatMul_0"]
    assert flow(report.layers[0]) == [(0, 1.5), (1, 0.5)]
    assert busy_layers(report, 5, 1.5) == []
