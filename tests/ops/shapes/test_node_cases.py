"""Shapes of onnx's own node cases: onnx's inference, and the package's rules where that leaves them open."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from nnea_graph.graph import DTYPES, TensorInfo
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.shape_rules import SHAPE_RULES

# What comes out of these depends on the data: how much is distinct, kept, decoded, or how often a body runs.
OPEN = {"Unique", "NonMaxSuppression", "ImageDecoder", "StringSplit", "StringNormalizer", "NonZero", "Loop"}
# The first input of these is not data but a size.
SIZED = {"ConstantOfShape", "Range", "HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix"}


@dataclass(frozen=True)
class Case:
    name: str
    model: Any  # a ModelProto; protobuf's generated classes have no types of their own
    values: dict[str, NDArray[Any]]

    @property
    def node(self) -> Any:
        return self.model.graph.node[0]


@cache
def cases() -> list[Case]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx's generators overflow on purpose
        collected: list[Any] = list(collect_testcases(None))
    return [
        Case(case.name, case.model, dict(_small(case)))
        for case in collected
        if len(case.model.graph.node) == 1
    ]


def _small(case: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    node = case.model.graph.node[0]
    for info, array in zip(case.model.graph.input, case.data_sets[0][0], strict=True):
        is_data = node.input[0] == info.name and node.op_type not in SIZED
        if isinstance(array, np.ndarray | np.generic) and not is_data:
            yield info.name, np.asarray(array)


def from_onnx(case: Case) -> dict[str, TensorInfo]:
    model, node = case.model, case.node
    versions = {entry.domain: entry.version for entry in model.opset_import}
    schema = onnx.defs.get_schema(node.op_type, versions[node.domain], node.domain)
    types = {info.name: info.type for info in model.graph.input}
    data = {name: numpy_helper.from_array(array) for name, array in case.values.items()}
    found = onnx.shape_inference.infer_node_outputs(
        schema, node, types, data, None, list(model.opset_import), model.ir_version
    )
    return {name: info_of(kind) for name, kind in found.items()}


def info_of(kind: onnx.TypeProto) -> TensorInfo:
    tensor = kind.tensor_type
    dtype = DTYPES.get(tensor.elem_type)
    if not tensor.HasField("shape"):
        return TensorInfo(dtype, None)
    return TensorInfo(
        dtype, tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    )


def from_rule(case: Case) -> dict[str, TensorInfo]:
    node = case.node
    rule = SHAPE_RULES.get(node.op_type, node.domain)
    if rule is None:
        return {}
    infos = {info.name: info_of(info.type) for info in case.model.graph.input}
    call = OpCall(
        node.op_type,
        tuple(infos.get(name) for name in node.input),
        (TensorInfo(None, None),) * len(node.output),
        {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute},
        tuple(case.values.get(name) for name in node.input),
        node.domain,
        case.model.opset_import[0].version,
    )
    return dict(zip(node.output, rule(call), strict=True))


def tensors(case: Case) -> dict[str, TensorInfo]:
    return {
        info.name: info_of(info.type) for info in case.model.graph.output if info.type.HasField("tensor_type")
    }


def test_shapes_that_do_not_depend_on_data_come_out_known() -> None:
    unknown, total = [], 0
    for case in cases():
        if case.node.op_type in OPEN:
            continue
        inferred, ruled = from_onnx(case), from_rule(case)
        for name in tensors(case):
            total += 1
            found = (inferred.get(name), ruled.get(name))
            if not any(info is not None and info.static is not None for info in found):
                unknown.append((case.name, name))
    assert total > 1600
    assert unknown == []


def test_rules_agree_with_the_outputs_of_the_node_cases() -> None:
    checked = 0
    for case in cases():
        ruled = from_rule(case)
        for name, true in tensors(case).items() if ruled else ():
            checked += 1
            assert (case.name, name, ruled[name]) == (case.name, name, true)
    assert checked > 20


@pytest.mark.parametrize("op_type", sorted(SIZED & SHAPE_RULES.claimed()))
def test_an_unknown_size_leaves_the_dim_open(op_type: str) -> None:
    rule = SHAPE_RULES.get(op_type)
    assert rule is not None
    scalar = TensorInfo(DTYPES[7], ())
    (info,) = rule(OpCall(op_type, (scalar,) * 5, (TensorInfo(None, None),)))
    assert info.shape is not None
    assert info.static is None
