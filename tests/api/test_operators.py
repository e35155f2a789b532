"""What is said of operators is what the tables of rules and onnx's definitions hold, and what an analysis then does."""

from __future__ import annotations

import pytest
from hostile.support.models import model, op, typed
from onnx import defs

from nnea_graph.api.analyze import analyze, load
from nnea_graph.api.operators import EVERY, KINDS, lacking, operators, support_of
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES
from nnea_graph.ops.cost_rules import COST_RULES
from nnea_graph.ops.gradient_rules import GRADIENTS
from nnea_graph.ops.packed_weights import PACKED_WEIGHTS
from nnea_graph.ops.registry import Registry
from nnea_graph.ops.shape_rules import SHAPE_RULES
from nnea_graph.ops.value_rules import VALUE_RULES
from nnea_graph.ops.weight_layout import LAYOUT_RULES
from nnea_graph.rewrite.coupling.op_context import COUPLING_RULES

FOUND = {("" if each.domain == "ai.onnx" else each.domain, each.name): each.rules for each in operators()}
TABLES: list[tuple[str, Registry[object]]] = [
    ("cost", COST_RULES),  # type: ignore[list-item]
    ("shape", SHAPE_RULES),  # type: ignore[list-item]
    ("value", VALUE_RULES),  # type: ignore[list-item]
    ("channels", CHANNEL_RULES),  # type: ignore[list-item]
    ("coupling", COUPLING_RULES),  # type: ignore[list-item]
    ("gradients", GRADIENTS),  # type: ignore[list-item]
    ("weights", LAYOUT_RULES),  # type: ignore[list-item]
    ("packed", PACKED_WEIGHTS),  # type: ignore[list-item]
]
CONTROL = {("", "If"), ("", "Loop"), ("", "Scan")}


def test_every_operator_that_onnx_defines_or_that_has_a_rule_is_there_once() -> None:
    defined = {(schema.domain, schema.name) for schema in defs.get_all_schemas()}
    ruled = set().union(*(table.operators() for _, table in TABLES))
    assert set(FOUND) == defined | ruled
    assert len(operators()) == len(FOUND)


@pytest.mark.parametrize(("kind", "table"), TABLES, ids=[kind for kind, _ in TABLES])
def test_a_rule_is_said_to_be_there_where_the_table_has_it(kind: str, table: Registry[object]) -> None:
    said = {key for key, rules in FOUND.items() if rules[kind] == "rule"}
    assert said == table.operators() | (CONTROL if kind == "shape" else set())


def test_onnx_infers_shapes_where_its_definition_says_so_and_there_is_no_rule() -> None:
    for key, rules in FOUND.items():
        domain, name = key
        if key in SHAPE_RULES.operators() | CONTROL:
            continue
        inferred = (
            defs.has(name, domain) and defs.get_schema(name, domain).has_type_and_shape_inference_function
        )
        assert rules["shape"] == ("onnx" if inferred else None), key


def test_gradients_are_general_where_only_the_cost_is_known() -> None:
    assert support_of("Conv", "").rules["gradients"] == "general"
    assert support_of("LSTM", "ai.onnx").rules["gradients"] == "rule"
    assert support_of("Conv", "no.such.domain").rules == dict.fromkeys(KINDS)


def test_a_model_lacks_the_rules_that_its_report_misses() -> None:
    strange = [op("Relu", ["x"], ["a"]), op("Strange", ["a"], ["y"], domain="elsewhere")]
    made = model(strange, [typed("x", 1, 4)], domains=["elsewhere"])
    assert lacking(load(made)) == {kind: ["elsewhere::Strange"] for kind in EVERY}
    coverage = analyze(made, passes="cost").totals.coverage
    assert coverage is not None
    assert coverage.unknown_ops == {"Strange": 1}
    assert lacking(load(model([op("Relu", ["x"], ["y"])], [typed("x", 1, 4)]))) == {}
