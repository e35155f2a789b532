"""A pass among those of onnx_ir, and the same call after torch and tf2onnx: the facts stay in the model."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import pytest
import torch
from hostile.support.models import call, function, graph, model, op, tensor, typed
from model_zoo.torch_models import MLP
from onnx_ir.passes import PassManager, Sequential, common

from nnea_graph import Report, analyze, annotate
from nnea_graph.errors import ModelError, UsageError
from nnea_graph.integrations.onnx_ir import AnalyzePass
from nnea_graph.render.json import render_json

MODELS = Path(__file__).parents[2] / "models"
CNN, DIGITS = MODELS / "digits_cnn.onnx", MODELS / "digits.npz"
PREFIX = "nnea_graph."


def facts(properties: dict[str, str]) -> dict[str, Any]:
    return {
        key.removeprefix(PREFIX): json.loads(value)
        for key, value in properties.items()
        if key.startswith(PREFIX)
    }


def of_file(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Facts of the model and of its nodes by name, as plain onnx reads them."""
    proto = onnx.load(path, load_external_data=False)
    nodes = {
        node.name: facts({each.key: each.value for each in node.metadata_props}) for node in proto.graph.node
    }
    return facts({each.key: each.value for each in proto.metadata_props}), nodes


def numbers(report: Report) -> dict[str, Any]:
    """All of a report but what the file is like as a file."""
    whole: dict[str, Any] = json.loads(render_json(report))
    for name in ("path", "sha256", "size_bytes"):
        del whole["model"][name]
    return whole


def test_among_other_passes_then_saved_and_loaded(tmp_path: Path) -> None:
    made = onnx_ir.load(CNN)
    passes = Sequential(
        common.CommonSubexpressionEliminationPass(),
        AnalyzePass(DIGITS, samples=40),
        common.TopologicalSortPass(),
        common.CheckerPass(),
    )
    result = passes(made)
    assert result.modified
    assert result.model is made
    onnx_ir.save(made, tmp_path / "model.onnx")
    whole, nodes = of_file(tmp_path / "model.onnx")
    wanted = json.loads(render_json(analyze(CNN, DIGITS, samples=40)))
    known = {name: value for name, value in wanted["totals"].items() if value is not None}
    assert {name: whole[name] for name in known} == known
    assert whole["statistics_of"] == "importance"
    for node in wanted["nodes"]:
        assert {name: nodes[node["id"]][name] for name in ("macs", "flops", "status")} == {
            name: node[name] for name in ("macs", "flops", "status")
        }
    for layer in wanted["layers"]:
        assert nodes[layer["id"]]["parameters"] == layer["parameters"]
        assert nodes[layer["id"]]["utilization"] == layer["metrics"]["utilization"]


def test_facts_in_a_model_change_no_number_of_a_later_analysis(tmp_path: Path) -> None:
    made = annotate(onnx.load(CNN), analyze(CNN))
    onnx.save(made, tmp_path / "model.onnx")
    assert numbers(analyze(tmp_path / "model.onnx")) == numbers(analyze(CNN))


def test_running_again_modifies_nothing_and_new_weights_replace_the_facts() -> None:
    made, analysis = onnx_ir.load(CNN), AnalyzePass(passes="weight_statistics")
    assert analysis(made).modified
    before = dict(made.metadata_props)
    assert not analysis(made).modified
    assert dict(made.metadata_props) == before
    weight = made.graph.initializers["head.weight"]
    weight.const_value = onnx_ir.tensor(np.eye(10, 128, dtype=np.float32), name="head.weight")
    assert analysis(made).modified
    node = next(node for node in made.graph if weight in node.inputs)
    assert facts(node.metadata_props)["utilization"] == pytest.approx(10 / 1280)
    AnalyzePass(passes="shape_inference")(made)
    assert "utilization" not in facts(node.metadata_props)
    assert "macs" not in facts(made.metadata_props)


def test_a_manager_that_repeats_until_nothing_changes_comes_to_an_end() -> None:
    made = onnx_ir.load(CNN)
    manager = PassManager([common.RemoveUnusedNodesPass(), AnalyzePass(passes="cost")], steps=5)
    assert manager(made).modified
    assert not manager(made).modified


def test_the_pass_leaves_everything_else_as_it_is() -> None:
    made = onnx_ir.load(CNN)
    made.metadata_props["own"] = "mine"
    before = onnx_ir.to_proto(made)
    AnalyzePass()(made)
    for properties in (made.metadata_props, *(node.metadata_props for node in made.graph)):
        for key in [key for key in properties if key.startswith(PREFIX)]:
            del properties[key]
    assert onnx_ir.to_proto(made) == before


@pytest.fixture
def external(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "model.onnx"
    onnx.save(onnx.load(CNN), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path


def test_weights_in_another_file_are_read_where_they_lie(external: Path, tmp_path: Path) -> None:
    made = onnx_ir.load(external)
    assert any(
        isinstance(each.const_value, onnx_ir.ExternalTensor) for each in made.graph.initializers.values()
    )
    AnalyzePass()(made)
    found, wanted = facts(made.metadata_props), analyze(CNN).totals
    assert found["global_utilization"] == wanted.global_utilization
    assert found["macs"] == wanted.macs
    onnx_ir.save(made, tmp_path / "in" / "annotated.onnx")
    assert numbers(analyze(tmp_path / "in" / "annotated.onnx")) == numbers(analyze(external))


def test_weights_in_several_folders_are_one_line(external: Path, tmp_path: Path) -> None:
    made = onnx_ir.load(external)
    first = next(iter(made.graph.initializers.values())).const_value
    assert isinstance(first, onnx_ir.ExternalTensor)
    first.base_dir = tmp_path
    with pytest.raises(UsageError, match=r"external data lie in several folders \(.*onnx_ir\.save"):
        analyze(made)


def test_nodes_in_branches_have_their_own_facts_and_calls_their_functions() -> None:
    branch = {
        f"{name}_branch": graph([op(kind, ["x", "w"], ["r"], name=name)], [], [typed("r", None)])
        for name, kind in (("then", "MatMul"), ("else", "Add"))
    }
    nodes = [op("If", ["c"], ["i"], name="if", **branch), call("block", "i", "y")]
    block = function("block", [op("MatMul", ["a", "a"], ["b"]), op("Relu", ["b"], ["c"])])
    block.output[:] = ["c"]
    made = onnx_ir.from_proto(
        model(
            nodes,
            [typed("x", 4, 4), typed("c", dtype=onnx.TensorProto.BOOL)],
            weights=[tensor("w", np.ones((4, 4)))],
            functions=[block],
            domains=["local"],
        )
    )
    AnalyzePass(passes="cost")(made)
    outer = {node.op_type: node for node in made.graph}
    inner = next(iter(outer["If"].attributes["then_branch"].as_graph()))
    assert facts(inner.metadata_props)["macs"] == 64
    assert facts(outer["block"].metadata_props)["macs"] == 64
    assert facts(outer["block"].metadata_props)["operators"] == 2
    assert not any(facts(node.metadata_props) for each in made.functions.values() for node in each)


def exported() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of what it uses itself
        return torch.onnx.export(MLP().eval(), (torch.zeros(2, 20),), dynamo=True, verbose=False)


def test_after_torch(tmp_path: Path) -> None:
    program = exported()
    assert annotate(program, analyze(program)) is program
    program.save(tmp_path / "model.onnx")
    whole, nodes = of_file(tmp_path / "model.onnx")
    assert (whole["parameters"], whole["flops"], whole["dims"]) == (11_594, 2 * 22_784, {})
    assert sorted(found["parameters"] for found in nodes.values() if "parameters" in found) == [
        650,
        2_688,
        8_256,
    ]
    later = analyze(tmp_path / "model.onnx", passes="cost").totals
    assert (later.macs, later.flops) == (whole["macs"], whole["flops"])


def test_after_tf2onnx(tmp_path: Path) -> None:
    from model_zoo.keras_nets import keras, mlp  # noqa: PLC0415 - skips where there is no TensorFlow

    from nnea_graph.frontends.shared.silence import quiet  # noqa: PLC0415
    from nnea_graph.frontends.tf2onnx.imports import imported  # noqa: PLC0415

    source = mlp()
    with quiet():
        proto, _ = imported("tf2onnx", "a test").convert.from_keras(
            keras.Model(source.inputs, source.outputs)
        )
    assert annotate(proto, analyze(proto, np.ones((8, 20), np.float32))) is proto
    onnx.save(proto, tmp_path / "model.onnx")
    whole, nodes = of_file(tmp_path / "model.onnx")
    assert (whole["macs"], whole["statistics_of"]) == (11_392, "importance")
    assert sum(found["macs"] for found in nodes.values()) == 11_392


@pytest.mark.parametrize("thing", [MLP(), "model.onnx", 3])
def test_what_has_no_metadata_is_refused(thing: object) -> None:
    with pytest.raises(UsageError, match=r"has no metadata; give an onnx\.ModelProto"):
        annotate(thing, analyze(CNN, passes="shape_inference"))


def test_the_report_of_another_model_is_refused_and_nothing_is_written() -> None:
    made = onnx.load(MODELS / "digits_mlp.onnx")
    before = made.SerializeToString(deterministic=True)
    with pytest.raises(UsageError, match=r"the report of digits_cnn\.onnx is of another model"):
        annotate(made, analyze(CNN, passes="cost"))
    assert made.SerializeToString(deterministic=True) == before


def test_a_fault_of_the_model_is_one_line_behind_the_passes_own_error() -> None:
    with pytest.raises(onnx_ir.passes.PassError) as caught:
        Sequential(common.RemoveUnusedNodesPass(), AnalyzePass(passes="nonsense"))(onnx_ir.load(CNN))
    assert str(caught.value.__cause__).startswith("passes: there is no pass 'nonsense'")


def test_without_onnx_ir_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nnea_graph.integrations.onnx_ir")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        ModelError, match=r"needs onnx_ir, which is not installed: pip install 'nnea-graph\[torch\]'"
    ):
        import nnea_graph.integrations.onnx_ir  # noqa: F401, PLC0415


def test_analyzing_and_annotating_a_file_import_no_onnx_ir() -> None:
    code = (
        "import sys, onnx, nnea_graph as n; r = n.analyze(sys.argv[1], passes='cost');"
        "n.annotate(onnx.load(sys.argv[1]), r); print('onnx_ir' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, CNN], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
