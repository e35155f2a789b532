"""Finds tensors stored twice and channels that do nothing: what can go without any loss, and what nearly so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nnea_graph.channels.dataflow.consumers import Followed, Follower
from nnea_graph.channels.dataflow.lattice import Bools, ChannelValues
from nnea_graph.channels.dataflow.linear_layers import Linear, linear
from nnea_graph.channels.dataflow.liveness import channel_reads
from nnea_graph.channels.dataflow.redundancy import Redundant, RemovedWork, redundant, saving
from nnea_graph.channels.dataflow.solve import channel_values
from nnea_graph.channels.graph import Places
from nnea_graph.engine import Pass, RunContext
from nnea_graph.errors import ModelError
from nnea_graph.graph import Key, ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.passes.channels import CHANNELS
from nnea_graph.passes.constants import WEIGHTS, Weight
from nnea_graph.passes.cost import COST
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.stats.duplicate_tensors import Duplicate, duplicates


@dataclass(frozen=True, slots=True)
class LayerRedundancyFact:
    """``exact`` is saved by the channels that go for nothing, ``approximate`` by the nearly parallel ones beside."""

    channels: Redundant
    exact: RemovedWork
    approximate: RemovedWork


@dataclass(frozen=True, slots=True)
class ModelRedundancyFact:
    """``exact`` and ``approximate`` are of the channels of all layers together; ``duplicates`` of stored tensors."""

    duplicates: tuple[Duplicate, ...]
    exact: RemovedWork
    approximate: RemovedWork


REDUNDANCY = Key[LayerRedundancyFact | None]("redundancy")
MODEL_REDUNDANCY = Key[ModelRedundancyFact]("model_redundancy")


@dataclass(frozen=True)
class RedundancyPass(Pass):
    """Reads each weight once; what it says holds on any input."""

    name = "redundancy"
    requires = (SHAPES, WEIGHTS, COST, CHANNELS)
    provides = (REDUNDANCY, MODEL_REDUNDANCY)

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Tensors, then channels layer by layer, then all of them together."""
        known = known_channels(graph)
        layers = known.layers
        place = {node.id: at for at, node in enumerate(graph)}
        follower = Follower(graph, graph[CHANNELS], layers, graph[SHAPES].constant, place)
        followed = {name: follower.follow(mine.target) for name, mine in layers.items()}
        found = {
            name: redundant(mine, followed[name], known.values, known.reads[mine.target])
            for name, mine in layers.items()
        }
        savings = _Savings(layers, followed, {name: _cost(graph, graph.node(name)) for name in layers})
        for node in graph:
            mine = found.get(node.id)
            graph[node, REDUNDANCY] = None if mine is None else savings.layer(mine, node.id)
        exact = savings.of({name: _marked(each.exact, each.channels) for name, each in found.items()})
        both = savings.of({name: _all(each) for name, each in found.items()})
        twins = tuple(duplicates(graph.constants.values()))
        graph[MODEL_REDUNDANCY] = ModelRedundancyFact(twins, exact, _beyond(both, exact))


@dataclass(frozen=True, slots=True, eq=False)
class LayerKnowledge:
    """The layers that are weighted sums; by tensor what is known of each channel, and whether an output needs it."""

    layers: Mapping[str, Linear]
    values: Mapping[str, ChannelValues]
    reads: Mapping[str, Bools]


def known_channels(graph: ModelGraph) -> LayerKnowledge:
    """Facts that hold on any input, by the facts of shapes, weights and channels."""
    layers = linear_layers(graph)
    values = channel_values(graph, graph[SHAPES], graph[CHANNELS], layers)
    return LayerKnowledge(layers, values, channel_reads(graph, graph[CHANNELS], layers))


def linear_layers(graph: ModelGraph) -> dict[str, Linear]:
    """The layers whose channels are followed, each with its weight read once."""
    found: dict[str, Linear] = {}
    for node in graph:
        weights = graph[node, WEIGHTS]
        try:
            mine = linear(graph, graph[SHAPES], graph[CHANNELS], node, weights)
        except ModelError:  # a weight that cannot be computed, or is too large to be
            continue
        if mine is not None:
            found[node.id] = mine
    return found


@dataclass(frozen=True, slots=True)
class _Savings:
    layers: Mapping[str, Linear]
    followed: Mapping[str, Followed]
    costs: Mapping[str, tuple[int, int | None]]

    def of(self, gone: Mapping[str, Bools]) -> RemovedWork:
        return saving(gone, self.layers, self.followed, self.costs)

    def layer(self, found: Redundant, name: str) -> LayerRedundancyFact:
        exact = self.of({name: _marked(found.exact, found.channels)})
        return LayerRedundancyFact(found, exact, _beyond(self.of({name: _all(found)}), exact))


def _marked(places: Places, count: int) -> Bools:
    marks = np.zeros(count, np.bool_)
    marks[places] = True
    return marks


def _all(found: Redundant) -> Bools:
    return _marked(np.concatenate([found.exact, found.parallel]), found.channels)


def _beyond(both: RemovedWork, exact: RemovedWork) -> RemovedWork:
    macs = None if both.macs is None or exact.macs is None else both.macs - exact.macs
    return RemovedWork(both.bytes - exact.bytes, macs)


def _cost(graph: ModelGraph, node: OpNode) -> tuple[int, int | None]:
    """Stored bytes of the weight, 0 where another layer has it, and MACs."""
    weights: tuple[Weight, ...] = graph[node, WEIGHTS]
    own = [each for each in weights if each.role is Role.WEIGHT and not each.tied_to]
    stored = [graph.constants.get(each.source, each.constant) for each in own]
    return sum(each.stored_bytes for each in stored), graph[node, COST].work.count("macs")
