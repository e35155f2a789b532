"""Determines which output channel each weight of an operator, and each number of its bias, belongs to."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.weight_layout import Layout

Numbers = NDArray[np.int64]

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
"""Rows of weights for each hidden unit of a recurrent operator."""


def weight_owners(node: OpNode, layout: Layout, shape: tuple[int, ...]) -> Numbers | None:
    """The output channel of each weight, in a shape that broadcasts against it; None where it has none.

    A hidden unit of a recurrent operator owns a row of every gate, an entry of a table's rows its column.
    """
    if layout.rows and len(shape) == 2:
        return np.arange(shape[1])[None]
    if layout.out_axis is None or not shape:
        return None
    if node.op_type in _GATES:
        return _hidden_units(shape[0], shape[1], shape[1] // _GATES[node.op_type])[:, :, None]
    axis = layout.out_axis % len(shape)
    if layout.groups > 1 and axis == 1:
        group = np.arange(shape[0]) // (shape[0] // layout.groups)
        numbers = group[:, None] * shape[1] + np.arange(shape[1])
        return numbers.reshape(*shape[:2], *(1,) * (len(shape) - 2))
    dims = [1] * len(shape)
    dims[axis] = shape[axis]
    return np.arange(shape[axis]).reshape(dims)


def bias_owners(node: OpNode, shape: tuple[int, ...], channels: int) -> Numbers | None:
    """The output channel of each number of a bias; None where the two do not fit."""
    if node.op_type in _GATES and len(shape) == 2:
        hidden = channels // shape[0]
        return _hidden_units(*shape, hidden) if hidden and shape[1] % hidden == 0 else None
    size = int(np.prod(shape))
    return np.arange(size).reshape(shape) if size == channels else None


def _hidden_units(directions: int, rows: int, hidden: int) -> Numbers:
    return np.arange(directions)[:, None] * hidden + np.arange(rows) % hidden


def last_layers(graph: ModelGraph, layers: Collection[str]) -> set[str]:
    """The layers from which a way leads to an output of the model past no other: their channels are outputs."""
    last: set[str] = set()
    waiting, seen = list(graph.outputs), set(graph.outputs)
    while waiting:
        node = graph.producer(waiting.pop())
        if node is None:
            continue
        if node.id in layers:
            last.add(node.id)
            continue
        more = [name for name in graph.reads(node) if name not in seen]
        seen.update(more)
        waiting.extend(more)
    return last
