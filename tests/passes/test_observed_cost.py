"""Observed costs: the trips of loops and the shapes behind operators that the data decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper, parser

from nnea_graph import analyze
from nnea_graph.render.json import render_json

WIDTH = 8

LOOP = """
    <ir_version: 10, opset_import: ["" : 20]>
    g (float[1, 8] x, int64 trips) => (float[1, 8] y) {
        yes = Constant <value = bool {1}> ()
        y = Loop (trips, yes, x) <body = b (int64 i, bool c, float[1, 8] s) => (bool d, float[1, 8] t) {
            d = Identity (c)
            t = MatMul (s, w)
        }>
    }
"""
NONZERO = """
    <ir_version: 10, opset_import: ["" : 20]>
    g (float[6] x) => (float[n, 8] y) {
        places = NonZero (x)
        rows = Transpose <perm = [1, 0]> (places)
        numbers = Cast <to = 1> (rows)
        wide = Expand (numbers, shape)
        y = MatMul (wide, w)
    }
"""


def saved(text: str, folder: Path) -> Path:
    model: ModelProto = parser.parse_model(text)
    rng = np.random.default_rng(0)
    model.graph.initializer.append(
        numpy_helper.from_array(rng.standard_normal((8, 8)).astype(np.float32) / 8, "w")
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 8]), "shape"))
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


def test_a_loop_whose_trips_depend_on_data_costs_an_unknown_amount_in_every_field(tmp_path: Path) -> None:
    report = analyze(saved(LOOP, tmp_path), passes="cost", may_run=False)
    totals = json.loads(render_json(report))["totals"]
    fields = ("macs", "flops", "training_flops", "macs_formula")
    assert [totals[name] for name in fields] == [None] * 4
    assert totals["cost_status"] == "lower bound"
    assert totals["cost_note"] == "without 1 operator of unknown cost"
    assert report.branches[0].macs is None
    assert report.branches[0].macs_per_trip == 64


@pytest.mark.parametrize("trips", [0, 3, 7])
def test_trips_are_observed_where_the_model_runs(tmp_path: Path, trips: int) -> None:
    data: dict[str, Any] = {"x": np.ones((1, 8), np.float32), "trips": np.array(trips)}
    report = analyze(saved(LOOP, tmp_path), data, passes="observed_cost")
    assert report.totals.macs == 64 * trips
    assert report.totals.training_flops == 4 * trips * 8 * 15
    assert report.totals.cost_status == "observed"
    assert report.totals.coverage is not None
    assert report.totals.coverage.observed == 2
    (node,) = [node for node in report.nodes if node.op_type == "MatMul"]
    assert (node.status, node.runs, node.macs) == ("observed", trips, 64 * trips)
    assert node.reason.startswith("observed on the first sample of ")


@pytest.mark.parametrize("found", [1, 4, 6])
def test_shapes_behind_nonzero_are_observed(tmp_path: Path, found: int) -> None:
    data = {"x": (np.arange(6) < found).astype(np.float32)}
    path = saved(NONZERO, tmp_path)
    report = analyze(path, data, passes="observed_cost")
    assert report.totals.macs == found * 8 * 8
    assert report.totals.cost_status == "observed"
    assert {node.op_type: node.shapes for node in report.nodes}["MatMul"] == [(found, 8)]
    static = analyze(path, passes="cost", may_run=False)
    assert (static.totals.macs, static.totals.cost_status) == (None, "lower bound")
