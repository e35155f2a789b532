"""Every cost rule on every operator of onnx's own node test cases."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from nnea_graph.graph import DTYPES, TensorInfo
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import COST_RULES, OperatorCost

Values = dict[str, np.ndarray[Any, Any]]


@cache
def cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx's cases overflow and divide by zero on purpose
        return list(collect_testcases(None))


def known(model: ModelProto, data: Any) -> tuple[dict[str, TensorInfo], Values]:
    """Types by shape inference and, where there is data, by that; values of initializers and of the data."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    graph = inferred.graph
    infos = {value.name: info_of(value) for value in [*graph.input, *graph.value_info, *graph.output]}
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for names, arrays in ((graph.input, data[0]), (graph.output, data[1])):
        for value, array in zip(names, arrays, strict=False):
            if isinstance(array, np.ndarray):
                infos[value.name] = TensorInfo(infos[value.name].dtype, array.shape)
    values |= {
        value.name: array
        for value, array in zip(graph.input, data[0], strict=False)
        if isinstance(array, np.ndarray)
    }
    return infos, values


def info_of(value: onnx.ValueInfoProto) -> TensorInfo:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return TensorInfo(None, None)
    dims = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
    return TensorInfo(DTYPES.get(tensor.elem_type), dims)


def python_value(attribute: AttributeProto) -> Any:
    found = helper.get_attribute_value(attribute)
    if isinstance(found, bytes):
        return found.decode()
    if isinstance(found, list):
        return [item.decode() if isinstance(item, bytes) else item for item in found]
    return found


def call_of(node: NodeProto, infos: dict[str, TensorInfo], values: Values, opset: int) -> OpCall:
    unknown = TensorInfo(None, None)
    return OpCall(
        node.op_type,
        tuple(infos.get(name, unknown) if name else None for name in node.input),
        tuple(infos.get(name, unknown) if name else None for name in node.output),
        {attribute.name: python_value(attribute) for attribute in node.attribute},
        tuple(values.get(name) for name in node.input),
        node.domain,
        opset,
    )


def calls(*, with_values: bool) -> Iterator[tuple[str, OpCall]]:
    for case in cases():
        opsets = {opset.domain: opset.version for opset in case.model.opset_import}
        infos, values = known(case.model, case.data_sets[0])
        for node in case.model.graph.node:
            yield case.name, call_of(node, infos, values if with_values else {}, opsets.get(node.domain, 0))


@pytest.mark.parametrize("values", ["known", "not known"])
def test_every_operator_is_counted_or_says_what_is_not_known(values: str) -> None:
    outcomes: Counter[str] = Counter()
    for name, call in calls(with_values=values == "known"):
        outcomes[outcome(name, call)] += 1
    assert outcomes["counted"] > 10_000
    assert outcomes["counted"] > 9 * outcomes["unknown"]


def outcome(name: str, call: OpCall) -> str:
    rule = COST_RULES.get(call.op_type, call.domain)
    assert rule is not None, f"{name}: nobody claims {call.domain}::{call.op_type}"
    try:
        check(name, call, rule(call))
    except UnknownFactError:
        return "unknown"
    return "counted"


def check(name: str, call: OpCall, work: OperatorCost) -> None:
    where = f"{name}: {call.op_type} {work}"
    for number in (work.macs, work.flops, work.other_flops):
        assert type(number) is int, where
        assert number >= 0, where
    assert work.macs <= work.flops, where
    assert not (work.free and work.other_flops), where


FUNCTIONS = ("Attention", "CausalConvWithState", "FlexAttention")
"""Functions that are matrix work and that onnx also spells out as primitive operators."""

MATRIX_WORK = {*FUNCTIONS, "MatMul", "Einsum", "Gemm", "Conv"}


def macs_of(case: Any) -> int:
    opsets = {opset.domain: opset.version for opset in case.model.opset_import}
    infos, values = known(case.model, case.data_sets[0])
    nodes = [node for node in case.model.graph.node if node.op_type in MATRIX_WORK]
    return sum(macs(call_of(node, infos, values, opsets.get(node.domain, 0))) for node in nodes)


def macs(call: OpCall) -> int:
    rule = COST_RULES.get(call.op_type, call.domain)
    assert rule is not None
    return rule(call).macs


@pytest.mark.parametrize("op_type", FUNCTIONS)
def test_a_function_costs_what_its_definition_in_primitive_operators_costs(op_type: str) -> None:
    by_name = {case.name: case for case in cases()}
    compared = 0
    for name, case in by_name.items():
        spelled_out = by_name.get(f"{name}_expanded", by_name.get(f"{name}_expanded_ver26"))
        if spelled_out is None or case.model.graph.node[0].op_type != op_type:
            continue
        with suppress(UnknownFactError):
            assert macs_of(case) == macs_of(spelled_out), name
            compared += 1
    assert compared >= 3
