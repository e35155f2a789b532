"""Operators whose outputs have no channels: shapes, numbers of places, yes or no, and what is made from nothing."""

from __future__ import annotations

from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import channels

LABELS = (
    "And ArgMax ArgMin Equal EyeLike Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual "
    "NonMaxSuppression NonZero Not OneHot Or Unique Xor"
)


MADE = (
    "BlackmanWindow Constant ConstantOfShape HammingWindow HannWindow MelWeightMatrix Multinomial RandomNormal "
    "RandomNormalLike RandomUniform RandomUniformLike Range Shape Size"
)


@channels(*MADE.split())
def made(site: OpContext) -> None:
    """Depends on shapes at most."""
    del site


@channels(*LABELS.split())
def labeled(site: OpContext) -> None:
    """Places, classes and comparisons: whoever takes them for channels begins anew."""
    site.lose(f"{site.node.op_type} gives labels, not values")
