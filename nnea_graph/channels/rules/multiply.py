"""Products and quotients: the value leads on, what scales it does not."""

from __future__ import annotations

import numpy as np

from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.channels.rule_context.join_shares import JoinShare
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.operand_rank import OperandRank
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, ChannelRule, channels
from nnea_graph.channels.rules.add import align, elements
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.weight_layout import layouts

GATED = "gate: followed the value"
PRODUCT = "product: followed the first operand"


def multiplying(left: int, right: int) -> ChannelRule:
    """The operand that is not broadcast; of equals, that of the higher standing."""

    def rule(site: OpContext) -> None:
        found = site.followed(left, right)
        _hint(site)
        if len(found) < 2:
            _single(site, (left, right), found)
            return
        order = sorted(found, key=lambda index: _rank(site, index), reverse=True)
        value, gate = order[0], order[1]
        decided = _rank(site, value) != _rank(site, gate)
        self_gated = (
            decided and site.standing(value) >= OperandRank.ACTIVATION and _same_origin(site, value, gate)
        )
        standing = OperandRank.ACTIVATION if self_gated else site.standing(value)
        site.stand(standing)
        squared = site.name(left) == site.name(right)
        mark = "" if squared else GATED if decided else PRODUCT
        align(site, {value: found[value]}, mark=mark)

    return rule


def _rank(site: OpContext, index: int) -> tuple[int, OperandRank]:
    """Operand that is broadcast over the other is a gate, whatever it is made of."""
    return elements(site, index), site.standing(index)


def _single(site: OpContext, operands: tuple[int, int], found: dict[int, ChannelTensor]) -> None:
    """One operand, or none, has channels: it is followed whatever it is."""
    computed = [index for index in operands if site.name(index) and site.reader(index) is None]
    site.stand(max((site.standing(index) for index in found or computed), default=OperandRank.VALUE))
    if found:
        align(site, found, mark=GATED if len(computed) > 1 else "")


def _same_origin(site: OpContext, value: int, gate: int) -> bool:
    """Tells whether the gate is made from the value itself, as in x * sigmoid(x)."""
    wanted, seen, stack = site.name(value), set[str](), [site.name(gate)]
    while stack and len(seen) < 16:
        name = stack.pop()
        if name == wanted:
            return True
        if name not in seen:
            seen.add(name)
            stack.extend(link.source for link in site.draft.into.get(name, ()))
    return False


def _hint(site: OpContext) -> None:
    """A constant factor along one axis hints at the channels of an input."""
    if not site.draft.scouting:
        return
    for layout in layouts(site.call):
        index = layout.data[1]
        if site.channels(index) is not None and site.reader(layout.weight) is not None:
            site.demand(index, (layout.data_axis % len(site.dims(index)),), dense=False)


@channels("SwiGLU")
def swiglu(site: OpContext) -> None:
    """The first operand is the gate."""
    site.carry(1, mark=GATED)


@channels("BiasSplitGelu", domain=MICROSOFT)
def split_gelu(site: OpContext) -> None:
    """The second half of the channels is the gate of the first."""
    source = site.channels(0)
    last = len(site.dims(0)) - 1
    if source is not None and source.real == (last,):
        places = np.arange(source.count // 2)
        site.lead(site.target(0, (last,), (places.size,)), [JoinShare(source, places)], GATED)
    else:
        site.end_all("its halves are not along channels")


CHANNEL_RULES.add(multiplying(0, 1), "Mul")
CHANNEL_RULES.add(multiplying(0, 3), "QLinearMul", domain=MICROSOFT)


@channels("Div")
def divide(site: OpContext) -> None:
    """The numerator, or the denominator where only that has channels."""
    found = site.followed(0, 1)
    _hint(site)
    chosen = next(iter(found), None)
    if chosen is None:
        _single(site, (0, 1), found)
        return
    site.stand(site.standing(chosen))
    align(site, {chosen: found[chosen]}, mark=GATED if len(found) > 1 else "")
