"""What metadata say of a model is what its report says; what is not known has a reason and no number."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hostile.support.models import call, function, model, op, tensor

from nnea_graph import Report, analyze
from nnea_graph.engine import Column, FactRow, FactSection
from nnea_graph.render.json import plain, render_json
from nnea_graph.report.metadata import PREFIX, Facts

MODELS = Path(__file__).parents[2] / "models"
CNN, DIGITS = MODELS / "digits_cnn.onnx", MODELS / "digits.npz"


def read(facts: dict[str, str]) -> dict[str, Any]:
    assert all(key.startswith(PREFIX) for key in facts)
    return {key.removeprefix(PREFIX): json.loads(value) for key, value in facts.items()}


@pytest.fixture(scope="module", params=[None, DIGITS], ids=["made-up", "real"])
def report(request: pytest.FixtureRequest) -> Report:
    return analyze(CNN, request.param, samples=40 if request.param else None)


def test_the_model_has_every_total_as_the_json_report_has_it(report: Report) -> None:
    found = read(Facts(report).of_model())
    whole = json.loads(render_json(report))
    wanted = {name: value for name, value in whole["totals"].items() if value is not None}
    assert {name: found[name] for name in wanted} == wanted
    assert found["dims"] == whole["dims"] == {"batch": 1}
    assert found["assumed_dims"] == ["batch"]
    assert found["data"]["samples"] == whole["data"]["samples"]
    assert set(found["unknown"]) == set(whole["totals"]) - set(wanted) == {"trainable_parameters"}


def test_no_folder_of_the_users_is_told(report: Report) -> None:
    assert str(MODELS) not in json.dumps(Facts(report).of_model())


def test_operators_have_their_costs_and_layers_their_statistics(report: Report) -> None:
    facts, whole = Facts(report), json.loads(render_json(report))
    layers = {layer["id"]: layer for layer in whole["layers"]}
    metrics = "metrics" if whole["totals"]["statistics_of"] == "importance" else "weight_metrics"
    for node in whole["nodes"]:
        found = read(facts.of_operators([node["id"]]))
        for name in ("macs", "flops", "other_flops", "training_flops", "bytes", "runs", "status", "in_total"):
            assert found[name] == node[name]
        layer = layers.get(node["id"])
        if layer is None:
            assert "parameters" not in found
            continue
        assert found["parameters"] == layer["parameters"]
        assert found["flow"] == layer["flow"]
        for name in ("utilization", "redundancy", "gini", "sparsity"):
            assert found[name] == layer[metrics][name]
    assert sum(read(facts.of_operators([node["id"]]))["macs"] for node in whole["nodes"]) == 1_269_504


@pytest.fixture(scope="module")
def strange() -> Report:
    """An operator that nobody knows, and what is behind it."""
    nodes = [
        op("Strange", ["x"], ["s"], name="strange", domain="elsewhere"),
        op("MatMul", ["s", "w"], ["y"], name="product"),
    ]
    made = model(nodes, weights=[tensor("w", [[1.0, -2.0]] * 4)], domains=["elsewhere"])
    return analyze(made, passes="cost,weight_statistics")


def test_what_is_not_known_is_left_out_with_its_reason(strange: Report) -> None:
    facts = Facts(strange)
    unknown = read(facts.of_operators(["strange"]))
    assert "macs" not in unknown
    assert unknown["status"] == "unknown"
    assert "macs" in unknown["unknown"]
    assert unknown["unknown"]["macs"] == unknown["reason"] != ""
    whole = read(facts.of_model())
    assert whole["coverage"]["unknown_ops"] == {"MatMul": 1, "Strange": 1}
    assert all(whole["unknown"].values())


def test_passes_that_did_not_run_or_failed_are_the_reason(strange: Report) -> None:
    whole = read(Facts(strange).of_model())
    assert whole["unknown"]["peak_activation_bytes"] == "pass 'memory' was not run"
    assert whole["unknown"]["importance_totals"] == "pass 'importance' was not run"
    assert whole["unknown"]["data"] == "the model was not run"
    product = read(Facts(strange).of_operators(["product"]))
    assert product["unknown"]["flow"] == "pass 'pathways' was not run"
    costs = analyze(CNN, passes="shape_inference")
    failed = replace(
        costs,
        passes=[*costs.passes, replace(costs.passes[0], name="cost", status="failed", reason="too odd")],
    )
    assert read(Facts(failed).of_model())["unknown"]["macs"] == "pass 'cost' failed: too odd"
    node = read(Facts(failed).of_operators(["node_conv2d"]))
    assert set(node) == {"in_total", "unknown"}
    assert node["unknown"]["flops"] == "pass 'cost' failed: too odd"


def test_a_call_has_the_sums_of_its_function() -> None:
    inside = [op("MatMul", ["a", "w"], ["m"], name="mm"), op("Relu", ["m"], ["b"])]
    inside.insert(0, op("Constant", [], ["w"], value=tensor("w", [[1.0] * 4] * 4)))
    made = model([call("block", "x", "y")], functions=[function("block", inside)], domains=["local"])
    report = analyze(made, passes="cost,weight_statistics")
    found = read(Facts(report).of_operators([node.id for node in report.nodes]))
    assert (found["operators"], found["macs"], found["parameters"]) == (2, 16, 16)
    assert found["other_flops"] == sum(node.other_flops or 0 for node in report.nodes)
    assert found["status"] == "exact"


def test_a_call_of_which_a_part_is_unknown_has_no_sum() -> None:
    inside = [op("Strange", ["a"], ["m"], name="odd", domain="elsewhere"), op("Relu", ["m"], ["b"])]
    made = model(
        [call("block", "x", "y")], functions=[function("block", inside)], domains=["local", "elsewhere"]
    )
    report = analyze(made, passes="cost")
    found = read(Facts(report).of_operators([node.id for node in report.nodes]))
    assert found["status"] == "unknown"
    assert "macs" not in found
    assert found["unknown"]["macs"].startswith("'block_0/odd': ")


def test_statistics_of_weights_stand_in_where_a_layers_importance_is_not_known(report: Report) -> None:
    layer = report.layers[0]
    changed = replace(report, layers=[replace(layer, metrics=None, metrics_reason="odd"), *report.layers[1:]])
    found = read(Facts(changed).of_operators([layer.id]))
    assert found["statistics_of"] == "weights"
    assert layer.weight_metrics is not None
    assert found["utilization"] == plain(layer.weight_metrics)["utilization"]


def test_facts_that_passes_describe_stand_beside_the_others_and_a_call_has_those_of_its_operators() -> None:
    inside = [op("Relu", ["a"], ["m"], name="r"), op("Neg", ["m"], ["b"], name="n")]
    made = model([call("block", "x", "y")], functions=[function("block", inside)], domains=["local"])
    report = analyze(made, passes="cost")
    first, second = (node.id for node in report.nodes)
    rows = (
        FactRow({"depth": 7}),
        FactRow({"depth": 3, "odd": None}, first, {"odd": "why not"}),
        FactRow({"odd": None}, second, {"odd": "why not"}),
    )
    section = FactSection("Depth", (Column("depth"), Column("odd")), rows)
    facts = Facts(replace(report, extensions={"mine": section}))
    assert read(facts.of_model())["mine.depth"] == 7
    assert read(facts.of_operators([first]))["mine.depth"] == 3
    assert read(facts.of_operators([first]))["unknown"]["mine.odd"] == "why not"
    of_call = read(facts.of_operators([first, second]))
    assert of_call["mine.depth"] == {first: 3}
    assert "mine.odd" in of_call["unknown"]
