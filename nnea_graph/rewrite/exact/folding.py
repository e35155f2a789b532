"""What channels that go leave to the weights that read them: columns added to others, constants in the bias."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.channels.known.values import Floats
from nnea_graph.graph.constants import constant_of
from nnea_graph.rewrite.edit import Kept
from nnea_graph.rewrite.exact.choice import Fold
from nnea_graph.rewrite.exact.sinks import Sink
from nnea_graph.rewrite.refitting.layers import Layer
from nnea_graph.rewrite.refitting.stored import with_values
from nnea_graph.rewrite.surgery import cut

Array = NDArray[Any]


def folded(model: ModelProto, folds: Iterable[Fold], kept: Kept) -> ModelProto:
    """The model, which has lost the indices that are not ``kept``, with what they left in its weights and biases."""
    layers: list[Layer] = []
    values: dict[str, Array] = {}
    for sink, mine in _by_sink(folds):
        if isinstance(sink.layer, Layer):
            layers.append(sink.layer)
            values |= _constants(sink, sink.layer, mine, kept)
    return with_values(model, layers, values) if layers else model


def _by_sink(folds: Iterable[Fold]) -> Iterator[tuple[Sink, list[Fold]]]:
    order = sorted(folds, key=lambda each: (each.sink.linear.node.id, each.place))
    for _, group in groupby(order, key=lambda each: each.sink.linear.node.id):
        mine = list(group)
        yield mine[0].sink, mine


def _constants(sink: Sink, layer: Layer, folds: Sequence[Fold], kept: Kept) -> Mapping[str, Array]:
    """The weight of a layer, if it can be changed, and its bias, if there is one, as they are afterwards."""
    grid = sink.linear.grid
    weight = grid.constant.array().astype(np.float64)
    lines = np.moveaxis(weight, (grid.out_axis, grid.in_axis), (0, 1))
    added = np.zeros(grid.rows)
    per_group = grid.rows // sink.linear.groups
    for fold in folds:
        own, place = divmod(fold.place, grid.inputs)
        rows = slice(own * per_group, (own + 1) * per_group)
        column: Floats = fold.times * lines[rows, place]
        if fold.twin < 0:
            added[rows] += column.reshape(per_group, -1).sum(1)
        else:
            lines[rows, fold.twin % grid.inputs] += column
    axes = {axis: stay for (tensor, axis), stay in kept.items() if tensor == layer.weight}
    found: dict[str, Array] = {}
    if not layer.fixed:
        whole = constant_of(layer.weight, weight.astype(layer.dtype), grid.constant.dtype)
        found[layer.weight] = cut(whole, axes).array()
    if layer.bias is not None:
        stay = axes.get(grid.out_axis, np.arange(grid.rows))
        scale = float(layer.node.attributes.get("alpha", 1.0)) / layer.bias.factor
        bias = (layer.bias.values + scale * added)[stay]
        found[layer.bias.name] = bias.reshape(-1, *layer.bias.shape[1:]).astype(layer.dtype)
    return found
