"""Pooling, resizing and sampling: they keep channels apart unless they run along them."""

from __future__ import annotations

from collections.abc import Callable

from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, ChannelRule
from nnea_graph.ops.call import UnknownFactError
from nnea_graph.ops.registry import MICROSOFT

Axes = Callable[[OpContext, int], set[int]]
"""The axes that an operator works along, given the rank."""


def along(axes: Axes) -> ChannelRule:
    """Channels along any other axis are carried to every output of the same rank."""

    def rule(site: OpContext) -> None:
        source = site.channels(0)
        if source is None:
            return
        rank = len(site.dims(0))
        if axes(site, rank) & set(source.real):
            raise UnknownFactError("its windows run along channels")
        for output in range(len(site.node.outputs)):
            if site.out(output) and len(site.out_dims(output)) == rank:
                site.carry(0, output)

    return rule


def _first(site: OpContext, rank: int) -> set[int]:
    """All after batch and channels, but for those of a window of 1."""
    kernel = site.call.attr("kernel_shape") or [0] * rank
    same = set(range(rank)) - _changed(site, rank)
    return {axis for axis in range(2, rank) if kernel[axis - 2 : axis - 1] != [1] or axis not in same}


def _last(site: OpContext, rank: int) -> set[int]:
    """All between batch and channels."""
    del site
    return set(range(1, rank - 1))


def _either(site: OpContext, rank: int) -> set[int]:
    return (_last if site.call.attr("channels_last", 0) else _first)(site, rank)


def _changed(site: OpContext, rank: int) -> set[int]:
    """Those whose size changes."""
    del rank
    pairs = zip(site.dims(0), site.out_dims(), strict=False)
    return {axis for axis, (before, after) in enumerate(pairs) if before != after or before is None}


def _regions(site: OpContext, rank: int) -> set[int]:
    """Regions come in place of the batch."""
    return _first(site, rank) | {0}


CHANNEL_RULES.add(along(_first), "AveragePool", "GridSample", "LpPool", "MaxPool", "MaxUnpool")
CHANNEL_RULES.add(along(_changed), "CenterCropPad", "Resize", "Upsample")
CHANNEL_RULES.add(along(_regions), "MaxRoiPool", "RoiAlign")
CHANNEL_RULES.add(along(_first), "GridSample", domain=MICROSOFT)
CHANNEL_RULES.add(along(_last), "NhwcMaxPool", domain=MICROSOFT)
CHANNEL_RULES.add(along(_either), "QLinearAveragePool", domain=MICROSOFT)
