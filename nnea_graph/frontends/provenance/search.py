"""Finds the recipe of each constant of a graph that was exported with probes in the place of its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from nnea_graph.frontends.provenance.batchnorm_search import TOLERANCE, Norms
from nnea_graph.frontends.provenance.derivations import (
    ConcatenatedTensor,
    Derivation,
    FoldedBias,
    FoldedWeight,
    GatheredTensor,
    Normalization,
    NormScale,
    ScaledTensor,
    TransposedTensor,
)
from nnea_graph.frontends.provenance.marker_values import MarkerCatalogue, places

Floats = NDArray[np.float32]

_MOST_RUNS = 64
_FEWEST = 4
"""Elements below which a part of a tensor may be there by chance."""
_MOST_AXES = 5


@dataclass(frozen=True)
class DerivationSearch:
    """``values`` are the probes by source, ``norms`` the normalizations that the model has."""

    catalogue: MarkerCatalogue
    values: Mapping[str, Floats]
    norms: Sequence[Normalization]
    by_size: Mapping[int, list[str]] = field(init=False)
    by_channels: Mapping[int, Norms] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[int, list[str]] = {}
        for name, value in self.values.items():
            found.setdefault(value.size, []).append(name)
        object.__setattr__(self, "by_size", found)
        object.__setattr__(self, "by_channels", Norms.by_channels(self.norms, self.values))

    def recipe(self, constant: Floats, name: str) -> Derivation | None:
        """Derivation of a constant, checked on the probes; ``name`` hints at the source. None where it is not known."""
        if not constant.size:
            return None
        found = self._moved(constant)
        if found is not None:
            return found
        return next((each for each in self._computed(constant, name) if self._makes(each, constant)), None)

    def _makes(self, recipe: Derivation, constant: Floats) -> bool:
        made = recipe.make(self.values)
        return made.shape == constant.shape and np.allclose(
            made, constant, rtol=TOLERANCE, atol=_least(constant)
        )

    # Numbers that were moved only: each is a probe

    def _moved(self, constant: Floats) -> Derivation | None:
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
            GatheredTensor(name, index, constant.shape) if inside and index.size >= _FEWEST else None
        )

    def _turned(self, name: str, constant: Floats) -> TransposedTensor | None:
        source = self.values[name]
        if source.ndim > _MOST_AXES:
            return None
        for axes in permutations(range(source.ndim)):
            if np.array_equal(source.transpose(axes).reshape(constant.shape), constant):
                return TransposedTensor(name, axes, constant.shape)
        return None

    def _joined(self, found: NDArray[np.int64], shape: tuple[int, ...]) -> ConcatenatedTensor | None:
        """Runs of neighbors, cut where a source ends."""
        breaks = np.flatnonzero(np.diff(found) != 1) + 1
        if len(breaks) > _MOST_RUNS:
            return None
        runs: list[tuple[str, int, int]] = []
        for part in np.split(found, breaks):
            runs += self._run(int(part[0]), int(part[-1]) + 1)
        if any(b - a < min(_FEWEST, self.values[name].size) for name, a, b in runs):
            return None
        return ConcatenatedTensor(tuple(runs), shape)

    def _run(self, start: int, stop: int) -> Iterator[tuple[str, int, int]]:
        starts = self.catalogue.starts
        while start < stop:
            owner = int(np.searchsorted(starts, start, side="right")) - 1
            end = min(stop, int(starts[owner + 1]))
            yield self.catalogue.names[owner], start - int(starts[owner]), end - int(starts[owner])
            start = end

    # Numbers that were computed with

    def _computed(self, constant: Floats, name: str) -> Iterator[Derivation]:
        if constant.ndim == 1:
            yield from self._biases(constant)
        norms = self.by_channels.get(constant.size)
        if norms is not None:
            scale = constant.reshape(-1).astype(np.float64)
            yield from (NormScale(norm, constant.shape) for norm in norms.scaling(scale))
        likely = sorted(self.by_size.get(constant.size, ()), key=lambda each: each != name)
        for source in likely:
            for whole in self._shapes(source, constant.shape):
                yield from self.factors(whole, constant)

    def _shapes(self, source: str, shape: tuple[int, ...]) -> Iterator[TransposedTensor]:
        value = self.values[source]
        straight = tuple(range(value.ndim))
        yield TransposedTensor(source, straight, shape)
        if value.ndim == 2 and value.shape[::-1] == shape:
            yield TransposedTensor(source, (1, 0), shape)

    def factors(self, whole: TransposedTensor, constant: Floats) -> Iterator[Derivation]:
        """One factor for all, or one for each channel along an axis that a normalization has."""
        axes = [axis for axis in range(min(constant.ndim, 2)) if self._alike(whole, constant, axis)]
        if not axes and constant.ndim:
            return
        ratio = constant.astype(np.float64) / whole.make(self.values)
        if _same(ratio.reshape(1, -1)):
            yield ScaledTensor(whole, float(ratio.reshape(-1)[0]))
            return
        for axis in axes:
            rows = np.moveaxis(ratio, axis, 0).reshape(constant.shape[axis], -1)
            norms = self.by_channels.get(len(rows))
            if norms is not None and _same(rows):
                yield from (FoldedWeight(whole, norm, axis) for norm in norms.scaling(rows[:, 0]))

    def _alike(self, whole: TransposedTensor, constant: Floats, axis: int) -> bool:
        """Whether a few elements of the first row along an axis have a factor in common: most wrong guesses do not."""
        few = _few(constant.shape, axis)
        ratio = constant.reshape(-1)[few].astype(np.float64) / whole.at(self.values, few)
        return _same(ratio[None])

    def _biases(self, constant: Floats) -> Iterator[Derivation]:
        norms = self.by_channels.get(constant.size)
        if norms is None:
            return
        vectors = [name for name in self.by_size.get(constant.size, ()) if self.values[name].ndim == 1]
        firsts = np.array([0.0, *(self.values[name][0] for name in vectors)])
        tolerance = 2 * TOLERANCE * abs(float(constant[0])) + 2 * _least(constant)
        for norm, place in norms.shifting(firsts, float(constant[0]), tolerance):
            yield FoldedBias(vectors[place - 1] if place else "", norm)


def _same(rows: NDArray[np.float64]) -> bool:
    """Tells whether each row is one number throughout, but for rounding."""
    return bool(np.allclose(rows, rows[:, :1], rtol=TOLERANCE, atol=0.0))


def _least(constant: Floats) -> float:
    """Tolerance of its elements: sums of terms of both signs lose digits."""
    return TOLERANCE * float(np.abs(constant).max())


@cache
def _few(shape: tuple[int, ...], axis: int) -> NDArray[np.int64]:
    """Places of the first, a middle and the last element of the first row along an axis."""
    corners = [
        [0 if each == axis else round(share * (size - 1)) for share in (0.0, 0.5, 1.0)]
        for each, size in enumerate(shape)
    ]
    return np.ravel_multi_index(tuple(np.array(each) for each in corners), shape).astype(np.int64)
