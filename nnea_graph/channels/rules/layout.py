"""Data movement: the operator itself is run on channel numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import ChannelTensor, Places
from nnea_graph.channels.rule_context.index_tracing import firsts, numbered, read_off
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, ChannelRule, channels
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.value_rules import VALUE_RULES

Array = NDArray[Any]
Values = dict[int, Array]
Settings = Callable[[OpContext, Values], OpCall]


def moving(*data: int, settings: Settings | None = None, keep: tuple[int, ...] = ()) -> ChannelRule:
    """Inputs ``data`` (none: all) are moved; ``settings`` makes the call where it is not the model's own.

    ``keep`` are channel axes of the output whatever happens.
    """

    def rule(site: OpContext) -> None:
        _stand(site, data or range(len(site.node.inputs)))
        if not site.followed(*data):
            return
        indices = data or tuple(range(len(site.node.inputs)))
        operands = site.followed(*indices)
        move(site, indices, operands, settings or _as_is, keep)

    return rule


def _as_is(site: OpContext, values: Values) -> OpCall:
    return with_values(site.call, values)


def move(
    site: OpContext,
    indices: Sequence[int],
    operands: dict[int, ChannelTensor],
    settings: Settings,
    keep: Sequence[int] = (),
) -> None:
    """Moves channels by the copies where there are any: what was spread over positions comes together again."""
    tensors = list(operands.values())
    results = run(site, settings(site, channel_numbers(site, indices, operands)))
    if any(tensor.name in site.draft.copies for tensor in tensors):
        by_copies = channel_numbers(site, indices, operands, site.draft.copies)
        alike = run(site, settings(site, by_copies))
        results = [a if _tells(a, tensors) else b for a, b in zip(alike, results, strict=True)]
    write(site, results, tensors, keep)


def _tells(result: Array, tensors: Sequence[ChannelTensor]) -> bool:
    """Tells whether any two channels differ."""
    return bool(read_off(result, tensors).axes)


def _stand(site: OpContext, data: Sequence[int]) -> None:
    """Moved tensors keep its standing; of several, that of the highest."""
    found = [site.standing(index) for index in data if site.name(index)]
    for output in range(len(site.node.outputs)):
        if found:
            site.stand(max(found), output)


def channel_numbers(
    site: OpContext,
    indices: Sequence[int],
    operands: dict[int, ChannelTensor],
    copies: Mapping[str, Places] | None = None,
) -> Values:
    """The numbers of each operand's channels, 0 for inputs that have none."""
    same = copies or {}
    starts = dict(zip(operands, firsts(list(operands.values())), strict=True))
    values: Values = {}
    for index in indices:
        if not site.name(index):
            continue
        shape = static(site, index)
        if index in operands:
            tensor = operands[index]
            values[index] = numbered(tensor, shape, starts[index], same.get(tensor.name))
        else:
            values[index] = np.broadcast_to(np.zeros((), np.int32), shape)
    return values


def static(site: OpContext, index: int) -> tuple[int, ...]:
    """The shape of an input; open dims that hold no channels count as 1."""
    tensor = site.channels(index)
    dims = site.dims(index)
    if tensor is not None:
        own = dict(zip(tensor.axes, tensor.dims, strict=True))
        return tuple(own.get(axis, 1 if dim is None else dim) for axis, dim in enumerate(dims))
    if None in dims:
        raise UnknownFactError(f"the shape of '{site.name(index)}' is not known before the model runs")
    return tuple(dim for dim in dims if dim is not None)


def with_values(call: OpCall, values: Values) -> OpCall:
    """The call with these values in place of what is known of its inputs."""
    known = list(call.values) + [None] * (len(call.inputs) - len(call.values))
    for index, value in values.items():
        known[index] = value
    return replace(call, values=tuple(known))


def run(site: OpContext, call: OpCall) -> list[Array]:
    """The outputs, by the operator's own rule."""
    rule = VALUE_RULES.get(site.node.op_type, site.node.domain)
    if rule is None:
        raise UnknownFactError(f"{site.node.op_type} cannot be run on channel numbers")
    return rule(call)


def write(
    site: OpContext, results: Sequence[Array], operands: Sequence[ChannelTensor], keep: Sequence[int] = ()
) -> None:
    """Read the channels of each output off its numbers."""
    for output, result in enumerate(results):
        if site.out(output):
            moved = read_off(result, operands, keep)
            site.lead(site.target(output, moved.axes, moved.dims), moved.parts)


def _padded(site: OpContext, values: Values) -> OpCall:
    """Whatever it pads with, nothing comes from there."""
    zeros = {2: np.zeros((), np.int32)} if site.name(2) else {}
    return replace(with_values(site.call, values | zeros), attributes={**site.call.attributes, "value": 0})


MOVED = "Transpose Split Squeeze Unsqueeze Flatten Tile Trilu"

CHANNEL_RULES.add(moving(0), *MOVED.split())
CHANNEL_RULES.add(moving(0, keep=(1,)), "DepthToSpace", "SpaceToDepth")
_pad = moving(0, settings=_padded)


@channels("Pad")
def pad(site: OpContext) -> None:
    """Positions are not counted where only they grow: images are large."""
    source = site.channels(0)
    if source is None:
        _pad(site)
        return
    kept = zip(site.dims(0), site.out_dims(), strict=True)
    same = [axis for axis, (before, after) in enumerate(kept) if before is not None and before == after]
    if set(source.real) <= set(same) and _only_grows(site, source):
        site.carry(0)
    else:
        _pad(site)


def _only_grows(site: OpContext, source: ChannelTensor) -> bool:
    """Tells whether nothing is cropped off a channel axis that grows on its other side."""
    amounts = site.call.attr("pads") or site.call.attr("paddings")
    if amounts is None:
        known = site.call.values[1] if len(site.call.values) > 1 else None
        if known is None or site.name(3):
            return False
        amounts = known.reshape(-1).tolist()
    rank = len(site.dims(0))
    return all(amounts[axis] == 0 == amounts[axis + rank] for axis in source.real)


@channels("Concat", "ConcatFromSequence")
def concat(site: OpContext) -> None:
    """Only channel axes are counted: along all others any position is like the first."""
    indices = range(len(site.node.inputs))
    operands = site.followed()
    _stand(site, indices)
    if not operands:
        return
    rank = len(site.dims(next(iter(operands))))
    axis = int(site.call.attr("axis", 1)) % rank
    stacked = all(tensor.count == 1 for tensor in operands.values()) and all(
        site.dims(index)[axis] == 1 for index in indices
    )
    keep = (axis,) if stacked or any(axis in tensor.axes for tensor in operands.values()) else ()
    wide = {each for tensor in operands.values() for each in tensor.axes} | set(keep)
    counted = {index: _narrowed(site, index, wide) for index in indices}
    starts = dict(zip(operands, firsts(list(operands.values())), strict=True))
    values = {
        index: numbered(operands[index], shape, starts[index])
        if index in operands
        else np.broadcast_to(np.zeros((), np.int32), shape)
        for index, shape in counted.items()
    }
    (result,) = run(site, replace(with_values(site.call, values), attributes={"axis": axis}))
    moved = read_off(result, list(operands.values()), keep)
    parts = moved.parts
    if axis not in wide:
        lengths = [site.dims(index)[axis] or 1 for index in operands]
        parts = tuple(replace(part, weight=float(n)) for part, n in zip(parts, lengths, strict=True))
    site.lead(site.target(0, moved.axes, moved.dims), parts)


def _narrowed(site: OpContext, index: int, wide: set[int]) -> tuple[int, ...]:
    """The shape of an operand with every axis that holds no channels cut to 1."""
    shape = []
    for axis, dim in enumerate(site.dims(index)):
        if axis not in wide:
            shape.append(1)
        elif dim is None:
            raise UnknownFactError(f"the shape of '{site.name(index)}' is not known before the model runs")
        else:
            shape.append(dim)
    return tuple(shape)
