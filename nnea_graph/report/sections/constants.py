"""Constants that are no parameters, each with the reason."""

from __future__ import annotations

from nnea_graph.graph import ModelGraph
from nnea_graph.ops.input_roles import Role
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.report.facts import node_fact
from nnea_graph.report.schema import analysis as schema


def constants_of(graph: ModelGraph) -> list[schema.PlainConstant]:
    """Masks, tables and grids at the first operator that reads each."""
    found: dict[str, schema.PlainConstant] = {}
    for node in graph:
        for weight in node_fact(graph, node, WEIGHTS) or ():
            if weight.role is Role.CONSTANT and weight.source not in found:
                found[weight.source] = schema.PlainConstant(
                    weight.tensor, node.id, weight.constant.size, weight.reason
                )
    return list(found.values())
