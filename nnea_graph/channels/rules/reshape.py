"""Reshape: a movement, done at a smaller size where the positions are many, and undone where a later one undoes it."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from nnea_graph.channels.graph import Carry, ChannelTensor
from nnea_graph.channels.rule_context.index_tracing import ELEMENT_LIMIT, numbered, read_off
from nnea_graph.channels.rule_context.join_shares import JoinShare
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, channels
from nnea_graph.channels.rules.layout import Values, moving, static, with_values
from nnea_graph.ops.call import OpCall, UnknownFactError

UNDONE = "reshape there and back: channels kept"

STEPS = 8
"""Operators between a reshape and the one that undoes it."""


def _shaped(site: OpContext, values: Values) -> OpCall:
    """Reshapes to the shape that inference found."""
    shape = np.array(_shape(site), np.int64)
    attributes = {**site.call.attributes, "allowzero": 1, "shape": shape.tolist()}
    call = replace(with_values(site.call, values | {1: shape}), attributes=attributes)
    return call if len(site.node.inputs) > 1 else replace(call, values=(values[0],))


def _shape(site: OpContext) -> list[int]:
    dims = [dim for dim in site.out_dims() if dim is not None]
    if len(dims) < len(site.out_dims()):
        raise UnknownFactError("the shape that it gives is not known before the model runs")
    return dims


CHANNEL_RULES.add(moving(0, settings=_shaped), "Expand")
_reshape = moving(0, settings=_shaped)


@channels("Reshape")
def reshape(site: OpContext) -> None:
    """See the module."""
    source = site.channels(0)
    before = None if source is None else _before(site, source)
    if before is not None:
        site.lead(
            site.target(0, before.axes, before.dims), [JoinShare(before, np.arange(before.count))], UNDONE
        )
    elif source is not None and prod(static(site, 0)) > ELEMENT_LIMIT:
        _smaller(site, source)
    else:
        _reshape(site)


def _before(site: OpContext, source: ChannelTensor) -> ChannelTensor | None:
    """The tensor of the same shape from which a reshape made this one with fewer channels, if there is one."""
    name = source.name
    for _ in range(STEPS):
        links = site.draft.into.get(name, ())
        origins = {link.source for link in links}
        if len(origins) != 1 or not all(isinstance(link.edges, Carry) for link in links):
            return None
        name = links[0].source
        found = site.draft.tensors[name]
        if site.draft.sight.graph.node(links[0].node).op_type == "Reshape":
            same = site.draft.dims(name) == site.out_dims()
            return found if same and found.count > source.count else None
    return None


def _smaller(site: OpContext, source: ChannelTensor) -> None:
    """The last positions stay side by side: two stand for all of them."""
    shape, out = static(site, 0), _shape(site)
    first = 1 + max(source.real, default=-1)
    positions = prod(shape[first:])
    if positions < 4 or out[-1] % positions:
        raise UnknownFactError(f"{prod(shape)} elements to follow, limit {ELEMENT_LIMIT}")
    small = (*shape[:first], *(1,) * (len(shape) - first - 1), 2)
    numbers = numbered(source, small, 1).reshape(*out[:-1], out[-1] // positions * 2)
    moved = read_off(numbers, [source], coarse=True)
    if len(out) - 1 in moved.axes:
        raise UnknownFactError(f"{prod(shape)} elements to follow, limit {ELEMENT_LIMIT}")
    site.lead(site.target(0, moved.axes, moved.dims), moved.parts)
