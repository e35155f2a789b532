"""Finds where groups of channels end: the weights that read them, and what is known of each channel there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from nnea_graph.channels.dataflow.elementwise import MOVING
from nnea_graph.channels.dataflow.lattice import Bools, Floats, labels
from nnea_graph.channels.dataflow.linear_layers import Linear
from nnea_graph.channels.dataflow.liveness import APART, SIZES, used_inputs
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.passes.channels import CHANNELS
from nnea_graph.passes.redundancy import LayerKnowledge
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.coupling.groups import Coupling
from nnea_graph.rewrite.coupling.index_space import Indices
from nnea_graph.rewrite.refit.layers import RefittableLayer, reading_layers

NO_BIAS = "it has no bias that a constant could go into"
EDGES = "zeros come in at its edges, where a constant channel would be missed"
_ROUNDED = frozenset({"float16", "bfloat16"})


@dataclass(frozen=True, eq=False)
class WeightConsumer:
    """A weight that reads channels. By input channel: its group (-1: it stays, or goes with the rows that read it).

    ``unread`` channels meet weights of 0, or only rows that no output depends on; ``number`` is what a channel always
    is, NaN where it is not known. Channels with the same ``label`` are multiples of each other, by ``factor``, and
    are read by the same rows.
    """

    graph: ModelGraph
    linear: Linear
    groups: Indices
    unread: Bools
    number: Floats
    label: Indices
    factor: Floats

    @property
    def nothing(self) -> Bools:
        """Channels that add nothing to what is read."""
        return np.asarray(self.unread | (self.number == 0))

    @cached_property
    def twins(self) -> dict[int, Indices]:
        """Channels that have it, where there are several, by label."""
        order = np.argsort(self.label, kind="stable")
        ends = np.flatnonzero(np.diff(self.label[order])) + 1
        parts = np.split(order, ends)
        return {int(self.label[part[0]]): part for part in parts if len(part) > 1}

    @cached_property
    def repeated(self) -> Bools:
        """Channels that are multiples of others."""
        return np.isin(self.label, np.fromiter(self.twins, np.int64))

    @cached_property
    def layer(self) -> RefittableLayer | str:
        """The operator as one whose bias can be changed, or why it cannot."""
        node = self.linear.node
        computed = {node.inputs[1]: self.linear.grid.constant}
        _, layer = next(reading_layers(self.graph, [node], computed))
        if isinstance(layer, RefittableLayer) and layer.dtype.name in _ROUNDED:
            return f"its weights are {layer.dtype.name}, which a sum would be rounded in"
        return layer

    @property
    def takes_columns(self) -> str:
        """Reason why a column cannot be added to another one; "" where it can."""
        return self.layer if isinstance(self.layer, str) else self.layer.fixed

    @cached_property
    def takes_numbers(self) -> str:
        """Reason why a constant cannot go into its bias; "" where it can."""
        if isinstance(self.layer, str):
            return self.layer
        if self.linear.padded:
            return EDGES
        return "" if self.layer.bias is not None or self.linear.node.op_type == "MatMul" else NO_BIAS


@dataclass(slots=True)
class ChannelConsumers:
    """The sinks, and the groups that something else reads all of, with what that is."""

    sinks: list[WeightConsumer] = field(default_factory=list)
    stuck: dict[int, str] = field(default_factory=dict)


def ends_of(graph: ModelGraph, coupling: Coupling, known: LayerKnowledge) -> ChannelConsumers:
    """All places where groups end."""
    found, constant = ChannelConsumers(), graph[SHAPES].constant
    for node in graph:
        linear = known.layers.get(node.id)
        if linear is not None and node.inputs.count(linear.source) == 1:
            found.sinks += _sink(graph, coupling, known, linear)
            continue
        for name in dict.fromkeys(graph.reads(node)):
            groups = () if name in constant else _read_whole(coupling, node, name)
            found.stuck |= {
                int(group): f"'{node.id}' ({node.op_type}) takes them together" for group in groups
            }
    return found


def _sink(
    graph: ModelGraph, coupling: Coupling, known: LayerKnowledge, linear: Linear
) -> Iterator[WeightConsumer]:
    """None where none of its inputs can go."""
    groups = _groups(graph, coupling, linear.source)
    if (groups < 0).all():
        return
    values, own = known.values[linear.source], np.arange(linear.inputs) // linear.grid.inputs
    if linear.groups > 1:
        rows = _groups(graph, coupling, linear.target).reshape(linear.groups, -1)
        groups = np.where((rows[own] == groups[:, None]).all(1), -1, groups)
    yield WeightConsumer(
        graph,
        linear,
        groups,
        ~used_inputs(linear, known.reads[linear.target]),
        np.where(values.known & np.isfinite(values.low), values.low, np.nan),
        labels(values.label, own),
        values.factor,
    )


def _groups(graph: ModelGraph, coupling: Coupling, tensor: str) -> Indices:
    """The group of each channel of a tensor whose channels lie along one axis."""
    channels = graph[CHANNELS].tensors[tensor]
    slots = coupling.slots.of((tensor, channels.real[0])) if channels.real else None
    return np.full(channels.count, -1) if slots is None else coupling.groups[slots]


def _read_whole(coupling: Coupling, node: OpNode, name: str) -> Indices:
    """Groups of a tensor that an operator does not take channel by channel."""
    read = coupling.groups_of(name)
    if node.op_type not in APART | SIZES or node.domain or node.body:
        return read
    if node.op_type in MOVING | SIZES:
        return read[:0]
    led = [coupling.groups_of(output) for output in node.outputs if output]
    return np.setdiff1d(read, np.concatenate(led))
