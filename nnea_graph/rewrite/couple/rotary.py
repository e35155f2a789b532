"""Rotary position embedding as one operator: numbers of a head are turned in pairs, by an angle for each pair."""

from __future__ import annotations

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.couple.convolution import POSITIONS
from nnea_graph.rewrite.factors import couple_factors, side
from nnea_graph.rewrite.site import COUPLING_RULES, CouplingRule, NotFollowedError, Site

HEADS, PAIRS, OF_PAIR, SIZE = "heads", "pairs", "of pair", "size"
STAYS = "whole heads go, or the same pairs of each"


def rotary(cos: int, sin: int, positions: int) -> CouplingRule:
    """Inputs ``cos`` and ``sin`` have a column for every pair."""

    def rule(site: Site) -> None:
        x, y = site.name(0), site.out()
        rank, turned = site.rank(x), int(site.call.attr("rotary_embedding_dim", 0))
        pairs, width = site.dims(site.name(cos))[-1], site.dims(x)[-1]
        if pairs is None or width is None or rank not in (3, 4):
            raise NotFollowedError(f"{site.node.op_type}: its shapes are not known")
        size = width if rank == 4 else 2 * pairs
        if rank == 3 and site.call.attr("num_heads", 0):
            size = width // int(site.call.attr("num_heads", 0))
        whole = turned in (0, size) and size == 2 * pairs
        inner = (
            ((PAIRS, OF_PAIR) if site.call.attr("interleaved", 0) else (OF_PAIR, PAIRS)) if whole else (SIZE,)
        )
        heads = (site.dims(x)[1] or 0) if rank == 4 else width // max(size, 1)
        lengths = {HEADS: heads, PAIRS: pairs, OF_PAIR: 2, SIZE: size}
        sides = [
            each
            for name in (x, y)
            for each in (
                side(site, name, 2, HEADS, *inner)
                if rank == 3
                else side(site, name, 1, HEADS) + side(site, name, 3, *inner)
            )
        ]
        for index in (cos, sin):
            sides += side(site, site.name(index), site.rank(site.name(index)) - 1, PAIRS)
            for axis in range(site.rank(site.name(index)) - 1):
                site.pin(site.name(index), axis, POSITIONS)
        couple_factors(site, sides, lengths, [frozenset({HEADS}), frozenset({PAIRS})], STAYS)
        site.same(x, 0, y, 0)
        site.pin(x, 1 if rank == 3 else 2, POSITIONS)
        site.pin(y, 1 if rank == 3 else 2, POSITIONS)
        site.pin_all(site.name(positions), POSITIONS)

    return rule


COUPLING_RULES.add(rotary(1, 2, 3), "RotaryEmbedding")
COUPLING_RULES.add(rotary(2, 3, 1), "RotaryEmbedding", domain=MICROSOFT)
