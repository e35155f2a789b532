"""Determines which axes of a model's inputs are channels: those that arrive as the channels of the first layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush

from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.channels.rule_context.model_view import ModelView
from nnea_graph.channels.rule_context.operand_rank import OperandRank
from nnea_graph.channels.rule_context.state import CHANNEL_LIMIT, Arrival, ChannelGraphBuilder
from nnea_graph.graph import OpNode

Visit = Callable[[ChannelGraphBuilder, OpNode], None]
Standings = Mapping[str, OperandRank]


def standings(sight: ModelView, visit: Visit) -> Standings:
    """Ranks of tensors, value or gate, found without any channels."""
    draft = ChannelGraphBuilder(sight, scouting=True)
    for node in sight.graph:
        visit(draft, node)
    return draft.standing


def input_channels(sight: ModelView, name: str, visit: Visit, known: Standings) -> ChannelTensor | None:
    """Channels of an input of the model; None where it leads to no weights, or to none by its channels.

    Each axis in turn is taken for channels and followed to the first weights. Through a flattening several
    axes arrive as channels together; a layer of one channel takes an input without any. ``known`` are standings.
    """
    dims = _dims(sight, name)
    if dims is None:
        return None
    few = [(axis, dim) for axis, dim in enumerate(dims) if 1 < dim <= CHANNEL_LIMIT]
    tried = {axis: ChannelTensor(name, (axis,), (dim,)) for axis, dim in few}
    tried = tried or {-1: ChannelTensor(name, (), ())}
    trials = {axis: _arrivals(sight, tensor, visit, known) for axis, tensor in tried.items()}
    return _chosen(sight, name, dims, trials, dense=True) or _chosen(sight, name, dims, trials, dense=False)


def _chosen(
    sight: ModelView, name: str, dims: tuple[int, ...], trials: dict[int, list[Arrival]], *, dense: bool
) -> ChannelTensor | None:
    """Channels by the first operator that some axis reaches as its channels, or that has a single one."""
    met: dict[int, set[int]] = {}
    single: dict[int, Arrival] = {}
    for axis, arrivals in trials.items():
        for arrival in (each for each in arrivals if each.dense is dense):
            place = sight.places[arrival.node.id]
            if arrival.tensor.real and set(arrival.tensor.real) <= set(arrival.wanted):
                met.setdefault(place, set()).add(axis)
            elif _one_channel(sight, arrival):
                single.setdefault(place, arrival)
    first = min((*met, *single), default=None)
    if first is None:
        return None
    if first in met:
        axes = sorted(met[first])
        return ChannelTensor(name, tuple(axes), tuple(dims[axis] for axis in axes))
    return _lone(sight, name, dims, single[first])


def _lone(sight: ModelView, name: str, dims: tuple[int, ...], arrival: Arrival) -> ChannelTensor:
    """A single channel, along its own axis where that has not moved."""
    unmoved = _dims(sight, arrival.tensor.name) == dims
    axes = arrival.wanted if unmoved else ()
    return ChannelTensor(name, axes, (1,) * len(axes))


def _one_channel(sight: ModelView, arrival: Arrival) -> bool:
    dims = _dims(sight, arrival.tensor.name)
    return dims is not None and bool(arrival.wanted) and all(dims[axis] == 1 for axis in arrival.wanted)


def _dims(sight: ModelView, name: str) -> tuple[int, ...] | None:
    """Dims of a tensor, open ones as 1."""
    info = sight.found.types.get(name)
    if info is None or info.shape is None:
        return None
    return tuple(dim if isinstance(dim, int) else 1 for dim in info.shape)


def _arrivals(sight: ModelView, tensor: ChannelTensor, visit: Visit, known: Standings) -> list[Arrival]:
    """Follow these channels up to the weights that they meet."""
    draft = ChannelGraphBuilder(sight, scouting=True, standing=dict(known))
    draft.begin(tensor.name, tensor.axes, tensor.dims)
    waiting: list[tuple[int, str]] = []
    seen: set[str] = set()

    def reach(nodes: Iterable[OpNode]) -> None:
        for node in nodes:
            if node.id not in seen and node.body not in sight.idle:
                seen.add(node.id)
                heappush(waiting, (sight.places[node.id], node.id))

    reach(sight.graph.consumers(tensor.name))
    while waiting:
        node = sight.graph.node(heappop(waiting)[1])
        visit(draft, node)
        for output in node.outputs:
            if output in draft.tensors:
                reach(sight.graph.consumers(output))
    return draft.arrivals
