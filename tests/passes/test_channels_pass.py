"""The channels pass: its strengths are of importance where real data ran."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, parser
from oracles.annotated import annotated

from nnea_graph.channels.graph import DenseLink
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
    data = None if rows is None else {"x": np.array(rows, np.float32)}
    graph = annotated(model(), "channels,activations", data=data)
    (link,) = graph[CHANNELS].into["y"]
    assert isinstance(link.edges, DenseLink)
    np.testing.assert_allclose(link.edges.strength()[0], found)
    assert graph[STRENGTHS] == strengths
