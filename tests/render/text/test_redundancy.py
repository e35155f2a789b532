"""The redundancy section: what goes for nothing, what is stored twice, what is tied; silent where there is nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from rich.cells import cell_len

from nnea_graph.api.analyze import analyze
from nnea_graph.render.text.report import render_text

MODELS = Path(__file__).parents[3] / "models"


def section(text: str) -> list[str]:
    """Its lines; none where it is not there."""
    lines = text.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("Redundancy")]
    return lines[starts[0] : lines.index("", starts[0])] if starts else []


def planted() -> ModelProto:
    """The MLP with a dead, a cloned and an unread unit, and nearly a multiple."""
    model = onnx.load(MODELS / "digits_mlp.onnx")
    stored = {each.name: each for each in model.graph.initializer}
    first, second = [node for node in model.graph.node if node.op_type == "Gemm"][:2]
    names = (*first.input[1:3], second.input[1])
    weight, bias, after = (numpy_helper.to_array(stored[name]).copy() for name in names)
    weight[3], bias[3] = 0, -1
    weight[7], bias[7] = weight[2], bias[2]
    weight[9], bias[9] = 1.01 * weight[2], bias[2]
    after[:, 20] = 0
    for name, values in zip(names, (weight, bias, after), strict=True):
        stored[name].CopyFrom(numpy_helper.from_array(values, name))
    return model


def test_channels_are_counted_by_layer_with_what_they_take() -> None:
    report = analyze(planted())
    lines = section(render_text(report))
    assert lines[0] == "Redundancy (from the weights alone: valid for any input)"
    taken = 3 * 4 * (64 + 128)
    assert (
        lines[1].split()
        == f"lossless {taken / 1024:.2f} KiB 3 channels and 576 MACs: no output changes".split()
    )
    assert "1 channel and 192 MACs, nearly parallel to others" in " ".join(" ".join(lines).split())
    assert "nnea-graph prune MODEL --target exact -o SMALLER.onnx" in " ".join(" ".join(lines).split())
    rows = [line.split() for line in lines if line.startswith("  hidden") or "256" in line.split()]
    assert [row[1:6] for row in rows] == [["256", "1", "0", "1", "1"]]
    assert rows[0][-1] == "1"
    assert report.findings[0].rule == "NNEA221"  # before anything that has a price
    text = " ".join(render_text(report).split())
    assert "NNEA221" in text
    assert "--target exact" in text[text.index("NNEA221") :]


def tied(*, twice: bool) -> ModelProto:
    words = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    stored = [numpy_helper.from_array(words, "words")]
    stored += [numpy_helper.from_array(np.ascontiguousarray(words.T), "turned")] if twice else []
    nodes = [helper.make_node("Gather", ["words", "x"], ["v"], name="embed")]
    if twice:
        nodes.append(helper.make_node("MatMul", ["v", "turned"], ["y"], name="head"))
    else:
        nodes.append(helper.make_node("Gemm", ["v", "words"], ["y"], name="head", transB=1))
    x = helper.make_tensor_value_info("x", TensorProto.INT64, [6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [6, 40])
    graph = helper.make_graph(nodes, "g", [x], [y], initializer=stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def test_a_tensor_that_is_stored_twice_and_one_that_is_tied() -> None:
    lines = section(render_text(analyze(tied(twice=True))))
    assert lines[1].split()[:3] == ["lossless", "2.50", "KiB"]
    assert lines[-1].split() == ["transposed", "turned", "duplicates", "words:", "2.50", "KiB"]
    report = analyze(tied(twice=False))
    assert report.redundancy is not None
    assert [(each.tensor, each.readers, each.bytes) for each in report.redundancy.tied] == [
        ("words", ["embed", "head"], 2560)
    ]
    lines = section(render_text(report))
    assert lines[1:] == ["  tied                  words (2.50 KiB) is stored once and read by embed, head"]


def test_nothing_is_said_of_nothing_but_where_it_was_asked_for() -> None:
    assert section(render_text(analyze(MODELS / "digits_cnn.onnx"))) == []
    lines = section(render_text(analyze(MODELS / "digits_cnn.onnx", passes="redundancy")))
    assert lines == ["Redundancy (no removable channel or duplicate tensor)"]


@pytest.mark.parametrize("width", [72, 80, 120])
def test_it_fits_the_page(width: int) -> None:
    for model in (planted(), tied(twice=True), tied(twice=False)):
        assert all(cell_len(line) <= width for line in section(render_text(analyze(model), width=width)))


def test_equal_biases_are_left_to_their_layers() -> None:
    """Freshly made networks have the same zeros in all of them."""
    rng = np.random.default_rng(0)
    stored = [
        numpy_helper.from_array(values, name)
        for layer in "abc"
        for name, values in (
            (f"{layer}.w", rng.normal(size=(300, 300)).astype(np.float32)),
            (f"{layer}.b", np.zeros(300, np.float32)),
        )
    ]
    nodes = [
        helper.make_node("Gemm", [source, f"{layer}.w", f"{layer}.b"], [target], name=layer)
        for source, layer, target in (("x", "a", "r"), ("r", "b", "s"), ("s", "c", "y"))
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 300]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], initializer=stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    report = analyze(model)
    assert section(render_text(report)) == []
    assert "NNEA220" not in {each.rule for each in report.findings}
