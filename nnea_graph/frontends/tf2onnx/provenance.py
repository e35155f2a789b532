"""Exports a frozen graph so that every weight stays in it, and tells what each constant of the result is made of.

TensorFlow's optimizer leaves out zero biases and unit scales, so that an untrained model would lose operators that it
has once it is trained. With probes in the place of the weights they all stay, and are known again; the true values are
put in afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from nnea_graph.errors import ModelError
from nnea_graph.frontends.provenance.derivations import Derivation, Normalization
from nnea_graph.frontends.provenance.marker_values import MOST, MarkerCatalogue
from nnea_graph.frontends.provenance.template import Exported, emptied
from nnea_graph.frontends.tf2onnx.canonical_order import bodies_of
from nnea_graph.frontends.tf2onnx.convert import checked, converted, nodes_of
from nnea_graph.frontends.tf2onnx.derivations import TfDerivationSearch
from nnea_graph.frontends.tf2onnx.dim_names import name_dims
from nnea_graph.frontends.tf2onnx.imports import imported
from nnea_graph.frontends.tf2onnx.stable_names import rename
from nnea_graph.frontends.tf2onnx.trace import Traced

Floats = NDArray[np.float32]
Recipes = Mapping[str, Derivation]
"""By constant of the exported graph, under tf2onnx's name."""

_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}


def exported(traced: Traced, norms: Sequence[Normalization] = ()) -> Exported:
    """A frozen graph as a model with recipes, by the names that it shall have.

    Where a weight is made into something that no recipe tells, the model as its weights make it now.

    Raises:
        ModelError: tf2onnx's own reason.
    """
    weights = _weights(traced)
    reason = _unfit(traced, weights)
    recipes: Recipes = {}
    if weights and sum(value.size for value in weights.values()) <= MOST:
        proto, recipes, why = _probed(traced, weights, norms)
        if proto is not None:
            return _named(traced, proto, recipes, reason)
        reason = reason or why
    plain = converted(traced, traced.graph_def)
    return _named(traced, plain, _holding(recipes, plain, weights), reason)


def _holding(recipes: Recipes, plain: ModelProto, weights: Mapping[str, NDArray[Any]]) -> Recipes:
    """The recipes that give what the model exported without probes has under the same name."""
    return {
        name: recipes[name]
        for name, constant in _constants(plain.graph)
        if name in recipes and np.array_equal(recipes[name].make(weights), constant)
    }


def _unfit(traced: Traced, weights: Mapping[str, NDArray[Any]]) -> str:
    """Reason why the recipes cannot tell every weight, "" where they can."""
    if traced.nameless:
        return f"'{traced.nameless}' is a variable that the model does not list among its weights"
    odd = next((name for name in traced.variables.values() if name not in weights), None)
    if odd is not None:
        return f"'{odd}' does not hold numbers of floating point"
    if sum(value.size for value in weights.values()) > MOST:
        return f"the model has more than {MOST:,} weights"
    return ""


def _named(traced: Traced, proto: ModelProto, recipes: Recipes, reason: str) -> Exported:
    renamed = rename(proto, traced.names, recipes)
    name_dims(proto)
    checked(proto)
    return Exported(emptied(proto, renamed), renamed, lasting=not reason, reason=reason)


def _probed(
    traced: Traced, weights: Mapping[str, NDArray[Any]], norms: Sequence[Normalization]
) -> tuple[ModelProto | None, Recipes, str]:
    """The model with probes, None where ``reason`` says why it will not do, and the recipes found."""
    catalogue = MarkerCatalogue.of({name: value.shape for name, value in weights.items()})
    values = {name: catalogue.values(name) for name in weights}
    try:
        proto = converted(traced, _replaced(traced, weights, values))
    except ModelError as error:
        return None, {}, str(error)
    search = TfDerivationSearch(
        catalogue, values, [norm for norm in norms if set(norm.names) <= set(weights)]
    )
    recipes: dict[str, Derivation] = {}
    strange = []
    for name, constant in _constants(proto.graph):
        recipe = search.recipe(constant)
        if recipe is not None:
            recipes[name] = recipe
        else:
            strange.append(constant)
    if not _harmless(strange, traced):
        return None, recipes, "no recipe is known for a constant that TensorFlow makes of its weights"
    return proto, recipes, ""


def _harmless(strange: Sequence[NDArray[Any]], traced: Traced) -> bool:
    """Tells whether constants are the graph's own numbers, or come without the probes too."""
    literals = _literals(traced)
    odd = [value for value in strange if not np.isin(value, literals).all()]
    if not odd:
        return True
    plain = converted(traced, traced.graph_def)
    own = {value.tobytes() for _, value in _constants(plain.graph)}
    return all(value.tobytes() in own for value in odd)


def _constants(graph: GraphProto) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and values of the tensors of floating point, also of bodies."""
    for tensor in _tensors(graph):
        if tensor.data_type in _FLOATS:
            yield tensor.name, numpy_helper.to_array(tensor)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in nodes_of(graph):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for body in bodies_of(attribute):
                yield from body.initializer


# The frozen graph


def _weights(traced: Traced) -> dict[str, NDArray[Any]]:
    """The values of the parameters of floating point."""
    tf = imported("tensorflow", "a TensorFlow model")
    found = {}
    for node in traced.graph_def.node:
        if node.op == "Const" and node.name in traced.variables:
            value = tf.make_ndarray(node.attr["value"].tensor)
            if tf.dtypes.as_dtype(value.dtype).is_floating and value.size:
                found[traced.variables[node.name]] = value
    return found


def _replaced(traced: Traced, weights: Mapping[str, NDArray[Any]], values: Mapping[str, Floats]) -> Any:
    """The graph with other values of its parameters, in their types."""
    tf = imported("tensorflow", "a TensorFlow model")
    changed = type(traced.graph_def)()
    changed.CopyFrom(traced.graph_def)
    for node in changed.node:
        name = traced.variables.get(node.name, "")
        if node.op == "Const" and name in values:
            value = values[name].astype(weights[name].dtype)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return changed


def _literals(traced: Traced) -> Floats:
    """The numbers in the constants that are no parameters."""
    tf = imported("tensorflow", "a TensorFlow model")
    bodies = (function.node_def for function in traced.graph_def.library.function)
    found = [np.zeros(0, np.float32)]
    for node in (*traced.graph_def.node, *(node for body in bodies for node in body)):
        if node.op != "Const" or node.name in traced.variables:
            continue
        value = tf.make_ndarray(node.attr["value"].tensor)
        if value.dtype.kind in "fiu":
            found.append(value.astype(np.float32).reshape(-1))
    return np.unique(np.concatenate(found))
