"""Derivations that TensorFlow's optimizer and tf2onnx make of weights, besides what every exporter does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.frontends.provenance.batchnorm_search import TOLERANCE
from nnea_graph.frontends.provenance.derivations import Derivation, Normalization, TransposedTensor, Values
from nnea_graph.frontends.provenance.marker_values import MarkerCatalogue, places
from nnea_graph.frontends.provenance.search import DerivationSearch

Floats = NDArray[np.float32]

_MOST_AXES = 5
_FEWEST = 2
"""Elements that two tensors of few bits have not in common by chance."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Elements of several tensors in any order, counted through all of them; −1 is a zero."""

    names: tuple[str, ...]
    index: NDArray[np.int64]
    shape: tuple[int, ...]

    def make(self, values: Values) -> NDArray[np.float32]:
        """A copy."""
        flat = [np.asarray(values[name], np.float32).reshape(-1) for name in self.names]
        every = np.concatenate([*flat, np.zeros(1, np.float32)])
        return every[self.index].reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A whole tensor in another type of number: mixed precision computes in half of what it stores."""

    whole: TransposedTensor
    dtype: np.dtype[Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The tensor."""
        return (self.whole.name,)

    def make(self, values: Values) -> NDArray[Any]:
        """A copy."""
        return self.whole.make(values).astype(self.dtype)


@dataclass(frozen=True, slots=True)
class ReshapedTensor:
    """Tensor that another recipe makes, in another shape."""

    recipe: Derivation
    shape: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tensors that it is made of."""
        return self.recipe.names

    def make(self, values: Values) -> NDArray[Any]:
        """A view where numpy can give one."""
        return self.recipe.make(values).reshape(self.shape)


@dataclass(frozen=True)
class TfDerivationSearch:
    """``values`` are the probes by source, ``norms`` the normalizations that the model has."""

    catalogue: MarkerCatalogue
    values: Mapping[str, Floats]
    norms: Sequence[Normalization]
    general: DerivationSearch = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "general", DerivationSearch(self.catalogue, self.values, self.norms))

    def recipe(self, constant: NDArray[Any]) -> Derivation | None:
        """Tells how a constant is made, checked on the probes; None where it is not known."""
        if constant.dtype != np.float32:
            return self._narrowed(constant)
        found = self._general(constant)
        if found is not None:
            return found
        return next((each for each in self._special(constant) if self._makes(each, constant)), None)

    def _general(self, constant: Floats) -> Derivation | None:
        """Matches what every exporter does, to a vector in whatever shape as well."""
        found = self.general.recipe(constant, "")
        if found is not None or constant.size != max(constant.shape, default=0) or constant.ndim == 1:
            return found
        vector = self.general.recipe(constant.reshape(-1), "")
        return ReshapedTensor(vector, constant.shape) if vector is not None else None

    def _makes(self, recipe: Derivation, constant: Floats) -> bool:
        made = recipe.make(self.values)
        return made.shape == constant.shape and np.allclose(made, constant, rtol=TOLERANCE, atol=0.0)

    def _special(self, constant: Floats) -> Iterator[Derivation]:
        if constant.ndim in {2, 3}:  # as tf2onnx packs a recurrent layer
            yield from self._gathered(constant)
        if (
            constant.ndim > 2
        ):  # a kernel in ONNX's order of axes, times the scale of the normalization after it
            for whole in self._turned(constant):
                yield from self.general.factors(whole, constant)

    def _gathered(self, constant: Floats) -> Iterator[Gathered]:
        """Every element a probe or a zero."""
        flat = constant.reshape(-1)
        full = np.flatnonzero(flat)
        found = places(flat[full])
        if found is None or int(found.max()) >= self.catalogue.size:
            return
        starts = self.catalogue.starts
        owners = np.searchsorted(starts, found, side="right") - 1
        index = np.full(flat.size, -1, np.int64)
        names, offset = [], 0
        for owner in dict.fromkeys(owners.tolist()):
            mine = owners == owner
            name = self.catalogue.names[owner]
            index[full[mine]] = found[mine] - starts[owner] + offset
            names.append(name)
            offset += self.values[name].size
        yield Gathered(tuple(names), index, constant.shape)

    def _narrowed(self, constant: NDArray[Any]) -> Narrowed | None:
        """The probes in that type are not all different, but a whole tensor of them is like no other."""
        if constant.size < _FEWEST:
            return None
        for whole in self._turned(constant):
            recipe = Narrowed(whole, constant.dtype)
            if np.array_equal(recipe.make(self.values), constant):
                return recipe
        return None

    def _turned(self, constant: NDArray[Any]) -> Iterator[TransposedTensor]:
        for name, value in self.values.items():
            if value.size == constant.size and value.ndim <= _MOST_AXES:
                yield from (
                    TransposedTensor(name, axes, constant.shape) for axes in _orders(value, constant.shape)
                )


def _orders(kernel: Floats, shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Orders of the axes in which a kernel could have that shape; those from Keras to ONNX first."""
    usual = (kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))
    deep = (kernel.ndim - 2, kernel.ndim - 1, *range(kernel.ndim - 2))
    known = tuple(dict.fromkeys((tuple(range(kernel.ndim)), usual, deep))) if kernel.ndim > 1 else ((0,),)
    yield from known
    if kernel.ndim == len(shape):
        yield from (axes for axes in permutations(range(kernel.ndim)) if axes not in known)
