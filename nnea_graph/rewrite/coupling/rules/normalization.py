"""Normalizations: per channel they go with it; what is taken over the channels together would change."""

from __future__ import annotations

from collections.abc import Iterable

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.op_context import (
    COUPLING_RULES,
    CouplingContext,
    CouplingRule,
    NotFollowedError,
    coupling,
)
from nnea_graph.rewrite.coupling.rules.convolution import together

MIXES = "normalization over the channels mixes them"


@coupling("BatchNormalization")
def batch_normalization(site: CouplingContext) -> None:
    """Scale, shift, mean and variance are one a channel."""
    x, y = site.name(0), site.out()
    through(site, x, y)
    channel = 1 if site.rank(x) > 1 else 0
    for index in range(1, 5):
        site.same(site.name(index), 0, x, channel)
    for output in site.node.outputs[1:]:
        site.pin_all(output, "running statistics are put out")


@coupling("InstanceNormalization")
def instance_normalization(site: CouplingContext) -> None:
    """Normalizes over the positions of each channel."""
    x, y = site.name(0), site.out()
    through(site, x, y, mixed=range(2, site.rank(x)))
    site.same(site.name(1), 0, x, 1)
    site.same(site.name(2), 0, x, 1)


@coupling("GroupNormalization")
def group_normalization(site: CouplingContext) -> None:
    """Groups are normalized apart, so whole groups may go."""
    x, y, groups = site.name(0), site.out(), int(site.call.attr("num_groups", 1))
    through(site, x, y, mixed=range(2, site.rank(x)))
    channels = site.draft.slots.of((x, 1))
    if channels is None or len(channels) % groups:
        raise NotFollowedError("GroupNormalization: its groups do not fit the channels")
    rows = channels.reshape(groups, -1)
    site.draft.edges.append(together(rows))
    for index in (1, 2):
        scales = site.draft.slots.of((site.name(index), 0))
        if scales is not None:
            site.draft.join(scales, channels if len(scales) == len(channels) else rows[:, 0])


def over_last(*per_channel: int, skips: Iterable[int] = ()) -> CouplingRule:
    """Normalizes over the axes from ``axis`` on, which therefore stay whole."""

    def rule(site: CouplingContext) -> None:
        x, y = site.name(0), site.out()
        rank = site.rank(x)
        first = int(site.call.attr("axis", -1)) % rank
        through(site, x, y, mixed=range(first, rank))
        for index in skips:
            if site.name(index):
                site.broadcast(site.name(index), y)
        for index in per_channel:
            if site.name(index):
                site.pin_all(site.name(index), MIXES)
        for output in site.node.outputs[1:]:
            if output and site.rank(output) == rank:
                through(site, x, output)

    return rule


COUPLING_RULES.add(over_last(1, 2), "LayerNormalization")
COUPLING_RULES.add(over_last(1, 2), "LayerNormalization", domain=MICROSOFT)
COUPLING_RULES.add(over_last(2, 3, 4, skips=(1,)), "SkipLayerNormalization", domain=MICROSOFT)


@coupling("EmbedLayerNormalization", domain=MICROSOFT)
def embedded(site: CouplingContext) -> None:
    """Rows of three tables are added and normalized over their channels."""
    for name in (*site.node.inputs, *site.node.outputs):
        site.pin_all(name, MIXES)


def root_mean_square(*broadcast: int) -> CouplingRule:
    """Over the last axes, which may lose indices: zeros among the squares change only what the mean divides by."""

    def rule(site: CouplingContext) -> None:
        x = site.name(0)
        through(site, x, site.out())
        for index in broadcast:
            site.broadcast(site.name(index), x)
        if len(site.node.outputs) > 3:
            site.broadcast(site.out(3), x)
        if any(site.node.outputs[1:3]):
            first = int(site.call.attr("axis", -1)) % site.rank(x)
            through(site, x, site.out(), range(first, site.rank(x)), "puts out what it divides by")

    return rule


COUPLING_RULES.add(root_mean_square(1), "RMSNormalization", "SimplifiedLayerNormalization")
COUPLING_RULES.add(root_mean_square(1), "SimplifiedLayerNormalization", domain=MICROSOFT)
COUPLING_RULES.add(root_mean_square(1, 2, 3), "SkipSimplifiedLayerNormalization", domain=MICROSOFT)


@coupling("Softmax", "LogSoftmax", "Hardmax")
def softmax(site: CouplingContext) -> None:
    """Shares of a whole; before opset 13 over all axes from ``axis`` on."""
    x, rank, old = site.name(0), site.rank(site.name(0)), site.node.opset < 13
    first = int(site.call.attr("axis", 1 if old else -1)) % rank
    through(site, x, site.out(), range(first, rank) if old else (first,), "shares of the whole axis")


@coupling("LpNormalization")
def lp_normalization(site: CouplingContext) -> None:
    """Normalizes over one axis by a sum, which zeros do not change."""
    through(site, site.name(0), site.out())


@coupling("LRN")
def lrn(site: CouplingContext) -> None:
    """Normalizes over neighboring channels."""
    through(site, site.name(0), site.out(), (1,), "takes neighboring channels together")


@coupling("MeanVarianceNormalization")
def mean_variance(site: CouplingContext) -> None:
    """Normalizes over the axes that it lists."""
    axes = [int(axis) for axis in site.call.attr("axes", (0, 2, 3))]
    through(site, site.name(0), site.out(), axes)


@coupling("CumSum", "CumProd")
def running(site: CouplingContext) -> None:
    """Running totals along one axis."""
    axes = site.ints(1)
    if axes is None:
        raise NotFollowedError(f"{site.node.op_type}: its axis is not known")
    through(site, site.name(0), site.out(), axes, "running totals")


def through(site: CouplingContext, x: str, y: str, mixed: Iterable[int] = (), reason: str = MIXES) -> None:
    """Index i stays index i; ``mixed`` axes stay whole."""
    for axis in range(site.rank(x)):
        site.same(x, axis, y, axis)
    for axis in mixed:
        site.pin(x, axis, reason)
