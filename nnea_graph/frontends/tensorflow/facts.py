"""Facts that a function of TensorFlow states of its variables: names, and the modules or layers that have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnea_graph.frontends.provenance.derivations import Normalization
from nnea_graph.frontends.shared.unique_names import free_name
from nnea_graph.frontends.tensorflow.keras_scopes import KerasScopes
from nnea_graph.frontends.tensorflow.variable_paths import Paths, paths_of
from nnea_graph.frontends.tf2onnx.name_scopes import outer, parts, reads_of
from nnea_graph.frontends.tf2onnx.trace import Frozen
from nnea_graph.graph.source_facts import SourceFacts, SourceModule, SourceParameter

_STATISTICS = ("moving_mean", "moving_variance")


@dataclass(frozen=True, slots=True)
class TfNames:
    """``parameters`` are the names of each variable, by its handle's id; the first is its own, others are paths too.

    ``scopes`` give the layer of a name scope, ``modules`` the class by path, "" if nobody knows it.
    """

    parameters: Mapping[int, Sequence[str]]
    scopes: Mapping[str, str]
    modules: Mapping[str, str]


def names_of(frozen: Frozen, variables: Sequence[Any], root: object) -> TfNames:
    """Names along the attributes of ``root``, where it has them all under public names, else those of layers."""
    paths = paths_of(root)
    handles = [id(each.handle) for each in variables]
    read = reads_of(frozen.graph_def, (frozen.places[handle] for handle in handles))
    reads = {handle: read[frozen.places[handle]] for handle in handles}
    if handles and all(map(paths.names, handles)):
        return _of_attributes({handle: paths.names(handle) for handle in handles}, reads, paths)
    made = {id(each.handle): each.name.partition(":")[0] for each in variables}
    return _of_layers(made, reads, paths, frozen.graph_def)


def _of_attributes(
    parameters: Mapping[int, Sequence[str]], reads: Mapping[int, Sequence[str]], paths: Paths
) -> TfNames:
    """Scopes that read the variables of one module only are that module's."""
    found: dict[str, set[str]] = {}
    for handle, names in parameters.items():
        for scope in map(outer, reads[handle]):
            if parts(scope):
                found.setdefault(scope, set()).add(outer(names[0]))
    scopes = {scope: modules.pop() for scope, modules in found.items() if len(modules) == 1}
    return TfNames(parameters, scopes, _classes(_around(parameters), paths))


def _of_layers(
    made: Mapping[int, str], reads: Mapping[int, Sequence[str]], paths: Paths, graph_def: Any
) -> TfNames:
    """``made`` are the names that the variables were given when they were made."""
    layers = KerasScopes.of(graph_def, (found[0] for found in reads.values() if found), made.values())
    homes = {handle: layers.home(found[0], made[handle]) if found else "" for handle, found in reads.items()}
    wanted = {handle: "/".join(filter(None, (home, _last(made[handle])))) for handle, home in homes.items()}
    parameters = {handle: [name] for handle, name in _distinct(wanted, paths).items()}
    scopes = layers.every(graph_def, homes.values())
    return TfNames(parameters, scopes, _classes([*_around(parameters), *scopes.values()], paths))


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _around(parameters: Mapping[int, Sequence[str]]) -> list[str]:
    """Every module around a parameter, outer ones first."""
    found: dict[str, None] = {"": None}
    for name in (name for names in parameters.values() for name in names):
        found |= dict.fromkeys(name[:at] for at, sign in enumerate(name) if sign == "/")
    return list(found)


def _classes(modules: Iterable[str], paths: Paths) -> dict[str, str]:
    return {path: paths.classes.get(path, "") for path in modules}


def _distinct(wanted: Mapping[int, str], paths: Paths) -> dict[int, str]:
    """The wanted names, where several want the same their paths, and numbers where there are none."""
    times = Counter(wanted.values())
    taken: set[str] = set()
    found = {}
    for handle, name in wanted.items():
        public = paths.names(handle) or paths.variables.get(handle, ())
        found[handle] = free_name(public[0] if times[name] > 1 and public else name, taken)
    return found


def facts_of(
    names: TfNames, variables: Sequence[Any], norms: Sequence[Normalization], fixed: frozenset[int]
) -> SourceFacts:
    """Variables by their names; ``fixed`` are handles of some that do not train, whatever they say of themselves.

    Fixed statistics of normalizations and fixed whole numbers are buffers.
    """
    statistics = {name for norm in norms for name in (norm.mean, norm.variance)}
    parameters: list[SourceParameter] = []
    buffers: list[SourceParameter] = []
    for variable in variables:
        handle = id(variable.handle)
        trains = bool(variable.trainable) and handle not in fixed
        first, *others = names.parameters[handle]
        shape = tuple(variable.shape) if variable.shape.is_fully_defined() else variable.numpy().shape
        rows = [SourceParameter(first, shape, trains)]
        rows += [SourceParameter(name, shape, trains, first) for name in others]
        kept = first in statistics or _last(first) in _STATISTICS or not variable.dtype.is_floating
        (buffers if kept and not trains else parameters).extend(rows)
    modules = tuple(SourceModule(path, kind) for path, kind in names.modules.items())
    return SourceFacts("tensorflow", tuple(parameters), modules, tuple(buffers))
