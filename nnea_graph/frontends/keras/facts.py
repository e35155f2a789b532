"""Facts that a Keras model states of itself: its layers, however deep, and its weights, before anything is exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nnea_graph.frontends.provenance.derivations import Normalization
from nnea_graph.frontends.shared.unique_names import free_name
from nnea_graph.graph.source_facts import SourceFacts, SourceModule, SourceParameter


def layers_of(model: Any) -> list[tuple[str, Any]]:
    """Every layer with its path, a shared one under each of its paths; those that stand for inputs are left out."""
    return list(_inner(model, "", frozenset()))


def _inner(layer: Any, path: str, above: frozenset[int]) -> Iterator[tuple[str, Any]]:
    taken: set[str] = set()
    above |= {id(layer)}
    for child in layer._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001 - no public way down
        if id(child) in above or type(child).__name__ == "InputLayer":
            continue
        name = free_name(child.name.replace("/", "_"), taken)
        yield path + name, child
        yield from _inner(child, f"{path}{name}/", above)


def named_weights(model: Any) -> list[tuple[str, Any]]:
    """Every weight with its path, a shared one under each of its paths."""
    found = []
    for path, layer in [("", model), *layers_of(model)]:
        names: set[str] = set()
        found += [
            (free_name(f"{path}/{weight.name}".lstrip("/"), names), weight) for weight in _own_weights(layer)
        ]
    return found


def _own_weights(layer: Any) -> list[Any]:
    """Those that no layer inside has."""
    inner = {id(weight) for _, each in layers_of(layer) for weight in each.weights}
    return [weight for weight in layer.weights if id(weight) not in inner]


def unique_weights(model: Any) -> dict[str, Any]:
    """Every weight once, under the first of its paths."""
    found: dict[int, tuple[str, Any]] = {}
    for name, weight in named_weights(model):
        found.setdefault(id(weight), (name, weight))
    return dict(found.values())


def keras_facts(model: Any, framework: str) -> SourceFacts:
    """Layers and weights by their paths.

    What a layer has made for no gradient (moving statistics) is a buffer; ``count_params`` counts both.
    """
    trained = {id(weight) for weight in model.trainable_weights}
    made_fixed = {
        id(weight)
        for _, layer in [("", model), *layers_of(model)]
        for weight in layer._non_trainable_variables  # noqa: SLF001 - what is only frozen is listed elsewhere
    }
    first: dict[int, str] = {}
    parameters: list[SourceParameter] = []
    buffers: list[SourceParameter] = []
    for name, weight in named_weights(model):
        other = first.setdefault(id(weight), name)
        shape = tuple(int(dim) for dim in weight.shape)
        shared = "" if other == name else other
        found = SourceParameter(name, shape, id(weight) in trained, shared)
        (buffers if id(weight) in made_fixed else parameters).append(found)
    modules = tuple(
        SourceModule(path, type(layer).__name__) for path, layer in [("", model), *layers_of(model)]
    )
    return SourceFacts(framework, tuple(parameters), modules, tuple(buffers))


def normalizations(model: Any, names: Mapping[int, str]) -> list[Normalization]:
    """Those that compute with moving statistics; ``names`` are those of weights by id."""
    found = []
    for _, layer in layers_of(model):
        if type(layer).__name__ == "BatchNormalization" and layer.built:
            parts = ("moving_mean", "moving_variance", "gamma", "beta")
            mean, variance, gamma, beta = (names.get(id(getattr(layer, part, None)), "") for part in parts)
            found.append(Normalization(mean, variance, gamma, beta, float(layer.epsilon)))
    return found
