"""Quantization: the ranking of onnxruntime's own tools; what must stay in floats; what is said where."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from oracles.observing import ROOT, quiet_options

from nnea_graph.api.analyze import analyze
from nnea_graph.errors import UsageError
from nnea_graph.render.text.report import render_text
from nnea_graph.report import Report
from nnea_graph.report.schema.quantization import ModelQuantization, OutputLoss
from nnea_graph.runtime.perturb.quantized_runs import fewest
from nnea_graph.stats.ranking import rank_correlation

Array = NDArray[Any]
MODELS = ROOT / "models"
SAMPLES = 150
DATA = {key: values[:SAMPLES] for key, values in np.load(MODELS / "digits.npz").items()}


def report_of(source: str | ModelProto, options: str = "", batch_size: int = 150) -> Report:
    path = MODELS / f"{source}.onnx" if isinstance(source, str) else source
    return analyze(path, passes=f"quantization{{{options}}}", data=DATA, batch_size=batch_size)


def model_of(report: Report) -> ModelQuantization:
    assert report.quantization is not None
    return report.quantization


def alone(report: Report, form: str) -> dict[str, OutputLoss]:
    return {
        layer.id: each.output
        for layer in report.layers
        if layer.quantization
        for each in layer.quantization.formats
        if each.format == form and each.output
    }


@pytest.fixture(scope="module")
def reports() -> Mapping[str, Report]:
    return {name: report_of(name) for name in ("digits_cnn", "digits_transformer")}


# Brute force by onnxruntime's own tools.


class Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self.feeds: Iterator[dict[str, Array]] = iter([{"x": DATA["x"]}])

    def get_next(self) -> dict[str, Array] | None:
        return next(self.feeds, None)


def logits(model: Path | ModelProto) -> Array:
    """Run as written: onnxruntime's fusions may round activations as well."""
    options = quiet_options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    given = str(model) if isinstance(model, Path) else model.SerializeToString()
    (found,) = onnxruntime.InferenceSession(given, options).run(["logits"], {"x": DATA["x"]})
    return np.asarray(found, np.float64)


def change_by_static(name: str, layer: str, folder: Path) -> float:
    """Of the outputs with one layer's weights in int8 by channel; activations keep 16 bits, which change nothing."""
    quantize_static(
        MODELS / f"{name}.onnx",
        folder / f"{layer}.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ,
        nodes_to_quantize=[layer],
        op_types_to_quantize=["Conv", "Gemm", "MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt16,
    )
    before = logits(MODELS / f"{name}.onnx")
    return float(np.linalg.norm(logits(folder / f"{layer}.onnx") - before) / np.linalg.norm(before))


@pytest.mark.parametrize("name", ["digits_cnn", "digits_transformer"])
def test_layers_rank_as_when_onnxruntimes_tool_quantizes_each_alone(
    name: str, reports: Mapping[str, Report], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    found = alone(reports[name], "int8_channel")
    mine = [each.relative_l2 or 0.0 for each in found.values()]
    theirs = [change_by_static(name, layer, tmp_path) for layer in found]
    assert len(mine) == {"digits_cnn": 6, "digits_transformer": 10}[name]
    correlation = rank_correlation(mine, theirs)
    assert correlation is not None
    assert correlation >= 0.95
    np.testing.assert_allclose(mine, theirs, rtol=0.02)
    ranks = {layer.id: layer.quantization.rank for layer in reports[name].layers if layer.quantization}
    assert [
        ranks[layer] for layer in sorted(found, key=lambda each: -theirs[list(found).index(each)])[:3]
    ] == [
        1,
        2,
        3,
    ]


def test_int4_changes_what_onnxruntimes_quantizer_changes(reports: Mapping[str, Report]) -> None:
    found = alone(reports["digits_transformer"], "int4_block32")
    before = logits(MODELS / "digits_transformer.onnx")
    products = [name for name in found if name.startswith("node_MatMul")]
    assert len(products) == 7
    for name in products:
        tool = MatMulNBitsQuantizer(
            onnx.load(MODELS / "digits_transformer.onnx"),
            block_size=32,
            nodes_to_exclude=[other for other in products if other != name],
        )
        tool.process()
        after = logits(tool.model.model)
        change = np.linalg.norm(after - before) / np.linalg.norm(before)
        assert found[name].relative_l2 == pytest.approx(change, rel=0.02)


# What must stay in floats.


def spoiled(size: float) -> ModelProto:
    """The MLP with weights on a pixel that is always 0: the same function, but one layer has no levels left."""
    model = onnx.load(MODELS / "digits_mlp.onnx")
    stored = {each.name: each for each in model.graph.initializer}
    first = next(node for node in model.graph.node if node.name == "node_linear")
    weight = numpy_helper.to_array(stored[first.input[1]]).copy()
    never = np.flatnonzero(~DATA["x"].reshape(SAMPLES, -1).any(0))[0]
    weight[:, never] = size
    stored[first.input[1]].CopyFrom(numpy_helper.from_array(weight, first.input[1]))
    return model


def test_the_fewest_layers_that_must_stay_in_floats_are_found_by_running() -> None:
    report = report_of(spoiled(1000.0))
    found = model_of(report)
    by_name = {each.format: each for each in found.kept}
    for name in ("int8", "int8_channel"):
        kept = by_name[name]
        assert kept.layers == ["node_linear"]
        losses = {trial.kept: trial.output.loss or 0.0 for trial in kept.tried}
        assert losses[0] > 0.5
        assert losses[1] < 0.01
        whole = next(each for each in found.formats if each.format == name)
        assert kept.bytes == whole.bytes + 4 * 64 * 256 - (
            64 * 256 + 4 * (256 if name == "int8_channel" else 1)
        )
    findings = [each for each in report.findings if each.rule == "NNEA231"]
    assert [each.node for each in findings] == ["node_linear", "node_linear"]
    assert all("with 'node_linear' in float" in each.message for each in findings)
    (spread,) = [each for each in report.layers if each.id == "node_linear"]
    assert spread.quantization is not None
    assert spread.quantization.rank == 1
    assert spread.quantization.crest == pytest.approx(8.0, rel=0.01)
    assert "Quantization of weights (measured on 150 samples)" in render_text(report)


def test_where_nothing_is_lost_nothing_is_kept(reports: Mapping[str, Report]) -> None:
    for report in reports.values():
        kept = {each.format: each for each in model_of(report).kept}
        assert kept["int8_channel"].layers == []
        assert [trial.kept for trial in kept["int8_channel"].tried] == [0]
        assert any(each.rule == "NNEA230" for each in report.findings)


@pytest.mark.parametrize("most", range(12))
def test_the_search_finds_the_first_that_reaches(most: int) -> None:
    for first in range(most + 1):
        asked: list[int] = []

        def reaches(count: int, first: int = first, asked: list[int] = asked) -> bool:
            asked.append(count)
            return count >= first

        assert fewest(reaches, most) == first
        assert most not in asked
        assert len(asked) == len(set(asked)) <= 2 + 2 * most.bit_length()


def test_a_search_that_is_cut_short_gives_nothing() -> None:
    assert fewest(lambda count: None if count > 1 else False, 9) is None


# What is said.


def test_what_float16_cannot_hold_is_a_warning() -> None:
    report = report_of(spoiled(1e5))
    (finding,) = [each for each in report.findings if each.rule == "NNEA232"]
    assert finding.message == "layer 'node_linear': 256 weights beyond the range of float16"
    half = next(each for each in model_of(report).formats if each.format == "float16")
    assert half.output is not None
    assert (half.output.relative_l2, half.output.reason) == (None, "outputs are no longer finite")


def test_weights_that_float16_keeps_few_digits_of_are_told() -> None:
    model = onnx.load(MODELS / "digits_mlp.onnx")
    stored = {each.name: each for each in model.graph.initializer}
    last = next(node for node in model.graph.node if node.name == "node_linear_2")
    small = numpy_helper.to_array(stored[last.input[1]]) * np.float32(2.0**-14)
    stored[last.input[1]].CopyFrom(numpy_helper.from_array(small, last.input[1]))
    report = report_of(model)
    (finding,) = [each for each in report.findings if each.rule == "NNEA233"]
    assert finding.node == "node_linear_2"
    assert finding.value == pytest.approx(np.mean((np.abs(small) < 2.0**-14) & (small != 0)))


def test_one_scale_is_told_where_channels_differ() -> None:
    model = onnx.load(MODELS / "digits_mlp.onnx")
    stored = {each.name: each for each in model.graph.initializer}
    first = next(node for node in model.graph.node if node.name == "node_linear")
    uneven = numpy_helper.to_array(stored[first.input[1]]).copy()
    uneven[3, 5] = 100 * np.abs(uneven).max()
    uneven *= np.where(np.arange(256) == 3, 0.1, 1)[:, None]
    stored[first.input[1]].CopyFrom(numpy_helper.from_array(uneven.astype(np.float32), first.input[1]))
    before, after = (
        {each.node: each.value or 0.0 for each in report_of(given).findings if each.rule == "NNEA234"}
        for given in ("digits_mlp", model)
    )
    assert "node_linear" not in before
    assert after["node_linear"] >= 12


def test_with_little_time_less_is_measured_and_that_is_said() -> None:
    report = report_of("digits_transformer", "seconds=0.05", batch_size=1)
    found = model_of(report)
    assert found.measured < found.planned == 55
    assert f"{found.measured} of 55 runs fitted into the budget of work" in " ".join(
        render_text(report).split()
    )
    assert all(each.layers is None and each.reason for each in found.kept if each.format == "int4_block128")
    assert all(
        layer.quantization.formats
        for layer in report.layers
        if layer.id.startswith("node_MatMul") and layer.quantization
    )


def test_made_up_data_are_marked_and_recommend_nothing() -> None:
    report = analyze(MODELS / "digits_mlp.onnx", passes="quantization")
    assert model_of(report).synthetic
    assert "synthetic samples" in render_text(report)
    assert not {each.rule for each in report.findings} & {"NNEA230", "NNEA231"}


def test_weights_in_few_bits_already_are_left_alone() -> None:
    tool = MatMulNBitsQuantizer(onnx.load(MODELS / "digits_transformer.onnx"), block_size=32)
    tool.process()
    report = report_of(onnx.load_model_from_string(tool.model.model.SerializeToString()))
    reasons = {layer.quantization.reason for layer in report.layers if layer.quantization}
    assert "MatMulNBits unpacks its weights by itself: they are stored in few bits already" in reasons
    assert len(alone(report, "int8_channel")) == 3  # the Gemms


@pytest.mark.parametrize("option", ["seconds=0", "loss=-1"])
def test_options_out_of_range_are_refused(option: str) -> None:
    name = option.partition("=")[0]
    with pytest.raises(UsageError, match=f"option '{name}' of pass 'quantization' is above 0"):
        report_of("digits_mlp", option)
