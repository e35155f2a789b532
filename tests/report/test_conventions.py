"""What the report says of how its numbers came about."""

from __future__ import annotations

from pathlib import Path

from oracles.int8_products import int8_model

from nnea_graph import analyze
from nnea_graph.ops.int8_products import EXACT_PRODUCTS
from nnea_graph.render.text.report import render_text

MODELS = Path(__file__).parents[2] / "models"


def test_the_kernels_are_named_where_something_quantized_was_run() -> None:
    quantized = int8_model("QLinearMatMul").proto
    report = analyze(quantized)
    assert report.conventions["int8"] == EXACT_PRODUCTS
    assert "never in kernels that add products" in " ".join(render_text(report).split())
    assert "int8" not in analyze(quantized, may_run=False).conventions
    assert "int8" not in analyze(MODELS / "digits_mlp.onnx").conventions
