"""Finds the recipe of each constant of a graph that was exported with probes in the place of its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from nnea_graph.frontends.probes import Catalogue, places
from nnea_graph.frontends.recipes import (
    FoldedBias,
    FoldedWeight,
    Joined,
    Normalization,
    Picked,
    Recipe,
    Scaled,
    Turned,
)

Floats = NDArray[np.float32]

_TOLERANCE = 2e-6
"""What a product of three float32 may be off by, relative."""
_MOST_RUNS = 64
_FEWEST = 4
"""Elements below which a part of a tensor may be there by chance."""
_MOST_AXES = 5


@dataclass(frozen=True)
class Search:
    """``values`` are the probes by source, ``norms`` the normalizations that the model has."""

    catalogue: Catalogue
    values: Mapping[str, Floats]
    norms: Sequence[Normalization]
    by_size: Mapping[int, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[int, list[str]] = {}
        for name, value in self.values.items():
            found.setdefault(value.size, []).append(name)
        object.__setattr__(self, "by_size", found)

    def recipe(self, constant: Floats, name: str) -> Recipe | None:
        """How a constant is made, checked on the probes; ``name`` hints at the source. None where it is not known."""
        if not constant.size:
            return None
        found = self._moved(constant)
        if found is not None:
            return found
        return next((each for each in self._computed(constant, name) if self._makes(each, constant)), None)

    def _makes(self, recipe: Recipe, constant: Floats) -> bool:
        made = recipe.make(self.values)
        least = _TOLERANCE * float(np.abs(constant).max())  # sums of terms of both signs lose digits
        return made.shape == constant.shape and np.allclose(made, constant, rtol=_TOLERANCE, atol=least)

    # Numbers that were moved only: each is a probe

    def _moved(self, constant: Floats) -> Recipe | None:
        found = places(constant)
        if found is None or int(found.max()) >= self.catalogue.size:
            return None
        starts = self.catalogue.starts
        owner = int(np.searchsorted(starts, found[0], side="right")) - 1
        name = self.catalogue.names[owner]
        index = found - starts[owner]
        source = self.values[name]
        inside = bool((index >= 0).all() and (index < source.size).all())
        if inside and index.size == source.size:
            turned = self._turned(name, constant)
            if turned is not None:
                return turned
        return self._joined(found, constant.shape) or (
            Picked(name, index, constant.shape) if inside and index.size >= _FEWEST else None
        )

    def _turned(self, name: str, constant: Floats) -> Turned | None:
        source = self.values[name]
        if source.ndim > _MOST_AXES:
            return None
        for axes in permutations(range(source.ndim)):
            if np.array_equal(source.transpose(axes).reshape(constant.shape), constant):
                return Turned(name, axes, constant.shape)
        return None

    def _joined(self, found: NDArray[np.int64], shape: tuple[int, ...]) -> Joined | None:
        """Runs of neighbours, cut where a source ends."""
        breaks = np.flatnonzero(np.diff(found) != 1) + 1
        if len(breaks) > _MOST_RUNS:
            return None
        runs: list[tuple[str, int, int]] = []
        for part in np.split(found, breaks):
            runs += self._run(int(part[0]), int(part[-1]) + 1)
        if any(b - a < min(_FEWEST, self.values[name].size) for name, a, b in runs):
            return None
        return Joined(tuple(runs), shape)

    def _run(self, start: int, stop: int) -> Iterator[tuple[str, int, int]]:
        starts = self.catalogue.starts
        while start < stop:
            owner = int(np.searchsorted(starts, start, side="right")) - 1
            end = min(stop, int(starts[owner + 1]))
            yield self.catalogue.names[owner], start - int(starts[owner]), end - int(starts[owner])
            start = end

    # Numbers that were computed with

    def _computed(self, constant: Floats, name: str) -> Iterator[Recipe]:
        if constant.ndim == 1:
            yield from self._biases(constant)
        likely = sorted(self.by_size.get(constant.size, ()), key=lambda each: each != name)
        for source in likely:
            for whole in self._shapes(source, constant.shape):
                yield from self._factors(whole, constant)

    def _shapes(self, source: str, shape: tuple[int, ...]) -> Iterator[Turned]:
        value = self.values[source]
        straight = tuple(range(value.ndim))
        yield Turned(source, straight, shape)
        if value.ndim == 2 and value.shape[::-1] == shape:
            yield Turned(source, (1, 0), shape)

    def _factors(self, whole: Turned, constant: Floats) -> Iterator[Recipe]:
        """One factor for all, or one for each channel along an axis that a normalization has."""
        ratio = constant.astype(np.float64) / whole.make(self.values)
        if _same(ratio.reshape(1, -1)):
            yield Scaled(whole, float(ratio.reshape(-1)[0]))
            return
        for axis in range(min(constant.ndim, 2)):
            rows = np.moveaxis(ratio, axis, 0).reshape(constant.shape[axis], -1)
            if _same(rows):
                yield from (
                    FoldedWeight(whole, norm, axis)
                    for norm in self.norms
                    if self.values[norm.variance].size == len(rows)
                    and np.allclose(norm.scale(self.values), rows[:, 0], rtol=_TOLERANCE)
                )

    def _biases(self, constant: Floats) -> Iterator[Recipe]:
        for norm in self.norms:
            if self.values[norm.mean].size == constant.size:
                yield FoldedBias("", norm)
                yield from (FoldedBias(name, norm) for name in self._vectors(constant.size))

    def _vectors(self, size: int) -> Iterator[str]:
        return (name for name in self.by_size.get(size, ()) if self.values[name].ndim == 1)


def _same(rows: NDArray[np.float64]) -> bool:
    """Whether each row is one number throughout, but for rounding."""
    return bool(np.allclose(rows, rows[:, :1], rtol=_TOLERANCE, atol=0.0))
