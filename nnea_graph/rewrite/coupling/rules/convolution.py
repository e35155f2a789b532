"""Convolutions: rows of the kernel are output channels, columns input channels; groups go whole or lose as many."""

from __future__ import annotations

import numpy as np

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.constraints import Option
from nnea_graph.rewrite.coupling.index_space import Indices
from nnea_graph.rewrite.coupling.op_context import (
    COUPLING_RULES,
    CouplingContext,
    CouplingRule,
    NotFollowedError,
    coupling,
)

POSITIONS = "positions are no channels"
WITHIN_GROUP = "whole groups go, not channels of a group"


def convolution(kernel: int, *per_output: int) -> CouplingRule:
    """Input ``kernel`` is the kernel; ``per_output`` are inputs with one number an output channel."""

    def rule(site: CouplingContext) -> None:
        x, weight, y = site.name(0), site.name(kernel), site.out()
        _frame(site, x, weight, y)
        site.same(weight, 0, y, 1)
        for index in per_output:
            if site.name(index) and site.rank(site.name(index)) == 1:
                site.same(site.name(index), 0, y, 1)
        groups = int(site.call.attr("group", 1))
        if groups == 1:
            site.same(x, 1, weight, 1)
        else:
            _grouped(site, groups, inputs=(x, 1), outputs=(y, 1), inner=(weight, 1))

    return rule


COUPLING_RULES.add(convolution(1, 2), "Conv")
COUPLING_RULES.add(convolution(1, 3), "ConvInteger")
COUPLING_RULES.add(convolution(3, 4, 5, 8), "QLinearConv")


@coupling("FusedConv", domain=MICROSOFT)
def fused_conv(site: CouplingContext) -> None:
    """A convolution, its sum with another tensor, an activation."""
    convolution(1, 2)(site)
    if site.name(3):
        site.broadcast(site.name(3), site.out())


@coupling("ConvTranspose")
def conv_transpose(site: CouplingContext) -> None:
    """The kernel's rows are input channels, its columns the output channels of a group."""
    x, weight, y = site.name(0), site.name(1), site.out()
    _frame(site, x, weight, y)
    site.same(x, 1, weight, 0)
    site.same(site.name(2), 0, y, 1)
    groups = int(site.call.attr("group", 1))
    if groups == 1:
        site.same(weight, 1, y, 1)
    else:
        _grouped(site, groups, inputs=(x, 1), outputs=(y, 1), inner=(weight, 1))


def _frame(site: CouplingContext, x: str, weight: str, y: str) -> None:
    """The batch runs through; positions and taps stay."""
    site.same(x, 0, y, 0)
    for tensor in (x, weight, y):
        for axis in range(2, site.rank(tensor)):
            site.pin(tensor, axis, POSITIONS)


def _grouped(
    site: CouplingContext,
    groups: int,
    inputs: tuple[str, int],
    outputs: tuple[str, int],
    inner: tuple[str, int],
) -> None:
    """Whole groups, or as many channels of each. ``inner`` is the kernel's axis within a group."""
    slots = site.draft.slots
    ins, outs, within = slots.of(inputs), slots.of(outputs), slots.of(inner)
    if ins is None or outs is None or len(ins) % groups or len(outs) % groups:
        raise NotFollowedError(f"{site.node.op_type}: {groups} groups do not fit the channels")
    rows, columns = ins.reshape(groups, -1), outs.reshape(groups, -1)
    whole = Option(needs=[ins, outs])
    whole.edges = [together(rows), together(columns), (rows[:, 0], columns[:, 0])]
    if within is None:
        site.draft.edges += whole.edges
        return
    tied = columns if site.node.op_type == "ConvTranspose" else rows
    alike = Option(needs=[within])
    if slots.repeats.get(inner):
        site.draft.join(within, tied.reshape(-1))
        alike.alike = [rows, columns]
    else:
        whole.pins = [(within, f"{site.node.op_type}: {WITHIN_GROUP}")]
        alike.edges = [together(rows.T), together(columns.T), (tied[0], within)]
    site.choose("group", [whole, alike])


def together(rows: Indices) -> tuple[Indices, Indices]:
    """All of a row go together."""
    return np.repeat(rows[:, 0], rows.shape[1] - 1), np.ascontiguousarray(rows[:, 1:]).reshape(-1)
