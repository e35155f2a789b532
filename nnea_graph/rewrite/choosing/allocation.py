"""How many groups each family gives up: where the least is lost for what is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nnea_graph.rewrite.choosing.resources import Resources

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Room:
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

    def lost(self, kept: int) -> float:
        """What keeping so many costs."""
        return self.loss(self.count - kept)


@dataclass(slots=True)
class Allocation:
    """Groups that each family keeps, and what that leaves of the resources. Not ``met``: out of reach."""

    kept: Counts
    shares: dict[str, float] = field(default_factory=dict)
    met: bool = True


def allocate(rooms: Sequence[Room], resources: Resources, targets: Mapping[str, float]) -> Allocation:
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
    rooms: Sequence[Room],
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
        best: tuple[float, str, int] | None = None
        worth = _worth(resources, kept, targets)
        now = {name: resources.share(name, kept) for name in worth}
        for room in rooms:
            fewer = room.fewer(kept[room.name])
            if fewer is None:
                continue
            then = kept | {room.name: fewer}
            saved = sum(weight * (now[name] - resources.share(name, then)) for name, weight in worth.items())
            if saved <= 0:
                continue
            price = max(room.lost(fewer) - room.lost(kept[room.name]), 0.0) / saved
            if best is None or price < best[0]:
                best = price, room.name, fewer
        if best is None:
            return
        kept[best[1]] = best[2]
        yield dict(kept)


def _worth(resources: Resources, kept: Counts, targets: Mapping[str, float]) -> dict[str, float]:
    """By resource, what a share of it is worth: the nearer to its target, the more."""
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
    rooms: Sequence[Room], resources: Resources, targets: Mapping[str, float], kept: Counts
) -> None:
    """Steps that the targets do not need, the dearest first."""
    while True:
        gains = []
        for room in rooms:
            more = room.more(kept[room.name])
            if more is not None and _met(resources, kept | {room.name: more}, targets):
                gains.append((room.lost(kept[room.name]) - room.lost(more), room.name, more))
        if not gains:
            return
        _, name, more = max(gains)
        kept[name] = more
