"""Exports a program with probes in the place of its weights, and finds the recipes of what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.frontends.provenance.derivations import Derivation, Normalization
from nnea_graph.frontends.provenance.marker_values import MOST, MarkerCatalogue
from nnea_graph.frontends.provenance.search import DerivationSearch
from nnea_graph.frontends.provenance.template import Exported, emptied, float_constants
from nnea_graph.frontends.torch.export import converted
from nnea_graph.graph.source_facts import SourceFacts

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

_EPSILONS = (1e-5, 1e-3, 1e-6, 1e-12)
"""Of normalizations whose module is not there to be asked."""
_PARTS = {
    "running_var": ("running_mean", "weight", "bias"),
    "moving_variance": ("moving_mean", "gamma", "beta"),
}
"""Mean, scale and shift beside a variance: as torch calls them, and Keras on torch."""


def exported(program: ExportedProgram, facts: SourceFacts, epsilons: Mapping[str, float]) -> Exported:
    """A program as a model with recipes; ``epsilons`` are those of the normalizations, by module.

    Where a weight is made in a way that no recipe tells, the model as its weights make it now.

    Raises:
        ModelError: the exporter's own reason.
    """
    shared = {each.name: each.shared_with for each in (*facts.parameters, *facts.buffers) if each.shared_with}
    sources = _sources(program, shared)
    reason = _unfit(sources)
    if reason:
        return Exported(converted(program), {}, lasting=False, reason=reason)
    catalogue = MarkerCatalogue.of({name: tuple(tensor.shape) for name, tensor in sources.items()})
    with _probing(program, catalogue, shared):
        proto = converted(program)
    values = {name: catalogue.values(name) for name in catalogue.names}
    search = DerivationSearch(catalogue, values, normalizations(catalogue.names, epsilons))
    found = {
        name: search.recipe(constant, shared.get(name, name)) for name, constant in float_constants(proto)
    }
    recipes: dict[str, Derivation] = {name: recipe for name, recipe in found.items() if recipe is not None}
    left = _used(program, sources, shared) - {name for recipe in recipes.values() for name in recipe.names}
    if left:
        reason = f"no recipe is known for what the exporter makes of '{min(left)}'"
        return Exported(converted(program), {}, lasting=False, reason=reason)
    return Exported(emptied(proto, recipes), recipes, lasting=True)


def _sources(program: ExportedProgram, shared: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Parameters and buffers of floating point, each under its first name."""
    return {
        name: tensor
        for name, tensor in program.state_dict.items()
        if tensor.is_floating_point() and name not in shared and tensor.numel()
    }


def _unfit(sources: Mapping[str, torch.Tensor]) -> str:
    """Reason why probes cannot stand for these tensors, "" where they can."""
    narrow = next((name for name, tensor in sources.items() if tensor.dtype.itemsize < 4), None)
    if narrow is not None:
        return f"'{narrow}' is of {sources[narrow].dtype}, which has too few numbers to tell its places apart"
    if sum(tensor.numel() for tensor in sources.values()) > MOST:
        return f"the model has more than {MOST:,} weights"
    return ""


@contextmanager
def _probing(
    program: ExportedProgram, catalogue: MarkerCatalogue, shared: Mapping[str, str]
) -> Iterator[None]:
    """Probes in the program's state meanwhile; the tensors themselves are not touched."""
    import torch  # noqa: PLC0415 - takes a second to import

    state = program.state_dict
    before = dict(state)
    try:
        for name, tensor in before.items():
            first = shared.get(name, name)
            if first in catalogue.shapes:
                probe = torch.from_numpy(catalogue.values(first)).to(tensor.dtype)
                state[name] = torch.nn.Parameter(probe) if isinstance(tensor, torch.nn.Parameter) else probe
        yield
    finally:
        state.update(before)


def normalizations(names: Sequence[str], epsilons: Mapping[str, float]) -> list[Normalization]:
    """Every normalization by running statistics, with each epsilon that it may have."""
    known = set(names)
    found = []
    for variance in names:
        module, _, last = variance.rpartition(".")
        paths = [f"{module}.{part}" if module else part for part in _PARTS.get(last, ())]
        mean, gamma, beta = [path if path in known else "" for path in paths] or ("", "", "")
        if not mean:
            continue
        for epsilon in (epsilons[module],) if module in epsilons else _EPSILONS:
            found.append(Normalization(mean, variance, gamma, beta, epsilon))  # noqa: PERF401
    return found


def _used(program: ExportedProgram, sources: Mapping[str, Any], shared: Mapping[str, str]) -> set[str]:
    """The sources that some operator reads."""
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    read = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    firsts = {shared.get(name, name) for place, name in names.items() if place in read}
    return firsts & set(sources)


def values_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    """The tensors that recipes may ask for, as views where they are on the CPU."""
    return {
        name: np.asarray(tensor.detach().cpu())
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and tensor.dtype.itemsize >= 4
    }
