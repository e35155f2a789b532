"""Sensitivity: the same numbers as an independent cut, run by onnxruntime; the budget; what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from model_zoo.sensitive import DATA, MODELS, points_of, report_of
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from oracles.observing import quiet_options

from nnea_graph.api.analyze import analyze
from nnea_graph.render.json import render_json
from nnea_graph.render.text.report import render_text
from nnea_graph.report import Report
from nnea_graph.report.schema.sensitivity import SensitivityPoint

Array = NDArray[Any]
CLASSES = [Path(name).stem for name in ("digits_mlp.onnx", "digits_cnn.onnx", "digits_transformer.onnx")]
FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)


@pytest.fixture(scope="module")
def mlp() -> Report:
    return report_of("digits_mlp")


@pytest.fixture(scope="module")
def cnn() -> Report:
    return report_of("digits_cnn", samples=150)


# An independent cut: weights sorted in float64 and set in the file, onnxruntime runs it.


def run(file: ModelProto, tensors: list[str], x: Array) -> list[Array]:
    present = {value.name for value in file.graph.output}
    file.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in present)
    session = onnxruntime.InferenceSession(file.SerializeToString(), quiet_options())
    outputs: list[Array] = session.run(tensors, {"x": x})
    return outputs


def cut_file(
    name: str, unit: str, chosen: Mapping[str, Callable[[Array, Array], Array]], x: Array
) -> ModelProto:
    """The model without what the functions of weight and mean |a| choose; channels with their bias."""
    file = onnx.load(MODELS / f"{name}.onnx")
    stored = {each.name: each for each in file.graph.initializer}
    nodes = [node for node in file.graph.node if node.name in chosen]
    means = run(onnx.load(MODELS / f"{name}.onnx"), [node.input[0] for node in nodes], x)
    for node, entering in zip(nodes, means, strict=True):
        axis = 1 if node.op_type == "Conv" else -1
        mean = np.abs(np.moveaxis(entering, axis, 0).reshape(entering.shape[axis], -1)).mean(
            1, dtype=np.float64
        )
        weight = numpy_helper.to_array(stored[node.input[1]]).copy()
        grouped = weight.shape[1] != mean.size
        by_row = np.broadcast_to(mean[:, None] if grouped else mean, weight.shape[:2])
        gone = chosen[node.name](weight, by_row.reshape(*weight.shape[:2], *(1,) * (weight.ndim - 2)))
        weight[gone] = 0
        stored[node.input[1]].CopyFrom(numpy_helper.from_array(weight, node.input[1]))
        for name_of_bias in node.input[2:] if unit == "channels" else ():
            bias = numpy_helper.to_array(stored[name_of_bias]).copy()
            bias[gone.reshape(len(gone), -1).all(1)] = 0
            stored[name_of_bias].CopyFrom(numpy_helper.from_array(bias, name_of_bias))
    return file


def least_weights(fraction: float, *, by_importance: bool) -> Callable[[Array, Array], Array]:
    def gone(weight: Array, mean: Array) -> Array:
        scores = np.abs(weight.astype(np.float64)) * (mean if by_importance else 1)
        order = np.argsort(scores.reshape(-1), kind="stable")[: int(fraction * weight.size + 0.5)]
        mask = np.zeros(weight.size, np.bool_)
        mask[order] = True
        return mask.reshape(weight.shape)

    return gone


def least_channels(fraction: float, *, by_importance: bool) -> Callable[[Array, Array], Array]:
    def gone(weight: Array, mean: Array) -> Array:
        scores = np.abs(weight.astype(np.float64)) * (mean if by_importance else 1)
        sums = scores.reshape(len(weight), -1).sum(1)
        mask = np.zeros(weight.shape, np.bool_)
        mask[np.argsort(sums, kind="stable")[: int(fraction * len(weight) + 0.5)]] = True
        return mask

    return gone


CUTS = {"weights": least_weights, "channels": least_channels}
LAYERS = {
    "digits_mlp": ["node_linear", "node_linear_1", "node_linear_2"],
    "digits_cnn": [
        "node_conv2d",
        "node_Conv_74",
        "node_Conv_75",
        "node_Conv_77",
        "node_Conv_79",
        "node_linear",
    ],
}


def assert_same(point: SensitivityPoint, name: str, file: ModelProto, samples: int) -> None:
    x, labels = DATA["x"][:samples], DATA["labels"][:samples]
    (before,) = run(onnx.load(MODELS / f"{name}.onnx"), ["logits"], x)
    (after,) = run(file, ["logits"], x)
    change = np.linalg.norm((after - before).astype(np.float64)) / np.linalg.norm(before.astype(np.float64))
    assert point.relative_l2 == pytest.approx(change, rel=1e-3, abs=1e-6)
    if point.relative_l2:
        assert point.sqnr_db == pytest.approx(-20 * np.log10(change), abs=0.05)
    # Two classes may be all but equal for a sample.
    one = 1.01 / samples
    assert point.agreement == pytest.approx((after.argmax(1) == before.argmax(1)).mean(), abs=one)
    assert point.accuracy == pytest.approx((after.argmax(1) == labels).mean(), abs=one)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("unit", CUTS)
def test_each_layers_numbers_are_those_of_an_independent_cut(
    name: str, unit: str, request: pytest.FixtureRequest
) -> None:
    report: Report = request.getfixturevalue(name.removeprefix("digits_"))
    samples = report.sensitivity.samples if report.sensitivity else 0
    compared = 0
    for layer in LAYERS[name]:
        for point in points_of(report, layer):
            if point.unit == unit and point.criterion != "random" and point.fraction in {0.3, 0.7}:
                gone = CUTS[unit](point.fraction, by_importance=point.criterion == "importance")
                file = cut_file(name, unit, {layer: gone}, DATA["x"][:samples])
                assert_same(point, name, file, samples)
                compared += 1
    hidden = len(LAYERS[name]) - (unit == "channels")
    assert compared == 4 * hidden


@pytest.mark.parametrize("name", LAYERS)
def test_the_whole_model_is_every_layer_by_the_same_share(name: str, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(name.removeprefix("digits_"))
    samples = report.sensitivity.samples if report.sensitivity else 0
    points = [
        each for each in points_of(report) if each.criterion != "random" and each.fraction in {0.1, 0.5}
    ]
    assert len(points) == 8
    for point in points:
        gone = CUTS[point.unit](point.fraction, by_importance=point.criterion == "importance")
        layers = LAYERS[name] if point.unit == "weights" else LAYERS[name][:-1]
        file = cut_file(name, point.unit, dict.fromkeys(layers, gone), DATA["x"][:samples])
        assert_same(point, name, file, samples)


# What it is for.


@pytest.mark.parametrize("name", CLASSES)
def test_the_least_important_half_costs_clearly_less_than_a_random_half(name: str) -> None:
    losses: dict[str, list[float]] = {"importance": [], "random": []}
    for seed in range(3):
        report = report_of(name, "sensitivity{units=weights}", 100, seed=seed, batch_size=100)
        for point in points_of(report):
            if point.fraction == 0.5 and point.criterion in losses:
                assert point.loss is not None
                losses[point.criterion].append(point.loss)
        for layer in report.layers:
            if layer.sensitivity and layer.sensitivity.points:
                half = {
                    each.criterion: each.relative_l2 or 0
                    for each in layer.sensitivity.points
                    if each.fraction == 0.5
                }
                assert half["importance"] < 0.75 * half["random"], layer.id
    assert len(losses["random"]) == 3
    assert len(set(losses["importance"])) == 1, "the seed is of the random cut alone"
    assert max(losses["importance"]) + 0.1 < min(losses["random"])


def test_the_report_ranks_layers_and_says_what_may_go(mlp: Report) -> None:
    found = mlp.sensitivity
    assert found is not None
    assert (found.samples, found.offered, found.synthetic, found.loss_of) == (450, 450, False, "accuracy")
    assert found.accuracy == pytest.approx(0.9844, abs=1e-4)
    assert found.repeat_change == 0
    assert found.planned == found.measured == 105
    by_layer = {layer.id: layer.sensitivity for layer in mlp.layers}
    ranked = sorted(by_layer.values(), key=lambda each: each.half_change or 0 if each else 0, reverse=True)
    assert [each.rank for each in ranked if each] == [1, 2, 3]
    for each in by_layer.values():
        assert each is not None
        for unit, share in (("weights", each.removable_weights), ("channels", each.removable_channels)):
            losses = {
                point.fraction: point.loss or 0
                for point in each.points
                if (point.unit, point.criterion) == (unit, "importance")
            }
            below = [
                fraction for fraction in losses if all(losses[f] < 0.01 for f in losses if f <= fraction)
            ]
            assert share == (max(below, default=0.0) if losses else None)
    last = by_layer["node_linear_2"]
    assert last is not None
    assert last.no_channels == "its channels are outputs of the model"


def test_a_recommendation_is_a_measured_one(mlp: Report) -> None:
    for finding in (each for each in mlp.findings if each.rule == "NNEA210"):
        layer = next(each for each in mlp.layers if each.id == finding.node)
        assert layer.sensitivity is not None
        assert finding.value == layer.sensitivity.removable_channels
        point = next(
            each
            for each in layer.sensitivity.points
            if (each.unit, each.criterion, each.fraction) == ("channels", "importance", finding.value)
        )
        assert point.loss is not None
        assert f"{abs(100 * point.loss):.1f} points of accuracy (98.4 %" in finding.message
        assert finding.message.endswith("measured on 450 samples")
    assert any(each.rule == "NNEA210" for each in mlp.findings)
    assert any(each.rule == "NNEA211" for each in mlp.findings)


def test_statistics_are_judged_by_what_was_measured_where_layers_are_enough(mlp: Report, cnn: Report) -> None:
    assert mlp.sensitivity is not None
    assert cnn.sensitivity is not None
    assert {each.verdict for each in mlp.sensitivity.static} == {"too few layers"}
    (found,) = [
        each for each in cnn.sensitivity.static if (each.statistic, each.of) == ("redundancy", "importance")
    ]
    pairs = [
        (layer.metrics.redundancy, layer.sensitivity.half_change)
        for layer in cnn.layers
        if layer.metrics and layer.sensitivity and layer.sensitivity.half_change is not None
    ]
    assert found.layers == len(pairs) == 6
    one, two = (np.argsort(np.argsort(values)) for values in zip(*pairs, strict=True))
    # No two are alike: 1 - 6 sum d² / (n (n² - 1)), of redundancy against how little changes.
    assert found.correlation == pytest.approx(1 - 6 * ((one - (5 - two)) ** 2).sum() / (6 * 35))


def test_made_up_data_are_marked_and_recommend_nothing() -> None:
    report = analyze(MODELS / "digits_mlp.onnx", passes="sensitivity{units=weights}")
    assert report.sensitivity is not None
    assert report.sensitivity.synthetic
    assert (report.sensitivity.loss_of, report.sensitivity.accuracy) == ("agreement", None)
    assert not {each.rule for each in report.findings} & {"NNEA210", "NNEA211", "NNEA212", "NNEA213"}
    assert "synthetic samples" in render_text(report)


def test_too_few_samples_to_see_the_limit_recommend_nothing() -> None:
    report = report_of("digits_mlp", samples=99)
    assert not {each.rule for each in report.findings} & {"NNEA210", "NNEA211", "NNEA212", "NNEA213"}


@pytest.mark.parametrize("batch_size", [7, 64])
def test_the_batch_size_changes_nothing(mlp: Report, batch_size: int) -> None:
    other = report_of("digits_mlp", "sensitivity{units=weights}", batch_size=batch_size)
    mine = [each for each in points_of(mlp) if each.unit == "weights"]
    for one, two in zip(mine, points_of(other), strict=True):
        assert one.relative_l2 == pytest.approx(two.relative_l2, rel=1e-4, abs=1e-6)
        assert one.agreement == pytest.approx(two.agreement, abs=0.0045)


def test_the_same_run_gives_the_same_bytes(mlp: Report) -> None:
    assert render_json(report_of("digits_mlp")) == render_json(mlp)


def test_points_are_plain_data(mlp: Report) -> None:
    point = points_of(mlp)[0]
    assert list(asdict(point))[:4] == ["unit", "criterion", "fraction", "removed"]
    assert sorted({each.fraction for each in points_of(mlp)}) == list(FRACTIONS)
