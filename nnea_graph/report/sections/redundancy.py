"""Redundancy: the channels and tensors that can be removed, per layer and for the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from nnea_graph.channels.dataflow.redundancy import RemovedWork
from nnea_graph.graph import Constant, ModelGraph
from nnea_graph.ops.input_roles import Role
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.redundancy import MODEL_REDUNDANCY, REDUNDANCY, LayerRedundancyFact
from nnea_graph.report.facts import fact, node_fact
from nnea_graph.report.schema import redundancy as schema
from nnea_graph.report.schema.analysis import Layer


def with_redundancy(graph: ModelGraph, layers: Sequence[Layer]) -> list[Layer]:
    """The layers with their channels that can go; None for those that are not followed."""
    return [
        replace(layer, redundancy=_layer(node_fact(graph, graph.node(layer.id), REDUNDANCY)))
        for layer in layers
    ]


def _layer(found: LayerRedundancyFact | None) -> schema.LayerRedundancy | None:
    if found is None:
        return None
    mine = found.channels
    lists = {
        name: getattr(mine, name).tolist()
        for name in ("unread", "dead", "constant", "cloned", "twins", "factors", "parallel", "held")
    }
    return schema.LayerRedundancy(
        channels=mine.channels,
        held_by=mine.held_by,
        not_compared=mine.not_compared,
        exact_saving=_saving(found.exact),
        approximate_saving=_saving(found.approximate),
        **lists,
    )


def _saving(found: RemovedWork) -> schema.Saving:
    return schema.Saving(found.bytes, found.macs)


def model_redundancy(graph: ModelGraph) -> schema.ModelRedundancy | None:
    """Redundancy of all layers; None where the pass did not run."""
    found = fact(graph, MODEL_REDUNDANCY)
    if found is None:
        return None
    layers = [each for node in graph if (each := graph[node, REDUNDANCY]) is not None]
    matrices = [each for each in found.duplicates if _is_matrix(graph.constants[each.tensor])]
    twins = sorted(matrices, key=lambda each: (not each.exact, -each.bytes, each.tensor))
    return schema.ModelRedundancy(
        exact_channels=sum(each.channels.exact.size for each in layers),
        parallel_channels=sum(each.channels.parallel.size for each in layers),
        exact_saving=_saving(found.exact),
        approximate_saving=_saving(found.approximate),
        duplicates=[
            schema.DuplicateTensor(each.tensor, each.of, each.kind, each.exact, each.factor, each.bytes)
            for each in twins
        ],
        duplicate_bytes=sum(each.bytes for each in twins if each.exact),
        tied=list(_tied(graph)),
    )


def _tied(graph: ModelGraph) -> Iterator[schema.TiedTensor]:
    """Weights of more than one axis, each with all that read it."""
    readers: dict[str, list[str]] = {}
    for node in graph:
        for weight in graph[node, WEIGHTS]:
            if weight.role is Role.WEIGHT and weight.source in graph.constants:
                readers.setdefault(weight.source, []).append(node.id)
    for name, found in readers.items():
        constant = graph.constants[name]
        if len(found) > 1 and _is_matrix(constant):
            yield schema.TiedTensor(name, found, constant.stored_bytes)


def _is_matrix(constant: Constant) -> bool:
    """Not one number a channel: vectors take little, and shared they would tie the channels of their layers."""
    return max(constant.shape, default=1) < constant.size
