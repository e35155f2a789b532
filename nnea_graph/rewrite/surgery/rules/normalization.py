"""Operators that divide by the number of channels: they go on dividing by as many as there were."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.surgery.edit import EDIT_RULES, Edit, EditRule, edit


def root_mean_square(scale: int) -> EditRule:
    """With a share s of the channels left, x / sqrt(s · mean + ε) is x / sqrt(mean + ε / s) / sqrt(s)."""

    def rule(change: Edit) -> None:
        x = change.node.inputs[0]
        rank = len(change.dims(x))
        share = _share(change, range(int(change.node.attributes.get("axis", -1)) % rank, rank))
        if share < 1:
            change.set_attribute("epsilon", float(change.node.attributes.get("epsilon", 1e-5)) / share)
            change.scale_input(scale, share**-0.5)

    return rule


EDIT_RULES.add(root_mean_square(1), "RMSNormalization", "SimplifiedLayerNormalization")
EDIT_RULES.add(root_mean_square(1), "SimplifiedLayerNormalization", domain=MICROSOFT)
EDIT_RULES.add(root_mean_square(2), "SkipSimplifiedLayerNormalization", domain=MICROSOFT)


@edit("ReduceMean")
def mean(change: Edit) -> None:
    """Times the share of the channels that is left."""
    rank = len(change.dims(change.node.inputs[0]))
    listed = change.value(1) if len(change.node.inputs) > 1 else change.node.attributes.get("axes")
    axes = [int(axis) % rank for axis in (() if listed is None else listed)]
    if not axes and not change.node.attributes.get("noop_with_empty_axes", 0):
        axes = list(range(rank))
    share = _share(change, axes)
    if share < 1:
        change.scale_output(share)


def _share(change: Edit, axes: Iterable[int]) -> float:
    """Tells how much of the axes of the input is left."""
    x = change.node.inputs[0]
    return prod(change.length(x, axis) / (change.dims(x)[axis] or 1) for axis in axes)
