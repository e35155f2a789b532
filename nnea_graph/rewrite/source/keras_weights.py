"""Weights of a Keras model out of the pruned model's constants: normalizations that were taken apart put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import ModelError
from nnea_graph.frontends.provenance.derivations import FoldedBias, NormScale
from nnea_graph.frontends.tf2onnx.derivations import Gathered, Narrowed, ReshapedTensor
from nnea_graph.rewrite.source.parameter_values import PrunedConstant, new_values

Array = NDArray[Any]
Values = Mapping[str, Array]


def new_weights(cuts: Mapping[str, PrunedConstant], old: Values) -> dict[str, Array]:
    """Weights by name as they are to be; those that are not named stay.

    Raises:
        ModelError: a weight that loses something that is no index along one of its axes.
    """
    plain = [_plain(cut) for cut in cuts.values()]
    for cut in plain:
        if isinstance(cut.recipe, Gathered) and cut.kept:
            raise ModelError(
                f"'{cut.recipe.names[0]}' is packed with others in the export; it cannot lose some alone"
            )
    scales = {cut.recipe.norm: cut for cut in plain if isinstance(cut.recipe, NormScale)}
    shifts = [cut for cut in plain if isinstance(cut.recipe, FoldedBias) and cut.recipe.norm in scales]
    apart = [id(cut) for cut in (*scales.values(), *shifts)]
    others = {
        str(place): cut
        for place, cut in enumerate(plain)
        if id(cut) not in apart and not isinstance(cut.recipe, Gathered)
    }
    found = new_values(others, old)
    for shift in shifts:
        if isinstance(shift.recipe, FoldedBias):
            found |= _normalization(scales[shift.recipe.norm], shift, old)
    return found


def with_biases(values: Values, added: Values) -> dict[str, Array]:
    """The weights with biases that layers have got, by the kernel behind which each is added.

    What a separable convolution has between its two kernels goes through the second one.
    """
    found = dict(values)
    for kernel, bias in added.items():
        layer, _, name = kernel.rpartition("/")
        pointwise = found.get(f"{layer}/pointwise_kernel") if name == "depthwise_kernel" else None
        more = bias if pointwise is None else bias @ pointwise.reshape(len(bias), -1)
        before = found.get(f"{layer}/bias")
        found[f"{layer}/bias"] = (more if before is None else before + more).astype(bias.dtype)
    return found


def _plain(cut: PrunedConstant) -> PrunedConstant:
    """Plain weights without what TensorFlow does besides: another shape of a vector, another type."""
    recipe = cut.recipe
    if isinstance(recipe, Narrowed):
        return replace(cut, recipe=recipe.whole)
    if isinstance(recipe, ReshapedTensor | NormScale):
        inner = recipe.recipe if isinstance(recipe, ReshapedTensor) else recipe
        kept = dict(zip([0], cut.kept.values(), strict=False))
        return PrunedConstant(inner, (int(np.prod(cut.shape)),), kept, cut.values.reshape(-1))
    return cut


def _normalization(scale: PrunedConstant, shift: PrunedConstant, old: Values) -> dict[str, Array]:
    """A scale and a shift of each channel as the tensors of a normalization, whose statistics stay."""
    if not isinstance(shift.recipe, FoldedBias):
        return {}
    norm, stays = shift.recipe.norm, shift.stays(0)
    found = {name: old[name][stays] for name in norm.names}
    factor = scale.values.astype(np.float64)
    if norm.gamma:
        deviation = np.sqrt(found[norm.variance].astype(np.float64) + norm.epsilon)
        found[norm.gamma] = (factor * deviation).astype(old[norm.gamma].dtype)
    if norm.beta:
        beta = shift.values.astype(np.float64) + found[norm.mean].astype(np.float64) * factor
        found[norm.beta] = beta.astype(old[norm.beta].dtype)
    elif np.all(factor):
        found[norm.mean] = (-shift.values.astype(np.float64) / factor).astype(old[norm.mean].dtype)
    return found
