"""The ten corpus models by the command line, without data: importance of every layer, or the reason why not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from hostile.support.running import Program, check
from model_zoo.shared import CORPUS, CORPUS_NAMES
from onnx import numpy_helper
from oracles.annotated import annotated
from oracles.weighing import along, expected_metrics

from nnea_graph.graph import ModelGraph
from nnea_graph.passes.activations import ACTIVATIONS
from nnea_graph.passes.importance import IMPORTANCE, MODEL_IMPORTANCE

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus in {CORPUS}: set NNEA_SHARED")

WITHOUT = {"magika": 3, "ppocr-rec": 5, "silero-vad": 9}
"""Layers that have no metrics: biases alone, and of Silero's two networks the one that does not run."""

KNOWN_REASONS = ("a bias alone, which meets no channel", "' was never computed with these data")


def ran(name: str, **options: Any) -> ModelGraph:
    return annotated(CORPUS / f"{name}.onnx", "importance", **options)


ran_once = cache(ran)


@pytest.mark.parametrize("name", CORPUS_NAMES)
def test_the_command_line_runs_it_on_synthetic_data(program: Program, name: str) -> None:
    path = CORPUS / f"{name}.onnx"
    outcome = program("run", path, "--format", "json", may_run=True)
    check(outcome, path)
    assert outcome.code in {0, 1}
    report = outcome.report
    assert (report["data"]["synthetic"], report["data"]["samples"], report["data"]["not_run"]) == (
        True,
        8,
        "",
    )
    without = [layer for layer in report["layers"] if layer["metrics"] is None]
    assert len(without) == WITHOUT.get(name, 0)
    for layer in without:
        assert layer["metrics_reason"].endswith(KNOWN_REASONS), layer["metrics_reason"]
    for layer in report["layers"]:
        if layer["metrics"] is not None:
            assert layer["metrics"]["count"] > 0
            assert layer["metrics"]["nan"] == layer["metrics"]["inf"] == 0
            assert layer["channels"]["input_importance"]


@pytest.mark.parametrize("name", CORPUS_NAMES)
def test_no_model_of_the_corpus_needs_another_process(name: str) -> None:
    """It would cost half a second: plain models are known to be small."""
    assert ran_once(name)[ACTIVATIONS].apart == ""


@pytest.mark.parametrize("name", ["ppocr-cls", "silero-vad"])
def test_the_same_run_gives_the_same_bytes_whatever_the_threads(name: str) -> None:
    """Once on all CPUs, once on one: sums in onnxruntime are cut differently, ours are not."""
    command = [sys.executable, "-m", "nnea_graph", "run", str(CORPUS / f"{name}.onnx"), "--format", "json"]
    reports = [
        subprocess.run(command, capture_output=True, check=True, preexec_fn=bound).stdout
        for bound in (None, _one_cpu)
    ]
    assert reports[0] == reports[1]


def _one_cpu() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def test_silero_is_observed_inside_its_branches() -> None:
    graph = ran_once("silero-vad")
    seen = graph[ACTIVATIONS].seen
    bodies = {producer.body for name, _ in seen if (producer := graph.producer(name)) and producer.body}
    assert any(path.count("/") > 1 for path in bodies)
    weighed = [node for node in graph if graph[node, IMPORTANCE].metrics is not None]
    assert len(weighed) == 7
    assert all(node.body for node in weighed)
    whole = graph[MODEL_IMPORTANCE].metrics
    assert whole is not None
    assert whole.entropy is not None


def stored(model: onnx.ModelProto) -> Mapping[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_minilm_is_weighed_by_what_its_integers_stand_for() -> None:
    """Every matrix: the stored int8 numbers times their scale, as Cast and Mul make it, times the mean |a|."""
    model = onnx.load(CORPUS / "minilm-int8.onnx")
    constants = stored(model)
    makers = {name: node for node in model.graph.node for name in node.output}
    graph = ran_once("minilm-int8")
    checked = 0
    for node in model.graph.node:
        made = makers.get(node.input[1]) if node.op_type == "MatMul" else None
        if made is None or made.op_type != "Mul" or makers[made.input[0]].op_type != "Cast":
            continue
        integers = constants[makers[made.input[0]].input[0]]
        assert integers.dtype == np.int8
        weight = integers.astype(np.float64) * constants[made.input[1]].astype(np.float64)
        metrics = graph[graph.node(node.name), IMPORTANCE].metrics
        x = along(weight, 0, graph[ACTIVATIONS].seen[node.input[0], 2].mean_abs).reshape(-1)
        p = x[x > 0] / x.sum()
        assert metrics is not None
        assert (metrics.count, metrics.zeros) == (x.size, int((x == 0).sum()))
        assert metrics.entropy == pytest.approx(-float((p * np.log(p)).sum()), abs=1e-6)
        checked += 1
    assert checked == 36


def test_small_layers_of_the_corpus_have_the_metrics_of_brute_force() -> None:
    """The small convolutions of the basic pitch network."""
    graph = ran_once("basic-pitch")
    constants = stored(onnx.load(CORPUS / "basic-pitch.onnx"))
    checked = 0
    for node in graph:
        weight = constants.get(node.inputs[1]) if node.op_type == "Conv" else None
        if weight is None or not 1 < weight.size <= 2000 or node.attributes.get("group", 1) != 1:
            continue
        means = graph[ACTIVATIONS].seen[node.inputs[0], 1].mean_abs
        expected = expected_metrics(along(weight, 1, means).reshape(-1))
        metrics = graph[node, IMPORTANCE].metrics
        assert metrics is not None
        assert metrics.entropy == pytest.approx(expected["entropy"], abs=1e-6)
        assert metrics.gini == pytest.approx(expected["gini"], abs=1e-4)
        assert metrics.top_share == pytest.approx(expected["top_share"], abs=1e-4)
        checked += 1
    assert checked > 2
