"""Reductions: over positions they carry channels, over channels they gather them into fewer."""

from __future__ import annotations

from math import prod

import numpy as np

from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.channels.rule_context.join_shares import JoinShare
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.operand_rank import OperandRank
from nnea_graph.channels.rule_context.registry import channels
from nnea_graph.channels.rule_context.strength import StrengthBlock
from nnea_graph.ops.call import UnknownFactError
from nnea_graph.ops.registry import MICROSOFT

MOST_LINKS = 64
"""Links that one reduction over part of the channel axes is worth."""

GATHERED = "reduced over channels: all alike"


REDUCTIONS = (
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare"
)


@channels(*REDUCTIONS.split())
def reduce(site: OpContext) -> None:
    """Reduces along the given axes, all without them."""
    rank = len(site.dims(0))
    axes = _axes(site, rank)
    if not axes and site.call.attr("noop_with_empty_axes", 0):
        site.carry(0)
        return
    reduced(site, set(axes) or set(range(rank)), keep=bool(site.call.attr("keepdims", 1)))


def _axes(site: OpContext, rank: int) -> list[int]:
    listed = site.call.value(1).reshape(-1) if site.name(1) else site.call.attr("axes") or ()
    return [int(axis) % rank for axis in listed]


@channels("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def pool_all(site: OpContext) -> None:
    """Pools over all positions."""
    reduced(site, set(range(2, len(site.dims(0)))), keep=True)


@channels("QLinearGlobalAveragePool", domain=MICROSOFT)
def pool_all_quantized(site: OpContext) -> None:
    """Pools over all positions; channels may come last."""
    rank = len(site.dims(0))
    last = bool(site.call.attr("channels_last", 0))
    reduced(site, set(range(1, rank - 1) if last else range(2, rank)), keep=True)


def reduced(site: OpContext, axes: set[int], *, keep: bool) -> None:
    """Carry what is not reduced; a statistic where it meets what it was made of."""
    source = site.channels(0)
    site.stand(OperandRank.STATISTIC)
    if source is None:
        return
    places = {
        axis: axis if keep else axis - sum(other < axis for other in axes)
        for axis in source.axes
        if keep or axis not in axes
    }
    gone = [axis for axis in source.real if axis in axes]
    if gone:
        _gather(site, source, gone, places)
        return
    kept = [(places[axis], dim) for axis, dim in zip(source.axes, source.dims, strict=True) if axis in places]
    target = site.target(0, [axis for axis, _ in kept], [dim for _, dim in kept])
    site.lead(target, [JoinShare(source, np.arange(source.count))])


def _gather(site: OpContext, source: ChannelTensor, gone: list[int], places: dict[int, int]) -> None:
    sizes = dict(zip(source.axes, source.dims, strict=True))
    kept = [axis for axis in source.real if axis not in gone]
    many = prod(sizes[axis] for axis in gone)
    target = site.target(0, [places[axis] for axis in kept], [sizes[axis] for axis in kept])
    if not kept:
        block = StrengthBlock(1, 1, many, lambda: np.ones((1, 1, many)))
        site.lead_dense(target, [site.dense(target, source, source.real, block, GATHERED)])
        return
    if many > MOST_LINKS:
        raise UnknownFactError(f"reduces {many} channels of each group into one")
    numbers = np.arange(source.count).reshape([sizes[axis] for axis in source.real])
    order = [source.real.index(axis) for axis in (*gone, *kept)]
    rows = numbers.transpose(order).reshape(many, -1)
    site.lead(target, [JoinShare(source, row) for row in rows], GATHERED)
