"""Rotary position embedding as one operator: numbers of a head are turned in pairs, by an angle for each pair."""

from __future__ import annotations

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.axis_factors import Side, couple_factors, length, side
from nnea_graph.rewrite.coupling.op_context import (
    COUPLING_RULES,
    CouplingContext,
    CouplingRule,
    NotFollowedError,
)
from nnea_graph.rewrite.coupling.rules.convolution import POSITIONS

HEADS, PAIRS, OF_PAIR, SIZE = "heads", "pairs", "of pair", "size"
STAYS = "whole heads go, or the same pairs of each"


def rotary(cos: int, sin: int, positions: int) -> CouplingRule:
    """Inputs ``cos`` and ``sin`` have a column for every pair."""

    def rule(site: CouplingContext) -> None:
        x, y = site.name(0), site.out()
        if site.rank(x) not in (3, 4):
            raise NotFollowedError(f"{site.node.op_type}: '{x}' has {site.rank(x)} axes")
        flat, lengths, inner = _factors(site, length(site, site.name(cos), -1))
        for name in (x, y):
            site.pin(name, 1 if flat else 2, POSITIONS)
        sides = [each for name in (x, y) for each in _heads(site, name, inner)]
        for name in (site.name(cos), site.name(sin)):
            sides += side(site, name, -1, PAIRS)
            for axis in range(site.rank(name) - 1):
                site.pin(name, axis, POSITIONS)
        couple_factors(site, sides, lengths, [frozenset({HEADS}), frozenset({PAIRS})], STAYS)
        site.same(x, 0, y, 0)
        site.pin_all(site.name(positions), POSITIONS)

    return rule


def _factors(site: CouplingContext, pairs: int) -> tuple[bool, dict[str, int], tuple[str, ...]]:
    """Whether heads lie side by side, how long the factors are, and which a head has: pairs only if all are turned."""
    x, flat = site.name(0), site.rank(site.name(0)) == 3
    width, told = length(site, x, -1), int(site.call.attr("num_heads", 0))
    size = width if not flat else width // told if told > 0 else 2 * pairs
    heads = width // max(size, 1) if flat else length(site, x, 1)
    lengths = {HEADS: heads, PAIRS: pairs, OF_PAIR: 2, SIZE: size}
    if size != 2 * pairs:
        return flat, lengths, (SIZE,)
    return flat, lengths, (PAIRS, OF_PAIR) if site.call.attr("interleaved", 0) else (OF_PAIR, PAIRS)


def _heads(site: CouplingContext, name: str, inner: tuple[str, ...]) -> list[Side]:
    if site.rank(name) == 3:
        return side(site, name, 2, HEADS, *inner)
    return side(site, name, 1, HEADS) + side(site, name, 3, *inner)


COUPLING_RULES.add(rotary(1, 2, 3), "RotaryEmbedding")
COUPLING_RULES.add(rotary(2, 3, 1), "RotaryEmbedding", domain=MICROSOFT)
