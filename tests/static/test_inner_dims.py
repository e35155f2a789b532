"""Symbols that only appear inside a model, as its exporter writes sizes that the data decide."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper, parser

from nnea_graph import analyze
from nnea_graph.commands.request import named_dims
from nnea_graph.errors import UsageError


def test_a_symbol_inside_the_model_can_be_given() -> None:
    """VITS: a length that the data decide, called u0 by the exporter."""
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        g (float[6] x) => (float[u0, 8] y) <int64[2] shape = {1, 8}, float[u0, 8] wide> {
            places = NonZero (x)
            rows = Transpose <perm = [1, 0]> (places)
            numbers = Cast <to = 1> (rows)
            wide = Expand (numbers, shape)
            y = MatMul (wide, w)
        }
    """)
    model.graph.initializer.append(numpy_helper.from_array(np.ones((8, 8), np.float32), "w"))
    report = analyze(model, passes="cost", dims={"u0": 50}, may_run=False)
    assert report.totals.macs == 50 * 64
    assert report.dims == {"u0": 50}
    assert analyze(model, passes="cost", may_run=False).totals.macs is None
    with pytest.raises(UsageError, match="no symbolic dim 'u1'"):
        analyze(model, passes="cost", dims={"u1": 50}, may_run=False)


def test_a_dim_given_twice_is_an_error() -> None:
    with pytest.raises(UsageError, match="'batch' is given twice: 8 and 9"):
        named_dims(["batch=8", "batch=9"])
