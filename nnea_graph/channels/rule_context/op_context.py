"""Site: one operator on the draft, and what a channel rule can do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnea_graph.channels.graph import ChannelTensor, End, Link
from nnea_graph.channels.rule_context.broadcast_copies import copies_of
from nnea_graph.channels.rule_context.join_shares import JoinShare, carried
from nnea_graph.channels.rule_context.model_view import ConstantView
from nnea_graph.channels.rule_context.operand_rank import OperandRank
from nnea_graph.channels.rule_context.state import Arrival, ChannelGraphBuilder
from nnea_graph.channels.rule_context.strength import StrengthBlock, spread, weighed
from nnea_graph.graph import OpNode
from nnea_graph.ops.call import OpCall, UnknownFactError


@dataclass(frozen=True, slots=True)
class OpContext:
    """An operator with what is known of its inputs and outputs."""

    draft: ChannelGraphBuilder
    node: OpNode
    call: OpCall

    # What is there

    def name(self, index: int) -> str:
        """Name of an input, "" where it is left out."""
        return self.node.inputs[index] if index < len(self.node.inputs) else ""

    def out(self, output: int = 0) -> str:
        """Name of an output, "" where it is left out."""
        return self.node.outputs[output] if output < len(self.node.outputs) else ""

    def channels(self, index: int) -> ChannelTensor | None:
        """Channels of an input, None where it has none."""
        return self.draft.tensors.get(self.name(index))

    def followed(self, *indices: int) -> dict[int, ChannelTensor]:
        """The inputs that have channels, among these or all."""
        asked = indices or range(len(self.node.inputs))
        found = {index: self.channels(index) for index in asked}
        return {index: tensor for index, tensor in found.items() if tensor is not None}

    def dims(self, index: int) -> tuple[int | None, ...]:
        """Dims of an input, None where not known; its rank is."""
        return self.draft.dims(self.name(index))

    def out_dims(self, output: int = 0) -> tuple[int | None, ...]:
        """Dims of an output, None where not known; its rank is."""
        return self.draft.dims(self.out(output))

    def reader(self, index: int) -> ConstantView | None:
        """A constant input, None where it is computed or left out."""
        return self.draft.sight.reader(self.node, index) if self.name(index) else None

    def standing(self, index: int) -> OperandRank:
        """Tells how much of a value an input is."""
        return self.draft.standing.get(self.name(index), OperandRank.VALUE)

    def stand(self, standing: OperandRank, output: int = 0) -> None:
        """Say how much of a value an output is."""
        if standing is not OperandRank.VALUE:
            self.draft.standing[self.out(output)] = standing

    # Carrying

    def target(self, output: int, axes: Sequence[int], dims: Sequence[int]) -> ChannelTensor:
        """Channels of an output; an axis of one channel that the output has more places along tells nothing."""
        info = self.draft.sight.found.types.get(self.out(output))
        known = info.shape if info is not None and info.shape is not None else ()
        kept = [
            (axis, dim)
            for axis, dim in zip(axes, dims, strict=True)
            if dim != 1 or axis >= len(known) or known[axis] == 1
        ]
        return ChannelTensor(self.out(output), tuple(axis for axis, _ in kept), tuple(dim for _, dim in kept))

    def lead(self, target: ChannelTensor, parts: Sequence[JoinShare], mark: str = "") -> None:
        """Let the parts make up the target."""
        if not target.name:
            return
        self.draft.lead(target, carried(self.draft.sight, self.node.id, target, parts, mark))
        known = self.draft.copies.get(parts[0].source.name)
        if len(parts) == 1 and (known is not None or target.count > parts[0].source.count):
            copies = copies_of(parts[0].places, known)
            if copies is not None:
                self.draft.copies[target.name] = copies

    def carry(
        self, index: int, output: int = 0, axes: Mapping[int, int] | None = None, mark: str = ""
    ) -> None:
        """One to one; ``axes`` says where each channel axis went, in the same order (None: nowhere)."""
        source = self.channels(index)
        self.stand(self.standing(index), output)
        if source is None:
            return
        places = np.arange(source.count)
        moved = source.axes if axes is None else [axes[axis] for axis in source.axes]
        self.lead(self.target(output, moved, source.dims), [JoinShare(source, places)], mark)

    # Weights

    def demand(self, index: int, axes: Sequence[int], *, dense: bool = True) -> ChannelTensor | None:
        """The channels of an input that weights take along ``axes``; where it has none, they begin here.

        None for a constant input, and while scouting.
        """
        name = self.name(index)
        found = self.draft.tensors.get(name)
        if self.draft.scouting:
            if found is not None:
                self.draft.arrivals.append(Arrival(self.node, tuple(axes), found, dense))
            return None
        if found is not None or not dense or not name or name in self.draft.sight.found.constant:
            return found
        dims = self.draft.dims(name)
        sizes = [dims[axis] for axis in axes]
        if None in sizes:
            raise UnknownFactError(f"how many channels '{name}' has is not known before the model runs")
        lost = self.draft.lost.get(name)
        if lost is not None:
            self.draft.end(self.draft.sight.graph.node(lost.node), lost.tensor, lost.reason)
        return self.draft.begin(name, tuple(axes), tuple(size for size in sizes if size is not None))

    def dense(
        self,
        target: ChannelTensor,
        source: ChannelTensor,
        wanted: Sequence[int],
        block: StrengthBlock,
        mark: str = "",
    ) -> Link:
        """The link through weights that take the axes ``wanted`` of the source for channels."""
        sizes = self._sizes(source, wanted, block)
        real = tuple(axis for axis, size in zip(wanted, sizes, strict=True) if size != 1)
        if source.real == real:
            edges = weighed(block, self.draft.sight.activation(source))
        else:
            edges = spread(block, wanted, sizes, source)
        return Link(source.name, target.name, self.node.id, edges, None, mark)

    def _sizes(self, source: ChannelTensor, wanted: Sequence[int], block: StrengthBlock) -> list[int]:
        if len(wanted) == 1:
            return [block.sources]
        dims = self.draft.dims(source.name)
        return [dim if dim is not None else 1 for dim in (dims[axis] for axis in wanted)]

    def lead_dense(self, target: ChannelTensor, links: Sequence[Link]) -> None:
        """Let links through weights make up the target, in equal shares."""
        if not target.name:
            return
        gain = np.full(target.count, 1 / len(links)) if len(links) > 1 else None
        self.draft.lead(target, [replace(link, gain=gain) for link in links])

    # Ends

    def end(self, index: int, reason: str) -> None:
        """The channels of an input end here."""
        if self.channels(index) is None or self.draft.scouting:
            return
        found = self.draft.end(self.node, self.name(index), reason)
        for name in self.node.outputs:
            self.draft.lost.setdefault(name, found)

    def lose(self, reason: str) -> None:
        """The outputs have no channels; the reason is told where somebody asks for them."""
        index = next(iter(self.followed()), None)
        if index is not None and not self.draft.scouting:
            for name in self.node.outputs:
                self.draft.lost.setdefault(name, End(self.node.id, self.name(index), reason))

    def end_all(self, reason: str) -> None:
        """The channels of every input end here."""
        for index in self.followed():
            self.end(index, reason)

    def apart(self, reason: str) -> None:
        """This operator's weights do not lie on the channel graph."""
        self.draft.apart[self.node.id] = reason
