"""Axes that are products of named factors (heads × size): indices of one factor go, or of some that share no axis.

An operator that cuts such axes itself, as attention does, says what each axis is made of (``Side``) and which factors
may lose indices together (``ways``); ``couple_factors`` makes of it what a chain of reshapes would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from nnea_graph.rewrite.coupling.constraints import Option
from nnea_graph.rewrite.coupling.index_space import Indices
from nnea_graph.rewrite.coupling.op_context import CouplingContext, NotFollowedError

Way = frozenset[str]
"""Factors that may lose indices at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The slots of an axis, or of a part of one, and the factors that it is a product of, outermost first."""

    slots: Indices
    factors: tuple[str, ...]


def side(site: CouplingContext, tensor: str, axis: int, *factors: str) -> list[Side]:
    """A whole axis of a tensor; none where it is left out, or of length 1 and so the same for all."""
    if not tensor or site.draft.single(site.axis(tensor, axis)):
        return []
    slots = site.draft.slots.of(site.axis(tensor, axis))
    if slots is None:
        raise NotFollowedError(f"{site.node.op_type}: the shape of '{tensor}' is not known")
    return [Side(slots, factors)]


def length(site: CouplingContext, tensor: str, axis: int) -> int:
    """Tells how long an axis is, which must be known."""
    dim = site.dims(tensor)[site.axis(tensor, axis)[1]]
    if dim is None:
        raise NotFollowedError(f"{site.node.op_type}: the shape of '{tensor}' is not known")
    return dim


def parts(site: CouplingContext, tensor: str, axis: int, *pieces: tuple[int, tuple[str, ...]]) -> list[Side]:
    """An axis of several pieces, each of so many indices and its factors."""
    sides = []
    for whole in side(site, tensor, axis):
        ends = np.cumsum([count for count, _ in pieces])
        if ends[-1] != len(whole.slots):
            raise NotFollowedError(f"{site.node.op_type}: '{tensor}' does not hold what its attributes say")
        cuts = np.split(whole.slots, ends[:-1])
        sides += [Side(cut, factors) for cut, (_, factors) in zip(cuts, pieces, strict=True)]
    return sides


def couple_factors(
    site: CouplingContext, sides: Sequence[Side], lengths: Mapping[str, int], ways: Iterable[Way], reason: str
) -> None:
    """Let the factors of one of the ways lose indices; what has none of them stays, for this reason."""
    for each in sides:
        if prod(lengths[factor] for factor in each.factors) != len(each.slots):
            raise NotFollowedError(f"{site.node.op_type}: its attributes do not fit the shapes of its inputs")
    for group in _connected(sides):
        names = {factor for each in group for factor in each.factors if lengths[factor] > 1}
        found = dict.fromkeys(way & names for way in ways if way & names)
        options = [_option(site, group, lengths, way, reason) for way in found]
        if len(options) > 1:
            site.choose("reshape", options)
        elif options:
            site.draft.edges += options[0].edges
            site.draft.pins += options[0].pins
        else:
            site.draft.pins += [(each.slots, f"{site.node.op_type}: {reason}") for each in group]


def _connected(sides: Sequence[Side]) -> list[list[Side]]:
    """Sides by what they share factors with."""
    groups: list[list[Side]] = []
    for each in sides:
        near = [group for group in groups if any(set(each.factors) & set(other.factors) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(other for group in near for other in group), each])
    return groups


def _option(
    site: CouplingContext, sides: Sequence[Side], lengths: Mapping[str, int], way: Way, reason: str
) -> Option:
    option = Option()
    for factor in sorted(way):
        rows = [_rows(each, lengths, factor) for each in sides if factor in each.factors]
        option.edges += [(np.repeat(each[:, 0], each.shape[1]), each.reshape(-1)) for each in rows]
        option.edges += [(rows[0][:, 0], each[:, 0]) for each in rows[1:]]
    for each in sides:
        if not way & set(each.factors):
            option.pins.append((each.slots, f"{site.node.op_type}: {reason}"))
        elif len(way) == 1:  # of several factors one is enough
            option.needs.append(each.slots)
    return option


def _rows(each: Side, lengths: Mapping[str, int], factor: str) -> Indices:
    """Slots by their index along one factor."""
    shaped = each.slots.reshape([lengths[name] for name in each.factors])
    return np.moveaxis(shaped, each.factors.index(factor), 0).reshape(lengths[factor], -1)
