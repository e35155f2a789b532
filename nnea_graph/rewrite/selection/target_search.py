"""Target search: counts that meet the targets which can be counted, then those that only a run can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nnea_graph.rewrite.selection.allocation import Counts, PruningBudget, allocate, descent
from nnea_graph.rewrite.selection.resource_model import Resources

Measure = Callable[[Mapping[str, int]], float]
"""What a model with such counts gives: its latency by the original's, or the accuracy that it lacks."""


@dataclass(frozen=True, slots=True)
class TargetSearch:
    """``measures`` are those of the targets ``latency`` and ``loss``."""

    rooms: Sequence[PruningBudget]
    resources: Resources
    targets: Mapping[str, float]
    measures: Mapping[str, Measure]

    def counts(self) -> Counts:
        """Keeps as few groups as the targets take; where a loss is allowed, no more than that is lost.

        With nothing but a loss, as few groups as it allows. A target that cannot be met leaves the nearest.
        """
        counted = {name: goal for name, goal in self.targets.items() if name in self.resources.terms}
        if counted.keys() == self.targets.keys():
            return allocate(self.rooms, self.resources, counted).kept
        path = list(descent(self.rooms, self.resources, counted))
        wanted = self._first(path, counted)
        return path[self._allowed(path, wanted)]

    def _first(self, path: Sequence[Counts], counted: Mapping[str, float]) -> int:
        """The first place on the way down where all is met but the loss; the last where there is no such place."""
        last = len(path) - 1
        place = last
        if counted or "latency" in self.targets:
            place = next(
                (
                    at
                    for at, counts in enumerate(path)
                    if all(
                        self.resources.share(name, counts) <= goal + 1e-9 for name, goal in counted.items()
                    )
                ),
                last,
            )
        if "latency" not in self.targets:
            return place
        return lowest(place, last, lambda at: self._fits("latency", path[at]))

    def _allowed(self, path: Sequence[Counts], wanted: int) -> int:
        """The furthest place up to ``wanted`` at which no more is lost than may be."""
        if "loss" not in self.targets:
            return wanted
        return wanted - lowest(
            0, wanted, lambda back: back == wanted or self._fits("loss", path[wanted - back])
        )

    def _fits(self, name: str, counts: Counts) -> bool:
        return self.measures[name](counts) <= self.targets[name]


def lowest(low: int, high: int, fits: Callable[[int], bool]) -> int:
    """The least number from which on it fits, by bisection; ``high`` where none does.

    >>> lowest(0, 100, lambda number: number >= 37)
    37
    """
    while low < high:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle + 1
    return low
