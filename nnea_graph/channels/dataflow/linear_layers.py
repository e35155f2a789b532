"""Linear: an operator whose output channels are weighted sums of its input channels, and the facts of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.channels.weight_inputs import WeightConstant, WeightInput, meetings
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.static.constant_folding import evaluate, loaded
from nnea_graph.static.result import StaticFacts
from nnea_graph.stats.row_facts import Grid, RowFacts, row_facts

Floats = NDArray[np.float64]

LINEAR = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``source`` and ``target`` are tensors whose channels are the weight's inputs and rows.

    ``bias`` is one number a row, None where the model computes it. ``padded`` says that zeros come in at the edges.
    """

    node: OpNode
    grid: Grid
    groups: int
    source: str
    target: str
    bias: Floats | None
    padded: bool
    facts: RowFacts

    @property
    def inputs(self) -> int:
        """Input channels of all groups."""
        return self.grid.inputs * self.groups


def linear(
    graph: ModelGraph,
    found: StaticFacts,
    channels: ChannelGraph,
    node: OpNode,
    weights: Sequence[WeightConstant],
) -> Linear | None:
    """The operator with its weight read once; None where it is not that simple."""
    if node.op_type not in LINEAR or node.domain or not weights:
        return None
    met = [each for each in meetings(graph, found, node, weights, "input") if isinstance(each, WeightInput)]
    if len(met) != 1:
        return None
    layout, target = met[0].layout, node.outputs[0]
    grid = _grid(met[0])
    if grid is None or not grid.constant.size or layout.leads_to is None:
        return None
    fits = _is_axis(channels, found, met[0].tensor, met[0].axis, grid.inputs * layout.groups)
    if not fits or not _is_axis(channels, found, target, layout.leads_to[1], grid.rows):
        return None
    bias = _bias(graph, found, node, grid.rows)
    facts = row_facts(grid, layout.groups)
    return Linear(node, grid, layout.groups, met[0].tensor, target, bias, _padded(node), facts)


def _grid(meeting: WeightInput) -> Grid | None:
    constant, layout = meeting.constant, meeting.layout
    rank = len(constant.shape)
    if layout.in_axis is None or layout.out_axis is None or constant.dtype.kind != "float":
        return None
    axes = layout.out_axis % rank, layout.in_axis % rank
    grouped = layout.groups > 1 and axes != (0, 1)
    if grouped or set(axes) != {0, 1} or (rank > 2 and meeting.layout.data_axis != 1):
        return None
    return Grid(loaded(constant), *axes)


def _is_axis(channels: ChannelGraph, found: StaticFacts, tensor: str, axis: int, count: int) -> bool:
    """Tells whether the channels of a tensor are its places along one axis."""
    seen, info = channels.tensors.get(tensor), found.types.get(tensor)
    if seen is None or info is None or info.shape is None or seen.count != count:
        return False
    return count == 1 or seen.real == (axis % len(info.shape),)


def _bias(graph: ModelGraph, found: StaticFacts, node: OpNode, rows: int) -> Floats | None:
    name = node.inputs[2] if len(node.inputs) > 2 else ""
    if not name:
        return np.zeros(rows)
    if name not in found.constant:
        return None
    values = evaluate(graph, found, name).astype(np.float64)
    if values.size not in {1, rows} or (values.size > 1 and values.shape[-1] != rows):
        return None
    scale = float(node.attributes.get("beta", 1.0)) if node.op_type == "Gemm" else 1.0
    return np.broadcast_to(values.reshape(-1) * scale, rows)


def _padded(node: OpNode) -> bool:
    if node.op_type not in {"Conv", "ConvTranspose"}:
        return False
    automatic = node.attributes.get("auto_pad", "NOTSET")
    automatic = automatic.decode() if isinstance(automatic, bytes) else automatic
    # Every output of a transposed convolution is a sum over some of the taps only.
    return (
        node.op_type == "ConvTranspose"
        or automatic not in {"NOTSET", "VALID"}
        or any(node.attributes.get("pads", ()))
    )
