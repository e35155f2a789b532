"""Names of an exported graph that are the same from run to run: layers for operators, parameters for constants.

tf2onnx numbers what it makes through the whole process, and orders it by hash; TensorFlow numbers name scopes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

from nnea_graph.frontends.provenance.derivations import Derivation, FoldedWeight, TransposedTensor
from nnea_graph.frontends.shared.unique_names import free_name
from nnea_graph.frontends.tf2onnx.canonical_order import bodies_of, defined, hoist, outer_reads, put_in_order
from nnea_graph.frontends.tf2onnx.convert import unnumbered
from nnea_graph.frontends.tf2onnx.trace import TraceNames

_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"}) | _RECURRENT
_FROZEN_BODY = re.compile(r"^.*_frozen_\d+_")


@dataclass
class Naming:
    """``scopes`` gives the layer of a name scope; ``recipes`` are by tf2onnx's names, ``renamed`` by the new ones."""

    scopes: Mapping[str, str]
    recipes: Mapping[str, Derivation]
    renamed: dict[str, Derivation] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def layer(self, name: str) -> str | None:
        """The layer that a name of tf2onnx says, None where it says none."""
        path = _FROZEN_BODY.sub("", unnumbered(name)).rpartition(";")[2]
        while path:
            if path in self.scopes:
                return self.scopes[path]
            path = path.rpartition("/")[0]
        return None

    def free(self, wanted: str) -> str:
        """``wanted``, or with the first number that is not taken."""
        return free_name(wanted, self.taken)


def rename(proto: ModelProto, names: TraceNames, recipes: Mapping[str, Derivation]) -> dict[str, Derivation]:
    """Order and name everything anew; gives the recipes by the new names."""
    graph = proto.graph
    put_in_order(graph)
    naming = Naming(names.scopes, recipes)
    known = {value.name: naming.free(name) for value, name in zip(graph.input, names.inputs, strict=True)}
    for value, name in zip(graph.output, names.outputs, strict=True):
        known.setdefault(value.name, naming.free(name))
    _graph(graph, naming, known, "")
    hoist(graph)
    return naming.renamed


def _graph(graph: GraphProto, naming: Naming, outer: Mapping[str, str], owner: str) -> None:
    """Rename a graph; ``owner`` is the layer of the operator whose body it is."""
    names = dict(outer)
    layers = _layers(graph, naming, owner)
    _name_constants(graph, naming, names, layers)
    for node, layer in zip(graph.node, layers, strict=True):
        node.name = naming.free(f"{layer}/{node.op_type}" if layer else node.op_type)
        for number, output in enumerate(node.output):
            if output and output not in names:
                names[output] = naming.free(f"{node.name}:{number}")
    for value in graph.input:
        names.setdefault(value.name, naming.free(f"{owner}/input" if owner else "input"))
    for node, layer in zip(graph.node, layers, strict=True):
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            for body in bodies_of(attribute):
                own = defined(body)
                _graph(body, naming, {old: new for old, new in names.items() if old not in own}, layer)
    _rename_values(graph, names)


def _rename_values(graph: GraphProto, names: Mapping[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    declared = {value.name for value in (*graph.input, *graph.output)}
    made = {name for node in graph.node for name in node.output}
    kept = sorted(
        (value for value in graph.value_info if value.name in made - declared), key=lambda value: value.name
    )
    kept = [ValueInfoProto.FromString(value.SerializeToString()) for value in kept]
    del graph.value_info[:]
    graph.value_info.extend(kept)


# Constants


def _name_constants(graph: GraphProto, naming: Naming, names: dict[str, str], layers: Sequence[str]) -> None:
    """Names constants by the parameter that they are, else by the layer that reads them first."""
    readers: dict[str, str] = {}
    for node, layer in zip(graph.node, layers, strict=True):
        for name in (*node.input, *outer_reads(node)):
            readers.setdefault(name, layer)
    order = {name: place for place, name in enumerate(readers)}
    stored = sorted(graph.initializer, key=lambda tensor: order.get(tensor.name, len(order)))
    for tensor in stored:
        recipe = naming.recipes.get(tensor.name)
        layer = readers.get(tensor.name, "")
        wanted = f"{layer}/constant" if layer else "constant"
        if isinstance(recipe, TransposedTensor):
            wanted = recipe.name
        old = tensor.name
        names[old] = naming.free(wanted)
        if recipe is not None:
            naming.renamed[names[old]] = recipe
    copies = [type(tensor).FromString(tensor.SerializeToString()) for tensor in stored]
    del graph.initializer[:]
    graph.initializer.extend(copies)


# Layers of operators that have no name of their own


def _layers(graph: GraphProto, naming: Naming, owner: str) -> list[str]:
    """The layer of each operator; what tf2onnx has made up belongs to what all its neighbors have in common."""
    own = [_own_layer(node, naming) for node in graph.node]
    before = _spread(graph.node, own, {name: n for n, node in enumerate(graph.node) for name in node.output})
    after = _spread_back(graph.node, own)
    return [
        layer if layer is not None else _common([*before[n], *after[n]], owner) for n, layer in enumerate(own)
    ]


def _own_layer(node: NodeProto, naming: Naming) -> str | None:
    """That of its weight, where the weight is a parameter: what is fused carries the name of the last part."""
    recipe = naming.recipes.get(node.input[1]) if len(node.input) > 1 else None
    if recipe is None or node.op_type not in _WEIGHTED:
        named = naming.layer(node.name)
        return _layer_of_parameters(node, naming) if named is None else named
    names = recipe.names[:1] if isinstance(recipe, FoldedWeight) else recipe.names
    layers = [name.rpartition("/")[0] for name in names]
    if node.op_type in _RECURRENT:
        layers = [layer.rpartition("/")[0] for layer in layers]  # of the cell, which the whole layer runs
    return _common(layers, "")


def _layer_of_parameters(node: NodeProto, naming: Naming) -> str | None:
    """Finds where the parameters lie that an operator reads, None where it reads none."""
    names = [naming.recipes[name].names[0] for name in node.input if name in naming.recipes]
    return _common([name.rpartition("/")[0] for name in names], "") if names else None


def _spread(
    nodes: Sequence[NodeProto], own: Sequence[str | None], makers: Mapping[str, int]
) -> list[frozenset[str]]:
    """The layers met first on the way back from each operator."""
    found: list[frozenset[str]] = []
    for node in nodes:
        met: set[str] = set()
        for name in (*node.input, *outer_reads(node)):
            maker = makers.get(name)
            if maker is None:
                continue
            layer = own[maker]
            met |= {layer} if layer is not None else found[maker]
        found.append(frozenset(met))
    return found


def _spread_back(nodes: Sequence[NodeProto], own: Sequence[str | None]) -> list[frozenset[str]]:
    """The layers met first on the way on from each operator."""
    wanted: dict[str, set[str]] = {}
    found: list[frozenset[str]] = [frozenset()] * len(nodes)
    for n in range(len(nodes) - 1, -1, -1):
        found[n] = frozenset(layer for name in nodes[n].output for layer in wanted.get(name, ()))
        mine = own[n]
        seen = {mine} if mine is not None else found[n]
        for name in (*nodes[n].input, *outer_reads(nodes[n])):
            wanted.setdefault(name, set()).update(seen)
    return found


def _common(layers: Iterable[str], owner: str) -> str:
    """The innermost layer that all of them lie in."""
    paths = [layer.split("/") for layer in layers]
    if not paths:
        return owner
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "/".join(shared)
