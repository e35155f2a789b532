"""The table of shape rules, for operators whose outputs the source format's own inference leaves open."""

from __future__ import annotations

from collections.abc import Callable

from nnea_graph.graph import TensorInfo
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.registry import Registry

ShapeRule = Callable[[OpCall], list[TensorInfo]]
"""Gives one ``TensorInfo`` an output. Inputs may be partly known: dims are None or symbols then."""

SHAPE_RULES: Registry[ShapeRule] = Registry("shape", families="nnea_graph.ops.shapes")

shape = SHAPE_RULES.register
"""``@shape("FusedMatMul", domain=MICROSOFT)``."""
