"""Determines which operators there are rules for, read off the tables of rules and onnx's own definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnea_graph.channels.rule_context.registry import CHANNEL_RULES
from nnea_graph.frontends.onnx.operator_sets import defined_operators
from nnea_graph.graph import ModelGraph
from nnea_graph.ops.cost_rules import COST_RULES
from nnea_graph.ops.gradient_rules import GRADIENTS
from nnea_graph.ops.packed_weights import PACKED_WEIGHTS
from nnea_graph.ops.registry import Registry
from nnea_graph.ops.shape_rules import SHAPE_RULES
from nnea_graph.ops.value_rules import VALUE_RULES
from nnea_graph.ops.weight_layout import LAYOUT_RULES
from nnea_graph.rewrite.coupling.op_context import COUPLING_RULES
from nnea_graph.static.control_flow import CONTROL_FLOW

RULE, ONNX, GENERAL = "rule", "onnx", "general"

KINDS: Mapping[str, str] = {
    "cost": "MACs, FLOPs and bytes; without it the operator is not in the totals",
    "shape": "type and shape of outputs (onnx: its own inference); without it what the model declares",
    "value": "value of the outputs where all inputs are constants, for shape arithmetic and folded weights",
    "channels": "which channels of the outputs come from which of the inputs, for pathways and dead channels",
    "coupling": "which channels must go together when the model is pruned; without it they stay",
    "gradients": "training FLOPs: general is the MACs again for each operand that trains",
    "weights": "which channels the weights meet, for importance and quantization",
    "packed": "quantized weights that the operator unpacks itself, read as the numbers they stand for",
}
"""What a rule of each kind is good for."""

EVERY = ("cost", "shape", "channels", "coupling")
"""Kinds that every operator of a model can have; the others matter to some."""

_TABLES: Mapping[str, Registry[Any]] = {
    "cost": COST_RULES,
    "shape": SHAPE_RULES,
    "value": VALUE_RULES,
    "channels": CHANNEL_RULES,
    "coupling": COUPLING_RULES,
    "gradients": GRADIENTS,
    "weights": LAYOUT_RULES,
    "packed": PACKED_WEIGHTS,
}


@dataclass(frozen=True, slots=True)
class OperatorSupport:
    """Source of the facts of each kind of one operator: rule, onnx, general, or None where nobody does."""

    name: str
    domain: str
    rules: Mapping[str, str | None]


def operators() -> list[OperatorSupport]:
    """All that onnx defines or that have a rule, ai.onnx first, by name."""
    names = set(defined_operators()).union(*(table.operators() for table in _TABLES.values()))
    return [support_of(name, domain) for domain, name in sorted(names)]


def support_of(name: str, domain: str) -> OperatorSupport:
    """The rules of one operator; "" is ai.onnx."""
    domain = "" if domain == "ai.onnx" else domain
    rules = {kind: RULE if table.get(name, domain) is not None else None for kind, table in _TABLES.items()}
    if not domain and name in CONTROL_FLOW:
        rules["shape"] = RULE
    elif rules["shape"] is None and defined_operators().get((domain, name)):
        rules["shape"] = ONNX
    if rules["gradients"] is None and rules["cost"]:
        rules["gradients"] = GENERAL
    return OperatorSupport(name, domain or "ai.onnx", rules)


def lacking(graph: ModelGraph) -> dict[str, list[str]]:
    """The operators of a model without a rule, by kind; only kinds that every operator can have."""
    used = sorted({(node.domain, node.op_type) for node in graph})
    found = [support_of(name, domain) for domain, name in used]
    return {
        kind: [qualified(each) for each in found if each.rules[kind] is None]
        for kind in EVERY
        if any(each.rules[kind] is None for each in found)
    }


def qualified(operator: OperatorSupport) -> str:
    """``Conv``, or ``com.microsoft::FusedConv``."""
    return operator.name if operator.domain == "ai.onnx" else f"{operator.domain}::{operator.name}"
