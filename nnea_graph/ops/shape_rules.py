"""The table of shape rules, for operators whose outputs the source format's own inference leaves open."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from nnea_graph.graph import TensorInfo
from nnea_graph.ops import shapes
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.registry import Registry, load_families

ShapeRule = Callable[[OpCall], list[TensorInfo]]
"""Gives one ``TensorInfo`` an output. Inputs may be partly known: dims are None or symbols then."""

SHAPE_RULES: Registry[ShapeRule] = Registry("shape")

shape = SHAPE_RULES.register
"""``@shape("FusedMatMul", domain=MICROSOFT)``."""


@cache
def shape_rules() -> Registry[ShapeRule]:
    """The table, with every family of operators loaded."""
    load_families(shapes)
    return SHAPE_RULES
