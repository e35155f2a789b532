"""Determines which layers of a pruned model read something else than before, and in which order they are refitted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from graphlib import TopologicalSorter

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role, declared_role
from nnea_graph.rewrite.refit.layers import RefittableLayer, layers_of


def constants_of(graph: ModelGraph) -> set[str]:
    """Stored constants and what is computed of nothing else."""
    found = set(graph.constants)
    for node in graph:
        if node.inputs and not node.bodies and all(name in found for name in node.inputs if name):
            found.update(name for name in node.outputs if name)
    return found


def downstream(graph: ModelGraph, tensors: Collection[str], constants: Collection[str]) -> set[str]:
    """The tensors, and all that is computed of one of them; constants aside."""
    found = {name for name in tensors if name not in constants}
    for node in graph:
        if any(name in found for name in graph.reads(node)):
            found.update(name for name in node.outputs if name)
    return found


def weighing(graph: ModelGraph, constants: Collection[str]) -> list[OpNode]:
    """The operators that read constant weights, and something else."""
    return [
        node
        for node in graph
        if any(name not in constants for name in node.inputs if name)
        and any(
            name in constants and declared_role(node.op_type, node.domain, place) is Role.WEIGHT
            for place, name in enumerate(node.inputs)
        )
    ]


def affected(graph: ModelGraph, pruned: Collection[str]) -> dict[str, RefittableLayer | str]:
    """Layers that read what has lost channels, or what is computed of it, by id; a text says why one is none.

    So is a layer at a sum with something of that kind: it can make up for it.
    """
    constants = constants_of(graph)
    changed = downstream(graph, pruned, constants)
    nodes = {node.id: node for node in weighing(graph, constants)}
    return {
        name: layer
        for name, layer in layers_of(graph, nodes.values()).items()
        if any(tensor in changed for tensor in nodes[name].inputs)
        or (isinstance(layer, RefittableLayer) and layer.target.other in changed)
    }


def stages(
    graph: ModelGraph, layers: Sequence[RefittableLayer], most_bytes: int
) -> list[list[RefittableLayer]]:
    """Layers in the order of execution; those of one stage do not hang on each other.

    A stage's sums take ``most_bytes`` together, or it is a single layer.
    """
    depths = _depths(graph, layers)
    found: list[list[RefittableLayer]] = []
    for depth in sorted(set(depths.values())):
        found += _packed([layer for layer in layers if depths[layer.node.id] == depth], most_bytes)
    return found


def _depths(graph: ModelGraph, layers: Iterable[RefittableLayer]) -> dict[str, int]:
    """How many layers lie behind each other up to each operator; at a sum, those of the other branch count too."""
    by_id = {layer.node.id: layer for layer in layers}
    before = {node.id: set(_makers(graph, graph.reads(node))) for node in graph}
    for name, layer in by_id.items():
        before[name] |= set(_makers(graph, [layer.target.other]))
    depths: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        deepest = max((depths[maker] for maker in before[name]), default=0)
        depths[name] = deepest + (name in by_id)
    return depths


def _makers(graph: ModelGraph, tensors: Iterable[str]) -> Iterator[str]:
    for name in tensors:
        maker = graph.producer(name)
        if maker is not None:
            yield maker.id


def _packed(layers: Iterable[RefittableLayer], most_bytes: int) -> list[list[RefittableLayer]]:
    found: list[list[RefittableLayer]] = []
    room = 0
    for layer in layers:
        if not found or layer.bytes > room:
            found.append([])
            room = most_bytes
        found[-1].append(layer)
        room -= layer.bytes
    return found
