"""Value rules on onnx's own node cases."""

from __future__ import annotations

import warnings
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from nnea_graph.graph import DTYPES, TensorInfo
from nnea_graph.graph.constants import constant_of
from nnea_graph.graph.dtypes import storage
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.value_rules import VALUE_RULES

Array = NDArray[Any]


def plain(array: Any) -> Array:
    """As the package gives them: floats below 32 bits as float32, integers below 8 bits in bytes."""
    if isinstance(array, onnx.TensorProto):
        dtype = DTYPES[array.data_type]
        stored = numpy_helper.to_array(array)
        return stored.astype(
            storage(dtype) if dtype.bits < 8 and dtype.kind in ("int", "uint") else _wide(stored)
        )
    return np.asarray(array).astype(_wide(np.asarray(array)))


def _wide(array: Array) -> Any:
    is_small = array.dtype.itemsize < 4 and array.dtype.kind not in "biuOSU"
    return np.float32 if is_small else array.dtype


def python_value(attribute: onnx.AttributeProto) -> Any:
    found = helper.get_attribute_value(attribute)
    if isinstance(found, onnx.TensorProto):
        return constant_of(found.name, plain(found), DTYPES[found.data_type])
    return found


@cache
def cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx's generators overflow on purpose
        collected: list[Any] = list(collect_testcases(None))
    return [case for case in collected if len(case.model.graph.node) == 1 and _is_dense(case)]


def _is_dense(case: Any) -> bool:
    """Whether there is a rule, and all inputs are tensors."""
    node = case.model.graph.node[0]
    has_rule = VALUE_RULES.get(node.op_type, node.domain) is not None
    return has_rule and all(
        isinstance(array, np.ndarray | np.generic | onnx.TensorProto) for array in case.data_sets[0][0]
    )


def called(case: Any) -> OpCall:
    model, node = case.model, case.model.graph.node[0]
    arrays = {
        info.name: plain(array) for info, array in zip(model.graph.input, case.data_sets[0][0], strict=True)
    }
    codes = {info.name: info.type.tensor_type.elem_type for info in model.graph.input}
    return OpCall(
        node.op_type,
        tuple(TensorInfo(DTYPES[codes[name]], arrays[name].shape) if name else None for name in node.input),
        tuple(TensorInfo(None, None) if name else None for name in node.output),
        {attribute.name: python_value(attribute) for attribute in node.attribute},
        tuple(arrays.get(name) for name in node.input),
        node.domain,
        next(entry.version for entry in model.opset_import if entry.domain == node.domain),
    )


def test_value_rules_give_the_outputs_of_the_node_cases() -> None:
    checked: Counter[str] = Counter()
    for case in cases():
        call = called(case)
        rule = VALUE_RULES.get(call.op_type, call.domain)
        assert rule is not None
        given = [found for found, info in zip(rule(call), call.outputs, strict=False) if info is not None]
        for found, expected in zip(given, map(plain, case.data_sets[0][1]), strict=True):
            assert (case.name, found.dtype, found.shape) == (case.name, expected.dtype, expected.shape)
            tolerance = 1e-6 if expected.dtype.kind == "f" else 0
            assert _is_same(found, expected, tolerance), case.name
        checked[call.op_type] += 1
    assert set(checked) == VALUE_RULES.claimed()
    assert checked.total() > 800


def _is_same(found: Array, expected: Array, tolerance: float) -> bool:
    if expected.dtype.kind == "f":
        return np.allclose(found, expected, tolerance, tolerance, equal_nan=True)
    return np.array_equal(found, expected)
