"""onnx's own node cases, 1,884 models: nothing crashes, nothing is wrong, what can be known is known."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator
from oracles.execution import nodes_of

from nnea_graph.api.analyze import analyze
from nnea_graph.ops.cost_rules import COST_RULES
from nnea_graph.report.schema.analysis import Node, Report

Array = np.ndarray[Any, Any]
Shape = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Case:
    name: str
    model: onnx.ModelProto
    inputs: list[Any]
    outputs: list[Any]
    report: Report


@cache
def cases() -> list[Case]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx's generators overflow on purpose
        collected = collect_testcases(None)
    return [_case(each) for each in collected]


def _case(collected: Any) -> Case:
    inputs, made = collected.data_sets[0]
    return Case(collected.name, collected.model, inputs, made, analyze(collected.model, passes="cost"))


@dataclass(frozen=True)
class Output:
    """A tensor that a case makes: what the report says of it, and the array that onnx expects."""

    case: Case
    index: int
    dtype: str | None
    shape: Shape | None
    expected: Array

    @property
    def known(self) -> bool:
        return self.shape is not None and all(isinstance(dim, int) for dim in self.shape)

    @property
    def label(self) -> str:
        return f"{self.case.name}[{self.index}]"


def outputs() -> Iterator[Output]:
    for case in cases():
        for index, (tensor, array) in enumerate(zip(case.report.model.outputs, case.outputs, strict=True)):
            if isinstance(array, np.ndarray):
                shape = None if tensor.shape is None else tuple(tensor.shape)
                yield Output(case, index, tensor.dtype, shape, array)


def test_onnx_brings_at_least_1884_cases_and_each_is_analyzed() -> None:
    assert len(cases()) >= 1884


def test_no_shape_differs_from_the_output_that_onnx_expects() -> None:
    wrong = [
        (each.label, each.shape, each.expected.shape)
        for each in outputs()
        if each.shape is not None and not _agrees(each.shape, each.expected.shape)
    ]
    assert wrong == []


def _agrees(shape: Shape, expected: tuple[int, ...]) -> bool:
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(dim == size for dim, size in pairs if isinstance(dim, int))


def test_every_type_is_that_of_the_output_that_onnx_expects() -> None:
    found = {each.label: each.dtype for each in outputs()}
    expected = {
        each.label: "string" if each.expected.dtype.kind in "OU" else str(each.expected.dtype)
        for each in outputs()
    }
    assert found == expected


def test_shapes_are_known_unless_the_data_decide_them() -> None:
    """The data decide where other values of the inputs give another shape, or none at all."""
    unknown = [each for each in outputs() if not each.known]
    open_without_need = sorted(each.label for each in unknown if not data_decide(each))
    static = sum(1 for _ in outputs()) - len(unknown) + len(open_without_need)
    assert static > 1700
    assert len(open_without_need) / static < 0.03, open_without_need
    print(f"\n{static} static outputs, not known: {open_without_need}")  # noqa: T201
    by_operator = Counter(each.case.model.graph.node[0].op_type for each in unknown)
    print("decided by the data:", dict(by_operator.most_common()))  # noqa: T201


def data_decide(output: Output) -> bool:
    case = output.case
    evaluator = ReferenceEvaluator(case.model)
    names = [value.name for value in case.model.graph.input]
    shapes = {shape_at(evaluator, names, inputs, output.index) for inputs in perturbed(case.inputs)}
    as_given = shape_at(evaluator, names, case.inputs, output.index)
    return as_given == output.expected.shape and shapes != {as_given}


def perturbed(inputs: list[Any]) -> Iterator[list[Any]]:
    for index, value in enumerate(inputs):
        if isinstance(value, np.ndarray | np.generic):
            for other in alternatives(np.asarray(value)):
                yield [*inputs[:index], other, *inputs[index + 1 :]]


def alternatives(value: Array) -> Iterator[Array]:
    if value.dtype.kind in "OU":
        yield np.full(value.shape, "a b c", value.dtype)
        return
    yield np.zeros_like(value)
    yield np.ones_like(value)
    yield np.flip(value) if value.ndim else value
    if value.dtype.kind in "iuf":
        yield value + value.dtype.type(1)


def shape_at(
    evaluator: ReferenceEvaluator, names: list[str], inputs: list[Any], index: int
) -> tuple[int, ...] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found: Any = list(evaluator.run(None, dict(zip(names, inputs, strict=True))))[index]
        except Exception:  # noqa: BLE001 - whatever the reference raises, it has no shape
            return None
    shape: tuple[int, ...] = np.shape(found)
    return shape


def test_counts_are_whole_and_never_negative() -> None:
    for case in cases():
        for node in case.report.nodes:
            for count in (node.macs, node.flops, node.other_flops, node.training_flops, node.bytes):
                assert count is None or (type(count) is int and count >= 0), (case.name, node.id)


def test_an_unknown_count_is_none_and_says_why() -> None:
    unknown = [node for case in cases() for node in case.report.nodes if node.status == "unknown"]
    assert len(unknown) > 100
    assert [node.id for node in unknown if not node.reason] == []
    assert [node.id for node in unknown if None not in (node.macs, node.flops, node.other_flops)] == []


def test_no_operator_of_onnx_is_without_a_work_rule() -> None:
    operators = {
        (node.op_type, node.domain)
        for case in cases()
        for node in nodes_of(case.model.graph)
        if node.domain in ("", "ai.onnx")
    }
    assert len(operators) > 190
    without = sorted(op_type for op_type, _ in operators if COST_RULES.get(op_type) is None)
    print(f"\n{len(operators)} ai.onnx operators, without a work rule: {without or 'none'}")  # noqa: T201
    assert without == []


def test_no_operator_in_a_report_is_without_a_rule() -> None:
    reasons = Counter(
        node.reason for case in cases() for node in case.report.nodes if node.status == "unknown"
    )
    assert [reason for reason in reasons if reason.startswith("no rule")] == []


def static(report: Report, node: Node) -> bool:
    made = {
        name: shape for each in report.nodes for name, shape in zip(each.outputs, each.shapes, strict=True)
    }
    shapes = [made[name] for name in (*node.inputs, *node.outputs) if name and name in made]
    return all(shape is not None and all(isinstance(dim, int) for dim in shape) for shape in shapes)


@pytest.mark.parametrize(
    "op_type", ["Conv", "ConvTranspose", "Gemm", "MatMul", "Attention", "LSTM", "GRU", "RNN"]
)
def test_matrix_operators_of_static_shape_count_macs(op_type: str) -> None:
    found = [
        (case.name, node.macs, node.status)
        for case in cases()
        for node in case.report.nodes
        if node.op_type == op_type and static(case.report, node)
    ]
    assert len(found) > 2
    assert [row for row in found if not row[1]] == []
