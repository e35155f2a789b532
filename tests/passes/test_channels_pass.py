"""The channels pass: its strengths are of importance where real data ran."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, parser

from nnea_graph.api.analyze import data_options, load
from nnea_graph.channels.graph import DenseLink
from nnea_graph.engine import run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.passes import catalogue
from nnea_graph.passes.channels import CHANNELS, STRENGTHS

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w = {1, -2, 3, 4}> { y = MatMul(x, w) }"""


def model() -> ModelProto:
    return parser.parse_model(TEXT)


@pytest.mark.parametrize(
    ("rows", "strengths", "found"),
    [
        pytest.param(None, "weights", [[1, 3], [2, 4]], id="made-up-data"),
        pytest.param([[1, 10], [-3, 10]], "importance", [[2, 30], [4, 40]], id="real-data"),
    ],
)
def test_strengths(rows: list[list[float]] | None, strengths: str, found: list[list[float]]) -> None:
    graph = load(model())
    options: dict[str, Any] = {"dims": {}, "input_shapes": {}}
    if rows is not None:
        options |= data_options(graph, {"x": np.array(rows, np.float32)}, options)
    run_passes(graph, complete(parse("channels,activations"), catalogue(), options))
    (link,) = graph[CHANNELS].into["y"]
    assert isinstance(link.edges, DenseLink)
    np.testing.assert_allclose(link.edges.strength()[0], found)
    assert graph[STRENGTHS] == strengths
