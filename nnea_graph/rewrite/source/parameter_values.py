"""From the pruned model's constants back to the parameters that they were made of: recipes read the other way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import ModelError
from nnea_graph.frontends.provenance.derivations import (
    Derivation,
    FoldedBias,
    FoldedWeight,
    Normalization,
    ScaledTensor,
)
from nnea_graph.rewrite.coupling.grouped_kernels import taken

Array = NDArray[Any]
Indices = NDArray[np.int64]
Values = Mapping[str, Array]

_FLAT = 1e-6
"""A scale below this cannot be divided by: the normalization is given the scale 1 in its place."""


@dataclass(frozen=True, slots=True, eq=False)
class PrunedConstant:
    """A constant of the original, with what stays along its axes and its values in the pruned model."""

    recipe: Derivation
    shape: tuple[int, ...]
    kept: Mapping[int, Indices]
    values: Array

    def stays(self, axis: int) -> Indices:
        """The indices that stay along an axis."""
        return self.kept.get(axis, np.arange(self.shape[axis]))


def new_values(cuts: Mapping[str, PrunedConstant], old: Values) -> dict[str, Array]:
    """Parameters and buffers by name as they are to be.

    Raises:
        ModelError: a parameter that loses something that is no index along one of its axes.
    """
    found: dict[str, Array] = {}
    scales: dict[Normalization, tuple[Indices, Array]] = {}
    for cut in cuts.values():
        if isinstance(cut.recipe, FoldedWeight):
            stays = cut.stays(cut.recipe.axis)
            normalized, scale = _normalization(cut.recipe.norm, stays, old)
            found |= normalized
            scales[cut.recipe.norm] = stays, scale
            along = [-1 if axis == cut.recipe.axis else 1 for axis in range(cut.values.ndim)]
            found |= _moved(cut, cut.recipe.weight, cut.values / scale.reshape(along), old)
        elif not isinstance(cut.recipe, FoldedBias):
            whole = cut.recipe.whole if isinstance(cut.recipe, ScaledTensor) else cut.recipe
            factor = cut.recipe.factor if isinstance(cut.recipe, ScaledTensor) else 1.0
            found |= _moved(cut, whole, cut.values / factor, old)
    for cut in cuts.values():
        if isinstance(cut.recipe, FoldedBias):
            found |= _biased(cut, cut.recipe, scales, old)
    return found


def _normalization(norm: Normalization, stays: Indices, old: Values) -> tuple[dict[str, Array], Array]:
    """Its tensors with these channels, and what it multiplies by; a flat scale becomes 1."""
    found = {name: old[name][stays] for name in norm.names}
    scale = norm.scale(old)[stays]
    flat = np.abs(scale) < _FLAT * max(float(np.abs(scale).max(initial=0.0)), 1e-30)
    if flat.any() and norm.gamma:
        gamma = found[norm.gamma].astype(np.float64)
        gamma[flat] = np.sqrt(found[norm.variance][flat].astype(np.float64) + norm.epsilon)
        found[norm.gamma] = gamma.astype(found[norm.gamma].dtype)
        scale = np.where(flat, 1.0, scale)
    return found, scale


def _biased(
    cut: PrunedConstant,
    recipe: FoldedBias,
    scales: Mapping[Normalization, tuple[Indices, Array]],
    old: Values,
) -> dict[str, Array]:
    """The running mean takes up what the bias has become: so it is what training will find, where the refit is good."""
    norm = recipe.norm
    if norm in scales:
        stays, scale = scales[norm]
        found: dict[str, Array] = {}
    else:
        stays = cut.stays(0)
        found, scale = _normalization(norm, stays, old)
    bias = old[recipe.bias][stays] if recipe.bias else np.zeros(len(stays))
    beta = old[norm.beta][stays] if norm.beta else np.zeros(len(stays))
    mean = bias.astype(np.float64) - (cut.values.astype(np.float64) - beta) / scale
    found[norm.mean] = mean.astype(old[norm.mean].dtype)
    if recipe.bias:
        found[recipe.bias] = bias
    return found


def _moved(cut: PrunedConstant, recipe: Derivation, values: Array, old: Values) -> dict[str, Array]:
    """Numbers that were only moved, put where they came from."""
    starts = np.cumsum([0, *(old[name].size for name in recipe.names)])
    numbers = {
        name: np.arange(start, start + old[name].size, dtype=np.float64).reshape(old[name].shape)
        for name, start in zip(recipe.names, starts.tolist(), strict=False)
    }
    places = recipe.make(numbers).astype(np.int64)
    for axis, stays in sorted(
        cut.kept.items(), reverse=True
    ):  # groups of a kernel are told by all of its rows
        places = taken(places, stays, axis)
    groups = max((len(stays) for stays in cut.kept.values() if stays.ndim > 1), default=1)
    flat, given = places.reshape(-1), np.asarray(values).reshape(-1)
    return {
        name: _filled(name, flat[mine] - start, given[mine], old[name], groups)
        for name, start, stop in zip(recipe.names, starts.tolist(), starts[1:].tolist(), strict=False)
        for mine in [(flat >= start) & (flat < stop)]
    }


def _filled(name: str, places: Indices, values: Array, old: Array, groups: int) -> Array:
    """The block of a tensor, or of each of its groups, that some of its places span, with these values."""
    if groups == 1:
        return _block(name, places, values, old)
    owners, within = np.divmod(places, old.size // groups)
    blocks = [
        _block(name, within[owners == number], values[owners == number], part)
        for number, part in enumerate(np.split(old, groups))
    ]
    return np.concatenate(blocks)


def _block(name: str, places: Indices, values: Array, old: Array) -> Array:
    axes = [np.unique(each) for each in np.unravel_index(places, old.shape)]
    shape = tuple(len(axis) for axis in axes)
    if int(np.prod(shape)) != len(places):
        raise ModelError(
            f"'{name}' loses something else than indices along its axes; it cannot be made smaller so"
        )
    inside = [
        np.searchsorted(axis, each)
        for axis, each in zip(axes, np.unravel_index(places, old.shape), strict=True)
    ]
    found = np.empty(shape, old.dtype)
    found[tuple(inside)] = values
    return found
