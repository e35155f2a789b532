"""Operators that count groups or heads in an attribute."""

from __future__ import annotations

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.surgery.edit import EDIT_RULES, Edit, EditRule, edit


def grouped(kernel: int) -> EditRule:
    """Sets as many groups as input channels over those of one group."""

    def rule(change: Edit) -> None:
        if int(change.node.attributes.get("group", 1)) > 1:
            per_group = change.length(change.node.inputs[kernel], 1)
            change.set_attribute("group", change.length(change.node.inputs[0], 1) // per_group)

    return rule


EDIT_RULES.add(grouped(1), "Conv", "ConvInteger")
EDIT_RULES.add(grouped(3), "QLinearConv")
EDIT_RULES.add(grouped(1), "FusedConv", domain=MICROSOFT)


@edit("ConvTranspose")
def conv_transpose(change: Edit) -> None:
    """Sets as many groups as output channels over those of one group."""
    if int(change.node.attributes.get("group", 1)) > 1:
        per_group = change.length(change.node.inputs[1], 1)
        change.set_attribute("group", change.length(change.node.outputs[0], 1) // per_group)


@edit("GroupNormalization")
def group_normalization(change: Edit) -> None:
    """Groups keep their size."""
    x, groups = change.node.inputs[0], int(change.node.attributes["num_groups"])
    size = (change.dims(x)[1] or groups) // groups
    change.set_attribute("num_groups", change.length(x, 1) // size)
