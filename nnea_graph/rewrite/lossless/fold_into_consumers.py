"""What channels that go leave to the weights that read them: columns added to others, constants in the bias."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper

from nnea_graph.channels.dataflow.lattice import Floats
from nnea_graph.graph.constants import constant_of
from nnea_graph.rewrite.lossless.consumers import WeightConsumer
from nnea_graph.rewrite.lossless.selection import Fold
from nnea_graph.rewrite.refit.layers import RefittableLayer
from nnea_graph.rewrite.refit.write_weights import with_values
from nnea_graph.rewrite.surgery.edit import Changes, Kept, add_constants
from nnea_graph.rewrite.surgery.prune_indices import cut, names_of

Array = NDArray[Any]


def folded(model: ModelProto, folds: Iterable[Fold], kept: Kept) -> ModelProto:
    """The model, which has lost the indices that are not ``kept``, with what they left in its weights and biases."""
    layers: list[RefittableLayer] = []
    values: dict[str, Array] = {}
    behind: dict[str, Array] = {}
    for sink, mine in _by_sink(folds):
        if isinstance(sink.layer, RefittableLayer):
            layers.append(sink.layer)
            found, bias = _constants(sink, sink.layer, mine, kept)
            values |= found
            if bias.any():
                behind[sink.linear.target] = bias
    if not layers:
        return model
    result = with_values(model, layers, values)
    for tensor, bias in behind.items():
        _add(result, tensor, bias)
    return result


def _add(model: ModelProto, tensor: str, bias: Array) -> None:
    """Let a tensor be what it was plus a constant, by an operator of its own."""
    changes = Changes(names_of(model.graph))
    place = next(at for at, node in enumerate(model.graph.node) if tensor in node.output)
    maker = model.graph.node[place]
    plain = changes.fresh(f"{tensor}/plain")
    maker.output[:] = [plain if name == tensor else name for name in maker.output]
    name = changes.constant(f"{tensor}/bias", bias)
    model.graph.node.insert(place + 1, helper.make_node("Add", [plain, name], [tensor], name=name))
    add_constants(model.graph, changes.constants, model.ir_version)


def _by_sink(folds: Iterable[Fold]) -> Iterator[tuple[WeightConsumer, list[Fold]]]:
    order = sorted(folds, key=lambda each: (each.sink.linear.node.id, each.place))
    for _, group in groupby(order, key=lambda each: each.sink.linear.node.id):
        mine = list(group)
        yield mine[0].sink, mine


def _constants(
    sink: WeightConsumer, layer: RefittableLayer, folds: Sequence[Fold], kept: Kept
) -> tuple[Mapping[str, Array], Array]:
    """The weight of a layer, if it can be changed, and its bias, if there is one, as they are afterwards.

    With what is to be added behind a layer that has none.
    """
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
    stay = axes.get(grid.out_axis, np.arange(grid.rows))
    if layer.bias is not None:
        scale = float(layer.node.attributes.get("alpha", 1.0)) / layer.bias.factor
        bias = (layer.bias.values + scale * added)[stay]
        found[layer.bias.name] = bias.reshape(-1, *layer.bias.shape[1:]).astype(layer.dtype)
        added[:] = 0
    return found, added[stay].astype(layer.dtype)
