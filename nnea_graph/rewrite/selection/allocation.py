"""Allocates removals to families: most where the least is lost for what is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isinf

import numpy as np

from nnea_graph.rewrite.selection.resource_model import Resources

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class PruningBudget:
    """A family: ``count`` groups, of which ``least`` stay; counts that stay are multiples of ``step`` (or all).

    ``loss`` tells what it costs to give up so many.
    """

    name: str
    count: int
    least: int
    step: int
    loss: Callable[[int], float]

    def fewer(self, kept: int) -> int | None:
        """The next smaller number that may be kept."""
        below = (kept - 1) // self.step * self.step
        return below if below >= self.least and below > 0 else None

    def more(self, kept: int) -> int | None:
        """The next larger one."""
        above = min((kept // self.step + 1) * self.step, self.count)
        return above if above > kept else None

    def more_lost(self, kept: int, fewer: int) -> float:
        """Loss that keeping fewer costs more; where neither is known, as much as can be."""
        now, then = self.loss(self.count - kept), self.loss(self.count - fewer)
        return inf if isinf(now) and isinf(then) else max(then - now, 0.0)


@dataclass(slots=True)
class Allocation:
    """Groups that each family keeps, and what that leaves of the resources. Not ``met``: out of reach."""

    kept: Counts
    shares: dict[str, float] = field(default_factory=dict)
    met: bool = True


def allocate(
    rooms: Sequence[PruningBudget], resources: Resources, targets: Mapping[str, float]
) -> Allocation:
    """Step by step from the family that loses least for what its next step saves of the targets that are not met.

    What turns out not to be needed is given back. Takes steps x families evaluations.
    """
    kept: Counts = {room.name: room.count for room in rooms}
    for kept in descent(rooms, resources, targets):
        if _met(resources, kept, targets):
            break
    if _met(resources, kept, targets):
        _give_back(rooms, resources, targets, kept)
    shares = {name: resources.share(name, kept) for name in resources.terms}
    return Allocation(kept, shares, _met(resources, kept, targets))


def descent(
    rooms: Sequence[PruningBudget],
    resources: Resources,
    targets: Mapping[str, float],
    start: Mapping[str, int] | None = None,
) -> Iterator[Counts]:
    """Counts from all, or ``start``, down to the least that there may be, one family's step after the other.

    Where all targets are met, or there are none, every resource is worth as much as any other.
    """
    kept: Counts = {room.name: room.count for room in rooms} | dict(start or {})
    yield dict(kept)
    while True:
        steps = [(room, fewer) for room in rooms if (fewer := room.fewer(kept[room.name])) is not None]
        saved = _saved(resources, kept, targets, {room.name: fewer for room, fewer in steps})
        prices = [
            (room.more_lost(kept[room.name], fewer) / gain, place)
            for place, ((room, fewer), gain) in enumerate(zip(steps, saved, strict=True))
            if gain > 0
        ]
        if not prices:
            return
        room, fewer = steps[min(prices)[1]]
        kept[room.name] = fewer
        yield dict(kept)


def _saved(
    resources: Resources, kept: Counts, targets: Mapping[str, float], changed: Mapping[str, int]
) -> list[float]:
    """Saving that each family's next step saves, by what that is worth."""
    total = np.zeros(len(changed))
    for name, weight in _worth(resources, kept, targets).items():
        total += weight * (resources.share(name, kept) - resources.shares(name, kept, changed))
    return [float(each) for each in total]


def _worth(resources: Resources, kept: Counts, targets: Mapping[str, float]) -> dict[str, float]:
    """Worth of a share of each resource: the nearer to its target, the more."""
    missing = {
        name: resources.share(name, kept) - goal
        for name, goal in targets.items()
        if resources.share(name, kept) > goal
    }
    if not missing:
        return dict.fromkeys(resources.terms, 1.0)
    return {name: 1 / max(gap, 0.01) for name, gap in missing.items()}


def _met(resources: Resources, kept: Mapping[str, int], targets: Mapping[str, float]) -> bool:
    return all(resources.share(name, kept) <= goal + 1e-9 for name, goal in targets.items())


def _give_back(
    rooms: Sequence[PruningBudget], resources: Resources, targets: Mapping[str, float], kept: Counts
) -> None:
    """Steps that the targets do not need, the dearest first."""
    while True:
        steps = [(room, more) for room in rooms if (more := room.more(kept[room.name])) is not None]
        fits = np.ones(len(steps), np.bool_)
        for name, goal in targets.items():
            fits &= resources.shares(name, kept, {room.name: more for room, more in steps}) <= goal + 1e-9
        gains = [
            (room.more_lost(more, kept[room.name]), room.name, more)
            for (room, more), met in zip(steps, fits, strict=True)
            if met
        ]
        if not gains:
            return
        _, name, more = max(gains)
        kept[name] = more
