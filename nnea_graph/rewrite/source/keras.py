"""Makes a smaller Keras model of the live one and the pruned model's weights, and runs both to see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import ModelError
from nnea_graph.frontends.keras.call import KerasCall
from nnea_graph.frontends.keras.export import KerasExport, reference
from nnea_graph.frontends.keras.facts import layers_of, named_weights, unique_weights
from nnea_graph.frontends.tf2onnx.imports import explained
from nnea_graph.rewrite.source.common import added_biases, cuts_of, differ, example_of, numbers_of_groups
from nnea_graph.rewrite.source.keras_config import WeightShapeChange, smaller_config
from nnea_graph.rewrite.source.keras_weights import new_weights, with_biases
from nnea_graph.rewrite.surgery.removal import Removal
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.session import session_of

Values = Mapping[str, NDArray[Any]]

_FAILS = "the smaller model cannot be built"


def shrink(removal: Removal, model: Any) -> Any:
    """See ``Plan.apply_to``."""
    config = _config(model)
    export = KerasExport.of(model, example_of(removal.original))
    cuts = cuts_of(removal, export.made)
    old = {name: np.asarray(weight) for name, weight in unique_weights(model).items()}
    values = with_biases(old | new_weights(cuts, old), added_biases(removal, cuts))
    groups = {weight.rpartition("/")[0]: count for weight, count in numbers_of_groups(removal, cuts).items()}
    changes = _changes(model, values, groups)
    with _naming_inner(model, changes):
        smaller = _built(model, smaller_config(config, changes))
    _fill(smaller, values)
    _check(smaller, removal, export.call)
    return smaller


def _config(model: Any) -> dict[str, Any]:
    """Tells how a model of listed layers is made; they say all there is to say of it."""
    try:
        config = model.get_config()
    except NotImplementedError:
        config = {}
    if "layers" not in config:
        raise ModelError(
            f"'{model.name}' ({type(model).__name__}) is described by its code, not by a list of layers; only"
            " Sequential and Functional models can be made smaller so"
        )
    return dict(config)


def _changes(model: Any, new: Values, groups: Mapping[str, int]) -> dict[str, WeightShapeChange]:
    """Every layer whose own weights are of other shapes, or more, by path: one that is shared under each."""
    first = {id(weight): name for name, weight in unique_weights(model).items()}
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for path, weight in named_weights(model):
        layer, _, name = path.rpartition("/")
        shapes.setdefault(layer, {})[name] = new[first[id(weight)]].shape
    for path, value in new.items():
        layer, _, name = path.rpartition("/")
        shapes.setdefault(layer, {}).setdefault(name, value.shape)
    before = {path: tuple(weight.shape) for path, weight in named_weights(model)}
    return {
        path: WeightShapeChange(type(layer).__name__, shapes[path], groups.get(path))
        for path, layer in layers_of(model)
        if any(before.get(f"{path}/{name}") != shape for name, shape in shapes.get(path, {}).items())
    }


@contextmanager
def _naming_inner(model: Any, changes: Mapping[str, WeightShapeChange]) -> Iterator[None]:
    """Names what fails because of a model within, whose inputs are declared with their sizes, names that."""
    try:
        yield
    except ModelError as error:
        inner = next((path.partition("/")[0] for path in changes if "/" in path), "")
        if not inner:
            raise
        raise ModelError(
            f"layer '{inner}' of '{model.name}' is a model with sizes of its own: {error}"
        ) from error


def _built(model: Any, config: dict[str, Any]) -> Any:
    """A new model; classes of the user's own are those of the old one."""
    from nnea_graph.frontends.tf2onnx.imports import imported  # noqa: PLC0415 - keras is imported where it is used

    keras = imported("keras", "a Keras model")
    own = {type(layer).__name__: type(layer) for _, layer in layers_of(model)}
    with explained(_FAILS), keras.saving.custom_object_scope(own):
        return type(model).from_config(config)


def _fill(smaller: Any, values: Values) -> None:
    weights = unique_weights(smaller)
    wrong = [
        name
        for name, weight in weights.items()
        if name not in values or tuple(weight.shape) != values[name].shape
    ]
    if wrong or len(weights) != len(values):
        told = f"'{wrong[0]}' does not fit" if wrong else "it has other weights"
        raise ModelError(f"{_FAILS}: {told}; some layer says more about channels than its weights do")
    for name, weight in weights.items():
        weight.assign(values[name])


def _check(smaller: Any, removal: Removal, call: KerasCall) -> None:
    arrays = dict(call.example or {})
    expected = session_of(Written(removal.model)).run(arrays)
    if differ(expected, list(reference(smaller, call)(arrays))):
        raise ModelError(
            f"the smaller '{smaller.name}' does not give what the pruned model gives: some layer says more about"
            " channels than its weights do"
        )
