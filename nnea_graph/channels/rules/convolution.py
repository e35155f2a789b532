"""Convolutions: every input channel of a group leads to every output channel of the group."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from nnea_graph.channels.graph import Floats
from nnea_graph.channels.rule_context.model_view import ConstantView
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, ChannelRule, channels
from nnea_graph.channels.rule_context.strength import StrengthBlock, filter_sums
from nnea_graph.channels.rules.add import align
from nnea_graph.ops.call import BadCallError, UnknownFactError
from nnea_graph.ops.registry import MICROSOFT


def convolving(weight: int, axis: int = 1) -> ChannelRule:
    """Weight (O, I / groups, taps …), channels along ``axis``."""
    return lambda site: convolve(site, weight, axis)


def convolve(site: OpContext, weight: int, axis: int) -> None:
    """The link through the weights, and one from an addend where the operator takes one."""
    reader = weights_of(site, weight)
    outputs, per_group = reader.shape[:2]
    groups = _groups(site, outputs)
    block = StrengthBlock(groups, outputs, per_group * groups, partial(_forward, reader, groups))
    _through(site, block, axis)


def weights_of(site: OpContext, index: int) -> ConstantView:
    """A weight of at least two axes that is constant.

    Raises:
        UnknownFactError: the model computes it.
    """
    reader = site.reader(index)
    if reader is None:
        raise UnknownFactError("its weights are computed by the model")
    if len(reader.shape) < 2:
        raise BadCallError(f"a weight of {len(reader.shape)} dimensions")
    return reader


def _groups(site: OpContext, channels_: int) -> int:
    groups = int(site.call.attr("group", 1))
    if groups < 1 or channels_ % groups:
        raise BadCallError(f"{channels_} channels in {groups} groups")
    return groups


def _through(site: OpContext, block: StrengthBlock, axis: int) -> None:
    rank = len(site.dims(0))
    source = site.demand(0, (axis % rank,))
    if source is None:
        return
    target = site.target(0, (axis % rank,), (block.targets,))
    site.lead_dense(target, [site.dense(target, source, (axis % rank,), block)])


def _forward(reader: ConstantView, groups: int) -> Floats:
    sums = filter_sums(reader)
    return sums.reshape(groups, -1, sums.shape[1])


def _backward(reader: ConstantView, groups: int) -> Floats:
    sums = filter_sums(reader)
    return sums.reshape(groups, -1, sums.shape[1]).transpose(0, 2, 1)


@channels("CausalConvWithState")
@channels("CausalConvWithState", domain=MICROSOFT)
def causal(site: OpContext) -> None:
    """Depthwise, whatever it keeps for the next step."""
    reader = weights_of(site, 1)
    count = reader.shape[0]
    _through(site, StrengthBlock(count, count, count * reader.shape[1], partial(_forward, reader, count)), 1)


@channels("ConvTranspose")
@channels("ConvTransposeWithDynamicPads", domain=MICROSOFT)
def conv_transpose(site: OpContext) -> None:
    """Weight (I, O / groups, taps …)."""
    reader = weights_of(site, 1)
    inputs, per_group = reader.shape[:2]
    groups = _groups(site, inputs)
    _through(site, StrengthBlock(groups, per_group * groups, inputs, partial(_backward, reader, groups)), 1)


@channels("FusedConv", domain=MICROSOFT)
def fused_conv(site: OpContext) -> None:
    """A convolution with an addend (input 3) and an activation."""
    convolve(site, 1, 1)
    add_links(site, 3)


@channels("NhwcFusedConv", domain=MICROSOFT)
def nhwc_fused_conv(site: OpContext) -> None:
    """The same with channels last."""
    convolve(site, 1, -1)
    add_links(site, 3)


def add_links(site: OpContext, addend: int) -> None:
    """Share the output between what the weights make and an operand that is added to it."""
    added = site.channels(addend)
    target = site.draft.tensors.get(site.out())
    if added is None or target is None:
        return
    through = site.draft.into.get(target.name, ())
    align(site, {addend: added})
    if site.draft.tensors[target.name].axes != target.axes:
        site.draft.lead(target, through)
        raise UnknownFactError("its addend has channels along other axes")
    half = np.full(target.count, 0.5)
    both = (*through, *site.draft.into[target.name])
    site.draft.lead(target, [replace(link, gain=half) for link in both])


CHANNEL_RULES.add(convolving(1), "Conv", "ConvInteger", "DeformConv")
CHANNEL_RULES.add(convolving(3), "QLinearConv")
CHANNEL_RULES.add(convolving(1, -1), "NhwcConv", domain=MICROSOFT)


@channels("QLinearConv", domain=MICROSOFT)
def qlinear_conv(site: OpContext) -> None:
    """Channels may come last."""
    convolve(site, 3, -1 if site.call.attr("channels_last", 0) else 1)
