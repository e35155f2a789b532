"""Names of operators where few are shown: by the module of the source model that they stand for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.report.facts import node_fact


def called(graph: ModelGraph, names: Iterable[str]) -> dict[str, str]:
    """Name of each operator that has a module, by id: the module's own for the one with most of its weights.

    Others are called by the module and what is last in their id; operators without a module are left out. A family
    with a number (``id#2``) is called like the operator, with the number.
    """
    modules: dict[str, list[OpNode]] = defaultdict(list)
    for node in graph:
        modules[node.scope].append(node)
    nodes = {node.id: node for node in graph}
    mains = {scope: _main(graph, inside) for scope, inside in modules.items()}
    found = {}
    for name in dict.fromkeys(names):
        stem, mark, number = (name, "", "") if name in nodes else name.rpartition("#")
        if stem in nodes and (scope := nodes[stem].scope):
            own = scope if mains[scope] == stem else f"{scope}/{stem.rpartition('/')[2]}"
            found[name] = f"{own}{mark}{number}"
    return found


def _main(graph: ModelGraph, nodes: Iterable[OpNode]) -> str:
    """The id of the operator with more weights than any other of the module; "" where there is none such."""
    sizes = {
        node.id: sum(each.constant.size for each in node_fact(graph, node, WEIGHTS) or ()) for node in nodes
    }
    most = max(sizes.values())
    largest = [name for name, size in sizes.items() if size == most]
    return largest[0] if most and len(largest) == 1 else ""
