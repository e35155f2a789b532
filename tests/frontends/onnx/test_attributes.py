"""Attributes as plain Python values, checked against the operator's own schema."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hostile.support.models import graph, model, op, tensor, typed
from onnx import AttributeProto, helper

from nnea_graph.errors import OperatorError
from nnea_graph.frontends.onnx.attributes import attributes_of, schema_of
from nnea_graph.frontends.onnx.file import OnnxFile
from nnea_graph.graph import Constant

FILE = OnnxFile.from_proto(model([]))


def read(op_type: str, domain: str = "", **attributes: Any) -> dict[str, Any]:
    node = op(op_type, ["x"], ["y"], domain=domain, **attributes)
    return attributes_of(node, "odd", 21, domain, FILE)


def test_every_kind_has_its_python_value() -> None:
    found = read("Odd", i=1, f=0.5, s="text", ints=[1, 2], floats=[0.5], strings=["a", "b"])
    assert found == {"i": 1, "f": 0.5, "s": "text", "ints": [1, 2], "floats": [0.5], "strings": ["a", "b"]}


def test_tensors_are_constants() -> None:
    found = read("Odd", t=tensor("", [[1.0, 2.0]]), ts=[tensor("", [3.0])])
    assert isinstance(found["t"], Constant)
    assert found["t"].array().tolist() == [[1.0, 2.0]]
    assert found["ts"][0].array().tolist() == [3.0]


def test_sparse_tensors_are_constants() -> None:
    sparse = helper.make_sparse_tensor(tensor("v", [5.0]), tensor("i", [2], np.int64), [4])
    assert read("Odd", s=sparse)["s"].array().tolist() == [0, 0, 5, 0]


def test_graphs_are_left_out() -> None:
    assert read("Odd", g=graph([], [], [typed("z", 1)])) == {}


def test_bytes_that_are_no_text_are_escaped() -> None:
    assert read("Odd", s=b"\xff")["s"] == "\\xff"


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"axis": 1.5}, "attribute 'axis' is FLOAT, the operator defines INT"),
        ({"axis": [1]}, "attribute 'axis' is INTS, the operator defines INT"),
        ({"other": 1}, "the operator has no attribute 'other'"),
    ],
)
def test_what_the_operator_does_not_define_is_refused(attributes: dict[str, Any], said: str) -> None:
    with pytest.raises(OperatorError, match=rf"node 'odd' \(Softmax\): {said}"):
        read("Softmax", **attributes)


def test_a_reference_outside_a_function_is_refused() -> None:
    node = op("Softmax", ["x"], ["y"])
    node.attribute.append(AttributeProto(name="axis", type="INT", ref_attr_name="a"))
    with pytest.raises(OperatorError, match="refers to one of a function"):
        attributes_of(node, "odd", 21, "", FILE)


def test_operators_that_onnx_does_not_define_may_have_any_attribute() -> None:
    assert schema_of("Relu", 21, "com.microsoft") is None
    assert read("Relu", "com.microsoft", anything=1) == {"anything": 1}


def test_the_schema_is_that_of_the_version() -> None:
    node = op("Dropout", ["x"], ["y"], ratio=0.5)
    assert attributes_of(node, "odd", 11, "", FILE) == {"ratio": 0.5}
    with pytest.raises(OperatorError, match="no attribute 'ratio'"):
        attributes_of(node, "odd", 12, "", FILE)
