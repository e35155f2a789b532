"""Ways from a plan back to the tensors of the live model that was exported, whatever framework it is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from nnea_graph.errors import ModelError
from nnea_graph.frontends.onnx.graph import derived_graph
from nnea_graph.frontends.provenance.derivations import FoldedWeight, ScaledTensor, TransposedTensor
from nnea_graph.frontends.provenance.template import Exported
from nnea_graph.frontends.shared.interface import InputSpec
from nnea_graph.graph import ModelGraph
from nnea_graph.rewrite.source.parameter_values import PrunedConstant
from nnea_graph.rewrite.surgery.removal import Removal
from nnea_graph.static.dims import is_batch

Array = NDArray[Any]

TOLERANCE = 1e-4
"""Of the largest output: how near the live model comes to the pruned one."""

_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})


def example_of(original: ModelGraph) -> Any:
    """Inputs like those of the original: two samples, and 16 of whatever else has no number.

    Raises:
        ModelError: the shape of one is not known.
    """
    found = []
    for name in original.inputs:
        info = original.tensors[name]
        if info.shape is None or info.dtype is None:
            raise ModelError(f"the shape of input '{name}' is not known; the model cannot be run to compare")
        dims = tuple(
            dim if isinstance(dim, int) else 2 if place == 0 or is_batch(str(dim)) else 16
            for place, dim in enumerate(info.shape)
        )
        found.append(InputSpec(dims, info.dtype.name))
    return found[0] if len(found) == 1 else found


def cuts_of(removal: Removal, made: Exported) -> dict[str, PrunedConstant]:
    """Every constant of the original that is made of the live model's tensors.

    Raises:
        ModelError: the original is no export of this model, or nobody knows what its constants are made of.
    """
    if not made.recipes:
        raise ModelError(
            f"the model's weights cannot be told apart in its export: {made.reason or 'it has none'}"
        )
    stored = derived_graph(removal.model, removal.original).constants
    found = {}
    for name, recipe in made.recipes.items():
        constant = removal.original.constants.get(name)
        if constant is None:
            raise ModelError(
                f"the pruned model was not exported from this one: it has no constant '{name}';"
                " prune the live model itself: prune(model, data, …)"
            )
        kept = {axis: stay for (tensor, axis), stay in removal.kept.items() if tensor == name}
        if name in stored:
            found[name] = PrunedConstant(recipe, constant.shape, kept, stored[name].array())
    return found


def added_biases(removal: Removal, cuts: Mapping[str, PrunedConstant]) -> dict[str, Array]:
    """Biases that the refit has given to layers without one, by the name of the layer's weight."""
    stored = derived_graph(removal.model, removal.original).constants
    found = {}
    for weight, node in _layers(removal.model, cuts):
        bias = node.input[2] if len(node.input) > 2 and node.op_type != "MatMul" else ""
        if bias in stored and bias not in cuts and bias not in removal.original.constants:
            found[weight] = stored[bias].array().reshape(-1)
    return found


def numbers_of_groups(removal: Removal, cuts: Mapping[str, PrunedConstant]) -> dict[str, int]:
    """Groups of each convolution of the pruned model, by the name of its weight."""
    return {
        weight: next((each.i for each in node.attribute if each.name == "group"), 1)
        for weight, node in _layers(removal.model, cuts)
        if node.op_type in _CONVOLUTIONS
    }


def differ(expected: Sequence[Array], found: Sequence[Array]) -> bool:
    """Tells whether some outputs of the live model are not those of the pruned one."""
    return len(expected) != len(found) or any(
        one.shape != other.shape
        or not float(np.abs(one - other).max(initial=0.0))
        <= TOLERANCE * max(float(np.abs(one).max(initial=0.0)), 1e-12)
        for one, other in zip(expected, found, strict=True)
    )


def _layers(model: ModelProto, cuts: Mapping[str, PrunedConstant]) -> Iterator[tuple[str, NodeProto]]:
    """The operator that reads a constant that is the weight of one layer, and that tensor's name."""
    readers = {name: node for node in model.graph.node for name in node.input}
    for name, cut in cuts.items():
        if isinstance(cut.recipe, TransposedTensor | ScaledTensor | FoldedWeight) and name in readers:
            yield cut.recipe.names[0], readers[name]
