"""Sums and choices: every operand that has channels leads on, by its share of the mean activation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.channels.rule_context.join_shares import JoinShare
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.operand_rank import OperandRank
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, ChannelRule
from nnea_graph.ops.call import UnknownFactError
from nnea_graph.ops.registry import MICROSOFT

WIDEST = 1 << 16
"""Channels that operands with different channel axes may make together."""


def joining(*operands: int) -> ChannelRule:
    """Operands (none: all inputs) meet element by element."""
    return lambda site: join(site, operands or tuple(range(len(site.node.inputs))))


def join(site: OpContext, indices: Sequence[int], output: int = 0, mark: str = "") -> None:
    """Let the operands of the highest standing lead into an output that they broadcast to."""
    found = site.followed(*indices)
    present = [index for index in indices if site.name(index) and site.reader(index) is None]
    site.stand(max((site.standing(index) for index in present), default=OperandRank.VALUE), output)
    chosen = {index: found[index] for index in values_among(site, found)}
    if chosen:
        align(site, chosen, output, mark)


def values_among(site: OpContext, indices: Iterable[int]) -> list[int]:
    """The operands without the statistics that are broadcast over others."""
    listed = list(indices)
    widest = max((elements(site, index) for index in listed), default=0)
    return [
        index
        for index in listed
        if site.standing(index) is not OperandRank.STATISTIC or elements(site, index) == widest
    ]


def elements(site: OpContext, index: int) -> int:
    """Elements of an operand; open dims count as 1."""
    return prod(dim if dim is not None else 1 for dim in site.dims(index))


def align(site: OpContext, operands: dict[int, ChannelTensor], output: int = 0, mark: str = "") -> None:
    """Lead operands to the axes of the output: those of all, counted from the right."""
    rank = max(len(site.dims(index)) for index in range(len(site.node.inputs)) if site.name(index))
    shifts = {index: rank - len(site.dims(index)) for index in operands}
    dims: dict[int, int] = {}
    for index, tensor in operands.items():
        for axis, dim in zip(tensor.axes, tensor.dims, strict=True):
            dims[axis + shifts[index]] = max(dim, dims.get(axis + shifts[index], 1))
    target = site.target(output, sorted(dims), [dims[axis] for axis in sorted(dims)])
    if target.count > max(WIDEST, *(tensor.count for tensor in operands.values())):
        raise UnknownFactError(f"its operands have channels along different axes, {target.count} together")
    parts = [
        JoinShare(tensor, _stretched(tensor, shifts[index], target)) for index, tensor in operands.items()
    ]
    site.lead(target, parts, mark)


def _stretched(
    tensor: ChannelTensor, shift: int, target: ChannelTensor
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The operand's channel at each channel of the output."""
    own = dict(zip((axis + shift for axis in tensor.axes), tensor.dims, strict=True))
    numbers = np.arange(tensor.count).reshape([own.get(axis, 1) for axis in target.axes])
    return np.broadcast_to(numbers, target.dims).reshape(-1)


CHANNEL_RULES.add(
    joining(), "Add", "Sub", "Sum", "Min", "Max", "Mean", "BitwiseAnd", "BitwiseOr", "BitwiseXor"
)
CHANNEL_RULES.add(joining(1, 2), "Where")
CHANNEL_RULES.add(joining(0, 3), "QLinearAdd", domain=MICROSOFT)
CHANNEL_RULES.add(joining(0, 2), "BiasAdd", "BiasDropout", domain=MICROSOFT)
CHANNEL_RULES.add(joining(1, 4), "QLinearWhere", domain=MICROSOFT)


def skipping(*operands: int) -> ChannelRule:
    """A residual sum and its normalization in one operator; output 3 (1 for groups) is the sum itself."""

    def rule(site: OpContext) -> None:
        for output in (0, 1 if site.node.op_type == "SkipGroupNorm" else 3):
            if site.out(output):
                join(site, operands, output)

    return rule


CHANNEL_RULES.add(
    skipping(0, 1), "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT
)
CHANNEL_RULES.add(skipping(0, 3), "SkipGroupNorm", domain=MICROSOFT)
