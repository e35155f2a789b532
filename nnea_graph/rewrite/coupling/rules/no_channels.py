"""Operators that make tensors of a size, or tell sizes: their numbers belong to no channel."""

from __future__ import annotations

from nnea_graph.rewrite.coupling.op_context import COUPLING_RULES, CouplingContext

MADE = ("ConstantOfShape", "RandomNormal", "RandomUniform")


def free(site: CouplingContext) -> None:
    """Every index is as good as another: a smaller size gives fewer."""
    del site


COUPLING_RULES.add(free, "ConstantOfShape", "Shape", "Size")
