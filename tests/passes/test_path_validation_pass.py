"""Validation of paths: what is tried, against what, and when it says that it was not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile.support.models import graph, model, op, tensor, typed
from onnx import ModelProto, numpy_helper
from oracles.annotated import annotated

from nnea_graph.api.analyze import load
from nnea_graph.engine import RunContext
from nnea_graph.errors import UsageError
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.activations import ACTIVATIONS
from nnea_graph.passes.cost import MODEL_COST
from nnea_graph.passes.path_validation import PATH_VALIDATION, PathValidationFact, PathValidationPass
from nnea_graph.passes.pathways import PATHWAYS
from nnea_graph.render.page import Page
from nnea_graph.render.text.path_validation import validation
from nnea_graph.render.text.pathways import pathways
from nnea_graph.report.assembly.build import build_report
from nnea_graph.report.sections.path_validation import validation_of

MODELS = Path(__file__).parents[2] / "models"

# Class 0 comes through h0, class 1 through h1; h2 and h3 carry next to nothing.
STRONG = model(
    [op("MatMul", ["x", "w"], ["h"]), op("Relu", ["h"], ["a"]), op("MatMul", ["a", "v"], ["y"])],
    [typed("x", "n", 2)],
    [typed("y", "n", 2)],
    [
        tensor("w", np.array([[9, 0, 0.01, 0.01], [0, 9, 0.01, 0.01]])),
        tensor("v", np.array([[9, 0], [0, 9], [0.01, 0.01], [0.01, 0.01]])),
    ],
)
X = np.eye(2, dtype=np.float32).repeat(10, 0)
LABELS = np.arange(2).repeat(10)


def run(
    proto: ModelProto, text: str = "path_validation,pathways{k=2}", data: Any = None, **options: Any
) -> ModelGraph:
    return annotated(proto, text, data=data, **options)


def found(*arguments: Any, **options: Any) -> PathValidationFact:
    return run(*arguments, **options)[PATH_VALIDATION]


def test_units_that_carry_everything_are_told_from_those_that_carry_nothing() -> None:
    tried = found(STRONG, "path_validation{repeats=20},pathways{k=2}", {"x": X, "labels": LABELS})
    assert (tried.samples, tried.complete, tried.accuracy, tried.output) == (20, True, 1.0, "y")
    (layer,) = tried.layers
    assert (layer.tensor, layer.place, layer.units, layer.channels) == ("h", "a", 2, 4)
    assert tried.removed is not None
    assert tried.kept is not None
    assert tried.removed.paths.relative_l2 == pytest.approx(1, abs=1e-4)
    kept = tried.kept.paths
    assert kept.relative_l2 == pytest.approx(0, abs=1e-4)
    assert (kept.agreement, kept.accuracy) == (1, 1)
    assert tried.removed.importance == tried.removed.marginal == tried.removed.paths
    changes = [draw.relative_l2 for draw in tried.removed.random]
    assert len(changes) == 20
    assert min(changes) == pytest.approx(0, abs=1e-4)  # type: ignore[type-var]


def test_the_numbers_are_those_of_a_model_without_these_weights() -> None:
    """The units on the best paths of the digits MLP, taken out by hand."""
    file = MODELS / "digits_mlp.onnx"
    graph = run(onnx.load(file), "path_validation,pathways{k=10}", MODELS / "digits.npz")
    held = np.load(MODELS / "digits.npz")
    values = {each.name: numpy_helper.to_array(each) for each in onnx.load(file).graph.initializer}
    nodes = [node for node in onnx.load(file).graph.node if node.op_type == "Gemm"]

    def logits(off: dict[int, list[int]]) -> Any:
        a = held["x"].reshape(450, 64).astype(np.float64)
        for node in nodes:
            weight, bias = values[node.input[1]], values[node.input[2]]
            a = a @ weight.T + bias
            if node is not nodes[-1]:
                a = np.maximum(a, 0)
                a[:, off.get(len(bias), [])] = 0
        return a

    units: dict[int, set[int]] = {256: set(), 128: set()}
    for path in graph[PATHWAYS].paths:
        for size, unit in zip(units, path.units[1:-1], strict=True):
            units[size].add(unit.channel)
    before, after = logits({}), logits({size: sorted(each) for size, each in units.items()})
    tried = graph[PATH_VALIDATION]
    assert tried.removed is not None
    assert tried.removed.paths.relative_l2 == pytest.approx(
        np.linalg.norm(after - before) / np.linalg.norm(before), rel=1e-4
    )
    assert tried.removed.paths.accuracy == (after.argmax(1) == held["labels"]).mean()
    assert tried.removed.paths.agreement == (after.argmax(1) == before.argmax(1)).mean()
    assert tried.accuracy == (before.argmax(1) == held["labels"]).mean()


def test_batches_do_not_matter() -> None:
    one, all_ = (found(STRONG, data={"x": X, "labels": LABELS}, batch_size=size) for size in (1, 20))
    assert one.removed is not None
    assert all_.removed is not None
    assert one.removed.paths.relative_l2 == pytest.approx(all_.removed.paths.relative_l2)
    assert one.removed.paths.accuracy == all_.removed.paths.accuracy


def test_without_labels_accuracy_is_not_known() -> None:
    tried = found(STRONG, data={"x": X})
    assert tried.accuracy is None
    assert tried.removed is not None
    assert tried.removed.paths.accuracy is None
    assert tried.removed.paths.agreement is not None


@pytest.mark.parametrize(
    ("options", "request_", "reason"),
    [
        ("", {}, "there are no data: give --data"),
        (
            "",
            {"data": {"x": X}, "limits": Limits(activation_bytes=1)},
            r"one run takes \d+ bytes of activations at",
        ),
        ("{seconds=0}", {"data": {"x": X}}, "time"),
    ],
    ids=["no-data", "not-run-before", "time"],
)
def test_it_says_why_nothing_was_validated(options: str, request_: dict[str, Any], reason: str) -> None:
    graph = run(STRONG, f"path_validation{options},pathways{{k=2}}", **request_)
    tried = graph[PATH_VALIDATION]
    assert tried.removed is None
    assert tried.kept is None
    assert re.search(reason, tried.not_validated)


def test_work_that_is_counted_decides_how_many_samples_are_tried() -> None:
    totals = run(STRONG)[MODEL_COST].totals
    runs = 1 + 2 * (3 + 5)  # whole; without and with nothing but: paths, importance, marginal, five at random
    batch = 4 * runs * (totals.macs + totals.other_flops)
    seconds = 2.5 * batch / 10_000_000_000
    tried = found(STRONG, f"path_validation{{seconds={seconds}}},pathways{{k=2}}", {"x": X}, batch_size=4)
    assert (tried.samples, tried.complete) == (8, False)


def test_a_model_of_unknown_cost_is_run_in_another_process_to_the_same_end() -> None:
    """A loop whose trips only the data tell stands beside the network."""
    body = graph(
        [op("Identity", ["c"], ["c2"]), op("Add", ["s", "s"], ["s2"])],
        [typed("i", dtype=7), typed("c", dtype=9), typed("s", "n", 2)],
        [typed("c2", dtype=9), typed("s2", "n", 2)],
    )
    doubtful = model(
        [*STRONG.graph.node, op("Loop", ["n", "", "x"], ["z"], body=body)],
        [*STRONG.graph.input, typed("n", dtype=7)],
        [*STRONG.graph.output, typed("z", "n", 2)],
        STRONG.graph.initializer,
    )
    made = run(doubtful, data={"x": X, "n": np.array(2), "labels": LABELS})
    assert made[ACTIVATIONS].apart
    here, there = found(STRONG, data={"x": X, "labels": LABELS}), made[PATH_VALIDATION]
    assert there.not_validated == ""
    assert there.removed is not None
    assert here.removed is not None
    assert there.removed.paths == here.removed.paths


def test_layers_that_are_on_the_paths_as_a_whole_are_left_out() -> None:
    tried = found(STRONG, "path_validation,pathways{k=1000}", {"x": X})
    assert tried.not_validated == "no unit on the paths can be compared: all its units are on the paths"
    assert tried.left_out == {"h": "all its units are on the paths"}


def test_a_model_without_hidden_units_is_not_validated() -> None:
    proto = model(
        [op("MatMul", ["x", "w"], ["y"])],
        [typed("x", "n", 2)],
        [typed("y", "n", 2)],
        [tensor("w", np.eye(2))],
    )
    assert found(proto, data={"x": X}).not_validated == (
        "no unit on the paths can be compared: there are none between the ends"
    )


def test_no_draw_is_no_comparison() -> None:
    with pytest.raises(UsageError, match="repeats=0; draw at least 1"):
        PathValidationPass(repeats=0).run(load(STRONG), RunContext())


def lines(graph: ModelGraph) -> list[str]:
    page = Page(build_report(graph, [], ""), 80)
    return [line.plain for line in (*pathways(page), *validation(page))]


def test_text_without_data_says_not_validated() -> None:
    shown = lines(run(STRONG))
    assert "  validation            not validated: there are no data: give --data" in shown
    assert not [line for line in shown if line.startswith("Validation")]


def test_text_with_data_has_every_baseline_and_claims_what_was_counted() -> None:
    shown = lines(run(STRONG, "path_validation,pathways{k=2}", {"x": X, "labels": LABELS}))
    shown = shown[shown.index("Validation of the paths by ablation (20 samples; output y)") - 1 :]
    assert shown[4].split() == ["whole", "model", "0", "100.0", "100.0"]
    assert any(
        line.split() == ["the", "units", "on", "the", "paths", "100.0", "50.0", "50.0"] for line in shown
    )
    assert "the 2 units on the paths in 1 layer changes the output" in " ".join(shown[-2:])


def test_the_report_counts_the_draws_that_changed_less() -> None:
    graph = run(STRONG, "path_validation{repeats=20},pathways{k=2}", {"x": X})
    described, tried = validation_of(graph), graph[PATH_VALIDATION]
    assert described is not None
    assert tried.removed is not None
    assert described.removed is not None
    changes = [draw.relative_l2 or 0 for draw in tried.removed.random]
    assert described.removed.rank == sum(
        change < (tried.removed.paths.relative_l2 or 0) for change in changes
    )
    assert described.removed.random_low.change == min(changes)
    assert described.removed.random_mean.change == pytest.approx(np.mean(changes))
    assert described.removed.random_low.accuracy is None
