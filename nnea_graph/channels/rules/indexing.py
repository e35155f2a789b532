"""Slices and picks by index: those that the data decide keep channels as long as they pick positions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, channels
from nnea_graph.channels.rules.add import join
from nnea_graph.channels.rules.layout import (
    Array,
    Values,
    channel_numbers,
    moving,
    run,
    static,
    with_values,
    write,
)
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.registry import MICROSOFT

_slice = moving(0)


@channels("Slice")
def cut(site: OpContext) -> None:
    """Slices by the model's own bounds; where the data decide them and they are of positions, channels stay."""
    source = site.channels(0)
    if source is None or _bounds_known(site):
        _slice(site)
        return
    axes = site.call.values[3] if len(site.call.values) > 3 else None
    if axes is None or _meets(source, axes.reshape(-1).tolist(), len(site.dims(0))):
        raise UnknownFactError("which channels it cuts is not known before the model runs")
    site.carry(0)


def _bounds_known(site: OpContext) -> bool:
    return all(
        site.call.values[index] is not None for index in range(1, len(site.node.inputs)) if site.name(index)
    )


def _meets(source: ChannelTensor, axes: Iterable[int], rank: int) -> bool:
    return bool({int(axis) % rank for axis in axes} & set(source.real))


def indices_of(site: OpContext, index: int) -> Array | None:
    """The indices, read from a constant of any size; None where the model computes them."""
    known = site.call.values[index]
    if known is not None:
        return known
    name = site.name(index)
    return site.draft.sight.value(name) if name in site.draft.sight.found.constant else None


def _picked(site: OpContext, index: int, axes: Iterable[int], values: Values) -> OpCall:
    """The call with its indices, or with any in their place if they only pick positions."""
    chosen = indices_of(site, index)
    if chosen is None:
        for place in values:
            source = site.channels(place)
            if source is not None and _meets(source, axes, len(site.dims(place))):
                raise UnknownFactError("which channels it picks is not known before the model runs")
        chosen = np.broadcast_to(np.zeros((), np.int64), static(site, index))
    return with_values(site.call, values | {index: chosen})


def _along(site: OpContext, values: Values) -> OpCall:
    return _picked(site, 1, (int(site.call.attr("axis", 0)),), values)


def _tuples(site: OpContext, values: Values) -> OpCall:
    depth = site.dims(1)[-1]
    if depth is None:
        raise UnknownFactError("how many axes it indexes is not known before the model runs")
    first = int(site.call.attr("batch_dims", 0))
    return _picked(site, 1, range(first, first + depth), values)


CHANNEL_RULES.add(moving(0, settings=_along), "GatherElements")
CHANNEL_RULES.add(moving(0, settings=_tuples), "GatherND")
_gather = moving(0, settings=_along)


@channels("Gather")
def gather(site: OpContext) -> None:
    """Picks of what the model computes; of a constant table by computed indices, an embedding: channels begin."""
    if site.reader(0) is None or site.channels(0) is not None:
        _gather(site)
        return
    embed(site, int(site.call.attr("axis", 0)))


def embed(site: OpContext, axis: int, table: int = 0, ids: int = 1, output: int = 0) -> None:
    """Channels along the axes of a constant table that are not looked up."""
    reader = site.reader(table)
    if reader is None or site.draft.scouting:
        return
    rank, depth = len(reader.shape), len(site.dims(ids))
    row = axis % rank
    axes = [place if place < row else place + depth - 1 for place in range(rank) if place != row]
    dims = [reader.shape[place] for place in range(rank) if place != row]
    site.end(ids, "looked up as row numbers")
    site.draft.begin(site.out(output), tuple(axes), tuple(dims))


@channels("ScatterElements", "Scatter", "ScatterND")
def scatter(site: OpContext) -> None:
    """Both the data and what is put into it, by the share of elements where the places are known."""
    operands = site.followed(0, 2)
    if not operands:
        return
    values = channel_numbers(site, (0, 2), operands)
    call = replace(site.call, attributes={**site.call.attributes, "reduction": "none"})
    chosen = indices_of(site, 1)
    if chosen is None:
        axes = range(site.dims(1)[-1] or 0) if site.node.op_type == "ScatterND" else (_axis(site),)
        if any(_meets(tensor, axes, len(site.dims(0))) for tensor in operands.values()):
            raise UnknownFactError("which channels it replaces is not known before the model runs")
        chosen = np.broadcast_to(np.zeros((), np.int64), static(site, 1))
    write(site, run(site, with_values(call, values | {1: chosen})), list(operands.values()))


@channels("TensorScatter")
def tensor_scatter(site: OpContext) -> None:
    """Positions of a cache replaced by others."""
    operands = site.followed(0, 1)
    axis = int(site.call.attr("axis", -2)) % len(site.dims(0))
    if any(axis in tensor.real for tensor in operands.values()):
        raise UnknownFactError("which channels it replaces is not known before the model runs")
    join(site, (0, 1))


def _axis(site: OpContext) -> int:
    return int(site.call.attr("axis", 0))


@channels("Compress")
def compress(site: OpContext) -> None:
    """Drops slices of positions."""
    source = site.channels(0)
    if source is None:
        return
    axis = site.call.attr("axis")
    if axis is None or int(axis) % len(site.dims(0)) in source.real:
        _slice(site)
        return
    site.carry(0)


@channels("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_normalization(site: OpContext) -> None:
    """The sum of words, positions and segments, normalized: channels begin."""
    embed(site, 0, table=2, ids=0)


@channels("GatherBlockQuantized", domain=MICROSOFT)
def gather_block_quantized(site: OpContext) -> None:
    """A table that is unpacked by row."""
    embed(site, int(site.call.attr("gather_axis", 0)))
