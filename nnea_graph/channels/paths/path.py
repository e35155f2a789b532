"""Paths as people read them: units from a source to a sink, with their score and share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnea_graph.channels.graph import ChannelGraph, Link
from nnea_graph.channels.paths.chains import Hop, operators
from nnea_graph.channels.paths.k_best import PartialPaths, PathSteps
from nnea_graph.channels.paths.scaled_floats import Amount


@dataclass(frozen=True, slots=True)
class ChannelUnit:
    """A channel of a tensor on a path; ``node`` is the operator that the path enters it by, "" at its source."""

    tensor: str
    channel: int
    node: str


@dataclass(frozen=True, slots=True)
class ChannelPath:
    """``units`` run from the source to the sink: its ends, and every operator with weights or join between them.

    ``score`` is the product of the weights of the edges, ``log_score`` its natural logarithm (the score itself may
    be below the smallest float), ``share`` the score times the sink's weight.
    """

    score: float
    share: float
    log_score: float
    units: tuple[ChannelUnit, ...]


@dataclass(frozen=True)
class BackPointers:
    """Follows the steps of a search from the sources to the sinks."""

    graph: ChannelGraph
    hops: Mapping[str, Hop]
    steps: PathSteps

    @cached_property
    def _columns(self) -> dict[str, list[int]]:
        names = ("parent", "link", "entry", "place", "channel", "order")
        return {name: np.concatenate(getattr(self.steps, name)).tolist() for name in names}

    def path(self, ways: PartialPaths, row: int, weight: float) -> ChannelPath:
        """The path of one way."""
        amount = Amount.of(float(ways.mantissa[row]), int(ways.exponent[row]))
        share = Amount.of(amount.value * weight, amount.exponent)
        units = tuple(self._units(int(ways.step[row])))
        return ChannelPath(float(amount), float(share), amount.log, units)

    def _units(self, step: int) -> Iterator[ChannelUnit]:
        columns, order = self._columns, self.graph.order
        node = ""
        while True:
            place, channel = order[columns["place"][step]], columns["channel"][step]
            parent = columns["parent"][step]
            if parent < 0:
                yield from self._last(step, ChannelUnit(place, channel, node))
                return
            yield ChannelUnit(place, channel, node)
            node = self._link(step).node
            step = parent

    def _last(self, step: int, made: ChannelUnit) -> Iterator[ChannelUnit]:
        """The sink: one unit with what makes it, where only operators that keep its number lie between."""
        tensor, channel = self.graph.order[self._columns["order"][step]], self._columns["entry"][step]
        if tensor == made.tensor:
            yield made
        elif made.node and channel == made.channel:
            yield ChannelUnit(tensor, channel, made.node)
        else:
            yield made
            yield ChannelUnit(tensor, channel, self.graph.into[tensor][0].node)

    def _link(self, step: int) -> Link:
        """The link that a step goes through."""
        target = self.graph.order[self._columns["place"][self._columns["parent"][step]]]
        return self.graph.into[target][self._columns["link"][step]]

    def operators(self, ways: PartialPaths) -> tuple[str, ...]:
        """Every operator that the signal passes on these paths, in the order of the channel graph."""
        steps = self._walked(ways)
        seen = {self._link(step).node for step in steps if self._columns["parent"][step] >= 0}
        for tensor in {self.graph.order[self._columns["order"][step]] for step in steps}:
            seen.update(operators(self.graph, tensor, self.hops[tensor].base))
        nodes = (link.node for tensor in self.graph.order for link in self.graph.into.get(tensor, ()))
        return tuple(dict.fromkeys(node for node in nodes if node in seen))

    def _walked(self, ways: PartialPaths) -> set[int]:
        """Rows of all steps of these ways."""
        walked: set[int] = set()
        for last in ways.step.tolist():
            step = last
            while step >= 0 and step not in walked:
                walked.add(step)
                step = self._columns["parent"][step]
        return walked
