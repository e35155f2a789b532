"""Draft: the channel graph as it grows along the execution order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nnea_graph.channels.graph import ChannelGraph, ChannelTensor, End, Link, Places
from nnea_graph.channels.rule_context.model_view import ModelView
from nnea_graph.channels.rule_context.operand_rank import OperandRank
from nnea_graph.graph import OpNode
from nnea_graph.ops.call import UnknownFactError

CHANNEL_LIMIT = 1 << 22
"""Channels of one tensor: as many as a flattened image of 4 million numbers."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A scouted tensor meets an operator with weights, which take ``wanted`` for its channel axes."""

    node: OpNode
    wanted: tuple[int, ...]
    tensor: ChannelTensor
    dense: bool


@dataclass(slots=True)
class ChannelGraphBuilder:
    """``lost`` says of tensors without channels where and why these ended; ``apart`` which layers are not covered.

    With ``scouting`` the draft only finds where the channels of one tensor arrive: nothing begins and nothing
    leads through weights.
    """

    sight: ModelView
    scouting: bool = False
    tensors: dict[str, ChannelTensor] = field(default_factory=dict)
    into: dict[str, tuple[Link, ...]] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)
    lost: dict[str, End] = field(default_factory=dict)
    standing: dict[str, OperandRank] = field(default_factory=dict)
    apart: dict[str, str] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    copies: dict[str, Places] = field(default_factory=dict)

    def dims(self, name: str) -> tuple[int | None, ...]:
        """Dims of a tensor, None where they are not known.

        Raises:
            UnknownFactError: not even the rank is known.
        """
        info = self.sight.found.types.get(name)
        if info is None or info.shape is None:
            raise UnknownFactError(f"the rank of '{name}' is not known before the model runs")
        return tuple(dim if isinstance(dim, int) else None for dim in info.shape)

    def begin(self, name: str, axes: tuple[int, ...], dims: tuple[int, ...]) -> ChannelTensor:
        """Channels that come from nowhere on the graph.

        Raises:
            UnknownFactError: more than ``CHANNEL_LIMIT``.
        """
        tensor = ChannelTensor(name, axes, dims)
        _check_count(tensor)
        self.tensors[name] = tensor
        return tensor

    def lead(self, target: ChannelTensor, links: Sequence[Link]) -> None:
        """Channels that come from other tensors."""
        _check_count(target)
        self.tensors[target.name] = target
        self.into[target.name] = tuple(links)

    def end(self, node: OpNode, tensor: str, reason: str) -> End:
        """Channels that nobody can follow past this operator."""
        found = End(node.id, tensor, reason)
        if found not in self.ends:
            self.ends.append(found)
        return found

    def finish(self, covered: tuple[str, ...], uncovered: dict[str, str]) -> ChannelGraph:
        """The draft as a channel graph."""
        return ChannelGraph(
            tensors=self.tensors,
            into=self.into,
            order=tuple(self.tensors),
            sources=tuple(name for name in self.tensors if not self.into.get(name)),
            sinks=tuple(name for name in dict.fromkeys(self.sight.graph.outputs) if name in self.tensors),
            ends=tuple(self.ends),
            covered=covered,
            uncovered=uncovered,
        )


def _check_count(tensor: ChannelTensor) -> None:
    if not tensor.count:
        raise UnknownFactError("a tensor without elements has no channels")
    if tensor.count > CHANNEL_LIMIT:
        raise UnknownFactError(f"'{tensor.name}' would have {tensor.count} channels, limit {CHANNEL_LIMIT}")
