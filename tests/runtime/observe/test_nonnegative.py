"""Tensors that can hold no negative number."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import parser

from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.runtime.observe.nonnegative import never_negative


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        pytest.param("y = Relu (x)", True, id="relu"),
        pytest.param("y = HardSwish (x)", False, id="hard-swish"),
        pytest.param("a = Relu (x) y = Add (a, x)", False, id="sum with an open one"),
        pytest.param("a = Relu (x) b = Sigmoid (x) y = Add (a, b)", True, id="sum of two"),
        pytest.param("a = Relu (x) b = Relu (x) y = Sub (a, b)", False, id="difference"),
        pytest.param("a = Softmax (x) y = Transpose (a)", True, id="moved"),
        pytest.param("y = Identity (x)", False, id="an input"),
        pytest.param("y = Clip (x, low)", True, id="clipped at 0"),
        pytest.param("y = Clip (x, below)", False, id="clipped at -1"),
        pytest.param("y = Clip (x)", False, id="clipped nowhere"),
        pytest.param("y = MaxPool <kernel_shape = [1]> (x)", False, id="pool of an open one"),
    ],
)
def test_sign(tmp_path: Path, body: str, holds: bool) -> None:  # noqa: FBT001 - a column of the table
    path = tmp_path / "model.onnx"
    text = f"""
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N, C, W] x) => (y) <float low = {{0}}, float below = {{-1}}> {{ {body} }}
    """
    onnx.save(parser.parse_model(text), path)
    assert ("y" in never_negative(load_onnx(path))) is holds
