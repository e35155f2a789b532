"""Attention as one operator: heads go whole, with the queries, keys and values that belong to them, or alike in size.

Factors: ``group`` are heads of keys and values, ``share`` the heads of queries that share one of them, ``size`` the
numbers of a head that queries and keys have, ``value`` those that values have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.axis_factors import Side, Way, couple_factors, length, parts, side
from nnea_graph.rewrite.coupling.op_context import CouplingContext, NotFollowedError, coupling
from nnea_graph.rewrite.coupling.rules.convolution import POSITIONS

GROUP, SHARE, SIZE, VALUE = "group", "share", "size", "value"
WHOLE_HEADS: tuple[Way, ...] = (frozenset({GROUP}), frozenset({SHARE}))
WITHIN: Way = frozenset({SIZE, VALUE})
"""The same numbers of every head."""

STAYS = "whole heads go, or the same numbers of each"
SIZE_STAYS = "whole heads go, their size stays"


@dataclass(frozen=True, slots=True)
class HeadGroups:
    """Counts of heads of keys and values there are, how many of queries to each, and how wide those are."""

    group: int
    share: int
    size: int
    value: int

    @property
    def lengths(self) -> dict[str, int]:
        """Lengths of the factors."""
        return {GROUP: self.group, SHARE: self.share, SIZE: self.size, VALUE: self.value}


def heads_of(site: CouplingContext, queries: int, groups: int, size: int, value: int) -> HeadGroups:
    """Groups from the numbers of heads and their sizes."""
    if min(queries, groups, size, value) < 1 or queries % groups:
        raise NotFollowedError(f"{site.node.op_type}: {queries} heads of queries for {groups} of values")
    return HeadGroups(groups, queries // groups, size, value)


@coupling("Attention")
def attention(site: CouplingContext) -> None:
    """Couples attention of three axes with the heads side by side, or of four."""
    query, key, value, mask = (site.name(index) for index in range(4))
    flat = site.rank(query) == 3
    groups = _number(site, "kv_num_heads") if flat else length(site, key, 1)
    queries = _number(site, "q_num_heads") if flat else length(site, query, 1)
    sizes = [length(site, name, -1) // (max(groups, 1) if flat else 1) for name in (key, value)]
    heads = heads_of(site, queries, groups, *sizes)
    sides = _operand(site, query, GROUP, SHARE, SIZE) + _operand(site, site.out(), GROUP, SHARE, VALUE)
    for name in (key, site.name(4), site.out(1)):
        sides += _operand(site, name, GROUP, SIZE)
    for name in (value, site.name(5), site.out(2)):
        sides += _operand(site, name, GROUP, VALUE)
    sides += _by_head(site, mask) + _by_head(site, site.out(3))
    couple_factors(site, sides, heads.lengths, (*WHOLE_HEADS, WITHIN), STAYS)
    site.pin_all(site.name(6), POSITIONS)


@coupling("MultiHeadAttention", domain=MICROSOFT)
def multi_head(site: CouplingContext) -> None:
    """Couples as many heads of keys and values as of queries; some of the three may be packed into one tensor."""
    count, (query, key, value, bias) = _number(site, "num_heads"), (site.name(index) for index in range(4))
    packed = next((name for name in (query, key) if name and site.rank(name) == 5), "")
    value_size = SIZE if packed else VALUE
    if not key and not packed:
        raise NotFollowedError("MultiHeadAttention: keys and values are packed in an unknown way")
    size = length(site, packed, -1) if packed else length(site, query, -1) // count
    width = size if packed else length(site, value, -1) // (1 if site.rank(value) == 4 else count)
    heads = heads_of(site, count, count, size, width)
    sides = _operand(site, query, GROUP, SIZE) + _operand(site, site.out(), GROUP, value_size)
    for name in (key, site.name(6), site.out(1)):
        sides += _operand(site, name, GROUP, SIZE)
    for name in (value, site.name(7), site.out(2)):
        sides += _operand(site, name, GROUP, value_size)
    one, other = (count * size, (GROUP, SIZE)), (count * width, (GROUP, value_size))
    sides += parts(site, bias, 0, one, one, other)
    sides += _by_head(site, site.name(5)) + _by_head(site, site.out(3))
    couple_factors(site, sides, heads.lengths, (*WHOLE_HEADS, WITHIN), STAYS)
    for index in (4, 8, 9):
        site.pin_all(site.name(index), POSITIONS)


@coupling("GroupQueryAttention", domain=MICROSOFT)
def group_query(site: CouplingContext) -> None:
    """Heads of queries share keys and values, which may be packed behind them; a size must be a multiple of 8."""
    queries, groups = _number(site, "num_heads"), _number(site, "kv_num_heads")
    query, key, value = (site.name(index) for index in range(3))
    size = length(site, query, -1) // (queries if key else queries + 2 * groups)
    heads = heads_of(site, queries, groups, size, size)
    one, other = (queries * size, (GROUP, SHARE, SIZE)), (groups * size, (GROUP, SIZE))
    sides = parts(site, query, 2, *([one] if key else [one, other, other]))
    sides += _operand(site, site.out(), GROUP, SHARE, SIZE)
    for name in (key, value, site.name(3), site.name(4), site.out(1), site.out(2)):
        sides += _operand(site, name, GROUP, SIZE)
    sides += side(site, site.name(11), 0, GROUP, SHARE)
    sides += _by_head(site, site.name(10)) + _by_head(site, site.out(3))
    couple_factors(site, sides, heads.lengths, WHOLE_HEADS, SIZE_STAYS)
    for index in (5, 6, 7, 8, 9, 12, 13):
        site.pin_all(site.name(index), POSITIONS)


@coupling("Attention", domain=MICROSOFT)
def projected(site: CouplingContext) -> None:
    """Projects its input itself: columns of the weight are queries, keys and values, head by head."""
    sized = not (site.name(4) or site.out(1) or site.call.attr("do_rotary", 0))
    _projected(site, (2,), past=4, bias=5, ways=(*WHOLE_HEADS, *([WITHIN] if sized else [])))
    for index in (3, 6):
        site.pin_all(site.name(index), POSITIONS)


@coupling("QAttention", domain=MICROSOFT)
def quantized(site: CouplingContext) -> None:
    """The same with a weight of small numbers, of which each column may have a scale."""
    columns = [
        index for index in (2, 4, 7) if site.name(index) and site.dims(site.name(index)) not in ((), (1,))
    ]
    _projected(site, columns, past=8, bias=None, ways=WHOLE_HEADS)
    site.pin_all(site.name(5), POSITIONS)


def _projected(
    site: CouplingContext, columns: Iterable[int], past: int, bias: int | None, ways: Iterable[Way]
) -> None:
    """``columns`` are inputs with a number for every column, ``past`` is the cache, ``bias`` added to the scores."""
    x, weight, count = site.name(0), site.name(1), _number(site, "num_heads")
    listed = [int(size) for size in site.call.attr("qkv_hidden_sizes") or [length(site, weight, 1) // 3] * 3]
    if len(listed) != 3 or listed[0] != listed[1]:
        raise NotFollowedError(f"{site.node.op_type}: qkv_hidden_sizes are {listed}")
    size, _, value = (each // count for each in listed)
    cached = bool(site.name(past) or site.out(1))
    value_size = SIZE if cached else VALUE
    pieces = [(listed[0], (GROUP, SIZE)), (listed[1], (GROUP, SIZE)), (listed[2], (GROUP, value_size))]
    sides = parts(site, weight, 1, *pieces) + _operand(site, site.out(), GROUP, value_size)
    for index in columns:
        sides += parts(site, site.name(index), 0, *pieces)
    for name in (site.name(past), site.out(1)):
        sides += side(site, name, 2, GROUP) + side(site, name, 4, SIZE) if name else []
    if bias is not None:
        sides += _by_head(site, site.name(bias))
    couple_factors(site, sides, heads_of(site, count, count, size, value).lengths, ways, STAYS)
    site.same(x, 2, weight, 0)
    site.same(x, 0, site.out(), 0)
    site.pin(x, 1, POSITIONS)


def _operand(site: CouplingContext, tensor: str, *factors: str) -> list[Side]:
    """Heads side by side in the last axis, or in axes of their own; the first axis is the batch."""
    if not tensor:
        return []
    rank, (*outer, size) = site.rank(tensor), factors
    site.same(tensor, 0, site.out(), 0)
    if rank == 3:
        site.pin(tensor, 1, POSITIONS)
        return side(site, tensor, 2, *factors)
    if rank == 4:  # heads, positions, size
        site.pin(tensor, 2, POSITIONS)
        return side(site, tensor, 1, *outer) + side(site, tensor, 3, size)
    if rank == 5:  # positions, heads, which of queries, keys and values, size
        for axis in (1, 3):
            site.pin(tensor, axis, POSITIONS)
        return side(site, tensor, 2, *outer) + side(site, tensor, 4, size)
    raise NotFollowedError(f"{site.node.op_type}: '{tensor}' has {rank} axes")


def _by_head(site: CouplingContext, scores: str) -> list[Side]:
    """Something for every score, (batch, heads, positions, positions) or broadcast to it."""
    if not scores:
        return []
    rank = site.rank(scores)
    for axis in range(max(rank - 2, 0), rank):
        site.pin(scores, axis, POSITIONS)
    if rank > 3:
        site.same(scores, 0, site.out(), 0)
    return side(site, scores, rank - 3, GROUP, SHARE) if rank > 2 else []


def _number(site: CouplingContext, attribute: str) -> int:
    count = int(site.call.attr(attribute, 0))
    if count < 1:
        raise NotFollowedError(f"{site.node.op_type}: {attribute} is {count}")
    return count
