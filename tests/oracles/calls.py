"""Calls of operators as cost rules see them, and what the rules say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnea_graph.graph import TensorInfo
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import COST_RULES, OperatorCost
from nnea_graph.ops.registry import MICROSOFT

Shapes = Sequence[Sequence[int] | None]
OPSET = 23


def call(
    op_type: str,
    inputs: Shapes,
    outputs: Shapes,
    values: Mapping[int, Any] | None = None,
    /,
    domain: str = "",
    **attributes: Any,
) -> OpCall:
    """An input or output that is None is left out; ``values`` are those of inputs by their place."""
    known = tuple(np.asarray(values[i]) if values and i in values else None for i in range(len(inputs)))
    return OpCall(op_type, infos(inputs), infos(outputs), attributes, known, domain, OPSET)


def ms(op_type: str, inputs: Shapes, outputs: Shapes, values: Any = None, **attributes: Any) -> OpCall:
    """Of onnxruntime's own operators."""
    return call(op_type, inputs, outputs, values, domain=MICROSOFT, **attributes)


def infos(shapes: Shapes) -> tuple[TensorInfo | None, ...]:
    return tuple(None if shape is None else TensorInfo(None, tuple(shape)) for shape in shapes)


def counted(op: OpCall) -> OperatorCost:
    rule = COST_RULES.get(op.op_type, op.domain)
    assert rule is not None
    return rule(op)
