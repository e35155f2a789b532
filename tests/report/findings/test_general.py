"""Findings help: each fact once, and nothing of made-up data."""

from __future__ import annotations

from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from nnea_graph.api.analyze import analyze
from nnea_graph.report import Report
from nnea_graph.report.views.activity import constant_channels, dead_channels, yields


def chain(sizes: list[int], biases: dict[int, NDArray[np.float32]] | None = None) -> ModelProto:
    """Gemm and Relu in turn; weights are 1 / inputs, biases 0 unless given."""
    nodes, weights = [], []
    for at, (inputs, outputs) in enumerate(pairwise(sizes)):
        bias = (biases or {}).get(at, np.zeros(outputs, np.float32))
        matrix = np.full((inputs, outputs), 1 / inputs, np.float32)
        weights += [numpy_helper.from_array(matrix, f"w{at}"), numpy_helper.from_array(bias, f"b{at}")]
        nodes.append(helper.make_node("Gemm", [f"r{at}", f"w{at}", f"b{at}"], [f"h{at}"], name=f"fc{at}"))
        nodes.append(helper.make_node("Relu", [f"h{at}"], [f"r{at + 1}"]))
    ends = [
        helper.make_tensor_value_info(f"r{at}", TensorProto.FLOAT, ["N", sizes[at]])
        for at in (0, len(sizes) - 1)
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def rules(report: Report) -> list[tuple[str, str | None]]:
    return [(finding.rule, finding.node) for finding in report.findings]


def test_a_layer_with_most_macs_and_parameters_is_one_finding() -> None:
    report = analyze(chain([32, 64, 64, 4]), passes="cost,memory")
    assert rules(report) == [("NNEA201", "fc1"), ("NNEA201", "fc0")]
    assert (
        report.findings[0].message
        == "layer 'fc1' has 64.0 % of the MACs (4.10 K) and 63.7 % of the parameters (4.16 K)"
    )


def test_shares_of_many_equal_layers_are_no_finding() -> None:
    assert rules(analyze(chain([16] * 8), passes="cost,memory")) == []


GRADED = np.array([np.exp(NormalDist().inv_cdf((at + 0.5) / 32)) for at in range(32)], np.float32)


def graded(rows: NDArray[np.float32], report_on_data: bool) -> Report:  # noqa: FBT001 - one switch
    """A layer whose inputs weigh log-normally more and more and, where they run, data of four samples."""
    model = chain([32, 32])
    scale = np.repeat(GRADED[:, None], 32, axis=1).astype(np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(scale, "w0"))
    return analyze(model, data={"r0": np.tile(rows, (4, 1))} if report_on_data else None)


def test_low_utilization_is_of_importance_that_is_below_its_null() -> None:
    (found,) = [each for each in graded(GRADED, report_on_data=True).findings if each.rule == "NNEA203"]
    assert found.severity == "warning"
    assert found.value is not None
    assert found.threshold is not None
    assert found.value < found.threshold
    assert "importance" in found.message


def test_low_utilization_that_the_data_alone_make_is_no_finding() -> None:
    """One active input: as many random weights would be used no better."""
    rows = np.zeros((4, 32), np.float32)
    rows[:, 0] = 1
    report = analyze(chain([32, 32]), data={"r0": rows})
    assert not [finding for finding in report.findings if finding.rule == "NNEA203"]


DEAD = {0: np.array([-9.0, -9.0, 0, 0], np.float32)}


def test_dead_channels_cost_their_share_of_the_weights() -> None:
    report = analyze(chain([2, 4, 2], DEAD), data={"r0": np.array([[1, 2], [3, 1]], np.float32)})
    assert [finding.node for finding in report.findings if finding.rule == "NNEA207"] == ["fc0"]
    found = dead_channels(report)
    assert (found.count, found.of, found.layers, found.bytes) == (2, 6, 1, 16)  # half of 2 x 4 floats
    assert constant_channels(report).count == 0


def test_importance_for_its_cost_is_1_for_the_whole_model() -> None:
    found = yields(analyze(chain([2, 4, 2]), data={"r0": np.array([[1, 2], [3, 1]], np.float32)}))
    assert sorted(each.layer.id for each in found) == ["fc0", "fc1"]
    macs = sum(each.layer.macs or 0 for each in found)
    mean = sum((each.per_mac or 0) * (each.layer.macs or 0) for each in found) / macs
    assert mean == pytest.approx(1)
