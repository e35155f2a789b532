"""Graphs of onnx-graphsurgeon in and out: the same numbers, and facts that survive its edits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import onnxruntime as ort
import pytest
from hostile.support.models import graph as body
from hostile.support.models import model, op, tensor, typed

import nnea_graph
from nnea_graph import NNEfficiencyAnalyzer, analyze, annotate, export_graphsurgeon, prune, to_graphsurgeon
from nnea_graph.errors import ModelError, UsageError
from nnea_graph.render.json import plain
from nnea_graph.report.metadata import PREFIX, Facts

MODELS = Path(__file__).parents[2] / "models"
CNN, DIGITS = MODELS / "digits_cnn.onnx", MODELS / "digits.npz"
STATIC = "cost,memory,weight_statistics"


def of(properties: Any) -> dict[str, Any]:
    found = {each.key: each.value for each in properties}
    return {
        key.removeprefix(PREFIX): json.loads(value) for key, value in found.items() if key.startswith(PREFIX)
    }


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_a_graph_has_the_numbers_of_the_model_that_it_was_read_from(path: Path) -> None:
    expected = analyze(path, passes=STATIC)
    found = analyze(gs.import_onnx(onnx.load(path)), passes=STATIC)
    costs = [(node.id, node.macs, node.other_flops, node.bytes, node.shapes) for node in found.nodes]
    assert costs == [
        (node.id, node.macs, node.other_flops, node.bytes, node.shapes) for node in expected.nodes
    ]
    assert plain(found.totals)["weight_totals"] == plain(expected.totals)["weight_totals"]
    assert found.totals.peak_activation_bytes == expected.totals.peak_activation_bytes


def test_nodes_have_their_facts_and_the_graph_the_totals() -> None:
    report = analyze(CNN, passes=STATIC)
    graph = to_graphsurgeon(CNN, report)
    assert graph.nnea_graph["macs"] == report.totals.macs == 1_269_504
    assert {node.name: node.nnea_graph["macs"] for node in graph.nodes} == {
        node.id: node.macs for node in report.nodes
    }
    assert "trainable_parameters" in graph.nnea_graph["unknown"]
    assert not any(name.startswith("nnea") for node in graph.nodes for name in node.attrs)


def test_facts_survive_an_edit_and_are_written_into_the_metadata() -> None:
    report = analyze(CNN, passes=STATIC)
    graph = to_graphsurgeon(CNN, report)
    dearest = max(graph.nodes, key=lambda node: node.nnea_graph["macs"])
    graph.outputs = [dearest.outputs[0]]
    graph.nodes.reverse()
    proto = export_graphsurgeon(graph.cleanup().toposort())
    onnx.checker.check_model(proto, full_check=True)
    assert 1 < len(proto.graph.node) < len(report.nodes)
    macs = {node.id: node.macs for node in report.nodes}
    assert {node.name: of(node.metadata_props)["macs"] for node in proto.graph.node} == {
        node.name: macs[node.name] for node in proto.graph.node
    }
    assert of(proto.metadata_props)["macs"] == report.totals.macs


def test_what_nobody_touches_is_written_as_annotate_writes_it_and_does_the_same() -> None:
    report = analyze(CNN, passes=STATIC)
    proto = export_graphsurgeon(to_graphsurgeon(CNN, report))
    annotated = annotate(onnx.load(CNN), report)
    assert of(proto.metadata_props) == of(annotated.metadata_props)
    assert [of(node.metadata_props) for node in proto.graph.node] == [
        of(node.metadata_props) for node in annotated.graph.node
    ]
    feeds = {"x": np.random.default_rng(0).standard_normal((2, 1, 8, 8), dtype=np.float32)}
    one, other = (
        ort.InferenceSession(each.SerializeToString()).run(None, feeds)[0] for each in (proto, annotated)
    )
    assert np.array_equal(one, other)


def test_annotate_takes_a_graph_and_leaves_its_facts_at_its_nodes() -> None:
    graph = gs.import_onnx(onnx.load(CNN))
    report = analyze(graph, passes="cost")
    assert annotate(graph, report) is graph
    expected = Facts(report)
    for node in graph.nodes:
        written = {PREFIX + name: fact for name, fact in node.nnea_graph.items()}
        assert written == {
            name: json.loads(text) for name, text in expected.of_operators([node.name]).items()
        }
    graph.nodes.pop()
    with pytest.raises(UsageError, match="another model"):
        annotate(graph, report)


def test_facts_are_attached_and_written_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    graph = gs.import_onnx(onnx.load(CNN))
    annotate(graph, analyze(graph, passes="cost"))
    export_graphsurgeon(gs.import_onnx(onnx.load(CNN)))  # to which nothing is attached
    assert "nnea_graph" not in "".join(capfd.readouterr())


def test_nodes_in_bodies_have_facts_too() -> None:
    inside = [op("MatMul", ["a", "w"], ["b"], name="mm")]
    branches = {name: body(inside, [], [typed("b", 2, 4)]) for name in ("then_branch", "else_branch")}
    nodes = [op("If", ["c"], ["y"], name="if", **branches)]
    made = model(
        nodes,
        [typed("a", 2, 4), typed("c", dtype=onnx.TensorProto.BOOL)],
        weights=[tensor("w", [[1.0] * 4] * 4)],
    )
    graph = to_graphsurgeon(made, analyze(made, passes="cost"))
    (owner,) = graph.nodes
    assert [node.nnea_graph["macs"] for node in owner.attrs["then_branch"].nodes] == [32]


def test_a_graph_is_pruned_as_its_model_is() -> None:
    proto = onnx.load(CNN)
    found, expected = (
        prune(source, DIGITS, "params=0.7", rounds=2, rivals=False, align=8, samples=200)
        for source in (gs.import_onnx(onnx.load(CNN)), proto)
    )
    sizes = [
        {each.name: list(each.dims) for each in pruned.model.graph.initializer}
        for pruned in (found, expected)
    ]
    assert sizes[0] == sizes[1] != {each.name: list(each.dims) for each in proto.graph.initializer}
    smaller = to_graphsurgeon(found.model, analyze(found.model, passes="cost"))
    assert 0 < smaller.nnea_graph["macs"] < 1_269_504


def test_an_analyzer_gives_its_model_with_what_it_found() -> None:
    analyzer = NNEfficiencyAnalyzer(CNN)
    with pytest.raises(UsageError, match="nothing is analyzed yet"):
        analyzer.to_graphsurgeon()
    report = analyzer.analyze(verbose=False, passes="cost")
    assert analyzer.to_graphsurgeon().nnea_graph["macs"] == report.totals.macs


def test_a_graph_that_cannot_be_exported_is_one_line() -> None:
    graph = gs.import_onnx(onnx.load(CNN))
    graph.outputs[0].dtype = None
    with pytest.raises(ModelError, match="onnx-graphsurgeon cannot export the graph") as caught:
        analyze(graph)
    assert "\n" not in str(caught.value)


def test_weights_in_other_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "big.onnx"
    onnx.save(onnx.load(CNN), path, save_as_external_data=True, size_threshold=0)
    report = analyze(path, passes="cost")
    with pytest.raises(ModelError, match=r"give onnx.load\(path\)"):
        to_graphsurgeon(path, report)
    assert to_graphsurgeon(onnx.load(path), report).nnea_graph["macs"] == report.totals.macs


def test_an_analysis_of_a_file_imports_no_graphsurgeon() -> None:
    asked = (
        "import sys, nnea_graph; nnea_graph.analyze(sys.argv[1], passes='cost');"
        " print('onnx_graphsurgeon' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", asked, CNN], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert "to_graphsurgeon" in nnea_graph.__all__
