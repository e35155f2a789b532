"""Who reads the channels of a family: layers as least-squares problems, and which group each column belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph
from nnea_graph.ops.weight_layout import layouts
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.coupling.groups import Coupling, Family
from nnea_graph.rewrite.refit.layers import RefittableLayer, reading_layers
from nnea_graph.static.result import call_of

Indices = NDArray[np.int64]
Slot = tuple[str, int]
"""An operator's id and the place of one of its inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class ConsumerLayer:
    """A layer that reads channels of a family.

    ``columns`` ``[groups, columns]`` and ``outputs`` ``[groups, outputs]`` are the places among the family's groups
    that a column reads, or that an output channel belongs to; -1 is none of them.
    """

    layer: RefittableLayer
    columns: Indices
    outputs: Indices
    bias: Slot | None
    bias_shape: tuple[int, ...] = ()

    @property
    def weight(self) -> Slot:
        """Finds where the layer's weights enter it; ``bias`` is where those that it has are added."""
        return self.layer.node.id, self.layer.node.inputs.index(self.layer.weight)


def layers_seen(graph: ModelGraph) -> tuple[RefittableLayer, ...]:
    """All layers, also those that cannot be refitted, in the order of execution; needs ``graph[node, WEIGHTS]``."""
    computed = {
        weight.tensor: weight.constant
        for node in graph
        for weight in graph[node, WEIGHTS]
        if weight.tensor not in graph.constants
    }
    return tuple(
        layer for _, layer in reading_layers(graph, graph, computed) if isinstance(layer, RefittableLayer)
    )


def readers_of(
    graph: ModelGraph, coupling: Coupling, layers: Sequence[RefittableLayer]
) -> Mapping[str, tuple[ConsumerLayer, ...]]:
    """Consumers by family, in the order of execution."""
    labels = [(layer, *_labels(graph, coupling, layer)) for layer in layers]
    found: dict[str, tuple[ConsumerLayer, ...]] = {}
    for family in coupling.families:
        places = _places(coupling, family)
        found[family.name] = tuple(
            ConsumerLayer(layer, places[columns], places[outputs], *_bias_slot(graph, layer))
            for layer, columns, outputs in labels
            if (places[columns] >= 0).any()
        )
    return found


def _bias_slot(graph: ModelGraph, layer: RefittableLayer) -> tuple[Slot | None, tuple[int, ...]]:
    """Where its bias is, and its shape as stored; None where it has none so far, or one number for all channels."""
    bias = layer.bias
    node = graph.producer(bias.output) if bias is not None else None
    if bias is None or node is None or bias.name not in node.inputs:
        return None, ()
    shape = graph.constants[bias.name].shape
    whole = prod(shape) == bias.stored(bias.values).size
    return ((node.id, bias.place), shape) if whole else (None, ())


def _places(coupling: Coupling, family: Family) -> Indices:
    """Place in the family by the number of a group; -1 of the others and, last, of what is in no group."""
    places = np.full(int(coupling.groups.max(initial=-1)) + 2, -1)
    places[list(family.groups)] = np.arange(len(family.groups))
    return places


def _labels(graph: ModelGraph, coupling: Coupling, layer: RefittableLayer) -> tuple[Indices, Indices]:
    """The group of every column and of every output; where several taps read a channel, they are neighbors."""
    form = layer.form
    layout = next(
        each
        for each in layouts(call_of(layer.node, graph[SHAPES]))
        if layer.node.inputs[each.weight] == layer.weight
    )
    entering = _along(graph, coupling, layer.x, layout.data_axis)
    leaving = _along(graph, coupling, layer.node.outputs[0], form.from_end)
    shape = form.groups, form.columns
    taps, rest = divmod(form.groups * form.columns, max(len(entering), 1))
    whole = len(entering) > 0 and not rest
    columns = np.repeat(entering, taps).reshape(shape) if whole else np.full(shape, -1)
    wide = (form.groups, form.outputs)
    return columns, leaving.reshape(wide) if leaving.size == form.groups * form.outputs else np.full(wide, -1)


def _along(graph: ModelGraph, coupling: Coupling, tensor: str, axis: int) -> Indices:
    """The group of each index along an axis; empty where it is not followed."""
    info = graph[SHAPES].types.get(tensor)
    rank = 0 if info is None or info.shape is None else len(info.shape)
    slots = coupling.slots.of((tensor, axis % rank)) if rank else None
    return np.zeros(0, np.int64) if slots is None else coupling.groups[slots]
