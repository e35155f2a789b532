"""The public API as a caller writes it. It is never run: mypy and pyright check it, see ``.ci/run``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import onnx
from matplotlib.figure import Figure
from numpy.typing import NDArray

import nnea_graph
from nnea_graph import (
    LayerAnalysis,
    NNEfficiencyAnalyzer,
    Report,
    Visualizer,
    analyze,
    annotate,
    prune,
    prune_plan,
    quick_analyze,
)

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


def version() -> None:
    assert_type(nnea_graph.__version__, str)


def of_a_report(images: Images) -> None:
    report = analyze(
        "model.onnx",
        {"x": images},
        "+sensitivity",
        dims={"batch": 8},
        input_shapes={"x": (1, 3, 224, 224)},
        training="exact",
        frozen=["backbone*"],
        samples=100,
        may_run=True,
    )
    assert_type(report, Report)
    assert_type(report.totals.macs, int | None)
    assert_type(report.totals.flops, int | None)
    assert_type(report.totals.training_flops, int | None)
    assert_type(report.totals.macs_formula, str | None)
    assert_type(report.totals.global_utilization, float | None)
    assert_type(report.totals.redundancy_score, float | None)
    assert_type(report.totals.peak_activation_bytes, int | None)
    assert_type(report.dims, Mapping[str, int])
    assert_type(report.assumed_dims, Sequence[str])
    assert_type([finding.rule for finding in report.findings], list[str])
    assert_type([layer.scope for layer in report.layers], list[str])
    assert_type([layer.parameters for layer in report.layers], list[int])
    used = [layer.weight_metrics.utilization for layer in report.layers if layer.weight_metrics]
    assert_type(used, list[float | None])
    if report.pathways is not None:
        assert_type([path.share for path in report.pathways.paths], list[float])


def of_sources(module: object, path: Path, proto: onnx.ModelProto, images: Images, labels: Labels) -> None:
    analyze(module, images)
    analyze(path, "data.npz", preprocess="imagenet")
    analyze(proto, (images, labels))
    analyze(proto, [images, images], "cost")


def of_the_analyzer(model: object, images: Images) -> None:
    analyzer = NNEfficiencyAnalyzer(model, framework="pytorch")
    assert_type(analyzer.analyze(images, verbose=False, batch=8), Report)
    assert_type(analyzer.report, Report)
    assert_type(analyzer.framework, str)
    assert_type(analyzer.layer_analyses, Sequence[LayerAnalysis])
    assert_type(analyzer.global_metrics["redundancy_score"], float | int | None)
    assert_type(analyzer.get_summary(), dict[str, Any])
    layer = analyzer.layer_analyses[0]
    assert_type(layer.name, str)
    assert_type(layer.metrics, Mapping[str, float | int | None])
    assert_type(layer.weights, NDArray[Any])
    assert_type(layer.importance_matrix, NDArray[np.float64])
    assert_type([path.share for path in analyzer.compute_neural_pathways(top_k=5)], list[float])
    analyzer.print_report()


def of_one_call(model: object, images: Images) -> None:
    assert_type(quick_analyze(model, images), NNEfficiencyAnalyzer)


def of_plots(analyzer: NNEfficiencyAnalyzer, report: Report) -> None:
    assert_type(Visualizer(analyzer).plot_layer_comparison(save="layers.svg"), Figure)
    assert_type(Visualizer(report).plot_pathway_flow(figsize=(8, 4)), Figure)
    assert_type(Visualizer().plot_efficiency_radar(analyzer, layer_idx=0), Figure)
    assert_type(Visualizer(analyzer).figures(), dict[str, Figure])
    assert_type(Visualizer(analyzer).save_all(Path("plots")), list[Path])


def of_pruning(model: object, images: Images, labels: Labels) -> None:
    found = prune(model, (images, labels), ["params=0.25", "macs=0.5"], align=16, keep=["head"])
    assert_type(found.model, onnx.ModelProto)
    assert_type(found.report.met, bool)
    found.plan.apply_to(model)
    prune(model, None, "exact")
    prune_plan(model)


def of_annotation(proto: onnx.ModelProto) -> None:
    assert_type(annotate(proto, analyze(proto)), onnx.ModelProto)
