"""Lays out the pathway diagram: layers, the channels on the best paths, the rest of each layer, the steps between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from pathlib import PurePath

from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.channels.paths.path import ChannelPath
from nnea_graph.channels.paths.shares import Vector
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.channels import CHANNELS
from nnea_graph.passes.pathways import MARGINALS, PATHWAYS
from nnea_graph.report.diagrams.model import (
    DrawnLayer,
    DrawnRest,
    DrawnStep,
    DrawnUnit,
    PathDiagram,
    Place,
    step,
)
from nnea_graph.report.facts import fact

_LAYERS = 10
"""Layers side by side that a screen shows."""
_UNITS = 12
"""Channels of a layer that are drawn one by one."""
_PATHS = 1000


def path_diagram(graph: ModelGraph) -> PathDiagram | None:
    """The best paths; None where they were not looked for or there are none."""
    found, channels, marginals = fact(graph, PATHWAYS), fact(graph, CHANNELS), fact(graph, MARGINALS)
    if found is None or channels is None or marginals is None or not found.paths:
        return None
    paths = found.paths[:_PATHS]
    columns = _columns(channels, paths)
    layout = _Layout(graph, channels, paths, marginals, columns)
    return PathDiagram(
        model=PurePath(graph.info.path).name,
        score=found.score,
        shown=len(paths),
        found=len(found.paths),
        share=found.part_of_mass,
        layers=[layout.layer(number) for number in range(len(columns))],
        steps=layout.steps(),
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """A tensor, and those folded before it."""

    tensor: str
    folded: tuple[str, ...] = ()
    straight: bool = True


Seen = Mapping[str, Mapping[int, int]]
"""By tensor and number of the path, the channel."""


def _seen(paths: Sequence[ChannelPath]) -> dict[str, dict[int, int]]:
    seen: dict[str, dict[int, int]] = {}
    for number, path in enumerate(paths):
        for unit in path.units:
            seen.setdefault(unit.tensor, {})[number] = unit.channel
    return seen


def _columns(channels: ChannelGraph, paths: Sequence[ChannelPath]) -> list[_Column]:
    """The layers on the paths in order; if they are many, those between which nothing happens folded, then others."""
    seen = _seen(paths)
    columns = [_Column(tensor) for tensor in channels.order if tensor in seen]
    if len(columns) > _LAYERS:
        columns = _straightened(columns, seen)
    return _thinned(columns) if len(columns) > _LAYERS else columns


def _straightened(columns: Sequence[_Column], seen: Seen) -> list[_Column]:
    """Diagram without the layers after which all paths go on in the same channels; the ends stay."""
    kept: list[_Column] = [columns[0]]
    waiting: list[str] = []
    for place, column in enumerate(columns[1:], 1):
        if place + 1 < len(columns) - 1 and seen[column.tensor] == seen[columns[place + 1].tensor]:
            waiting.append(column.tensor)
            continue
        kept.append(_Column(column.tensor, tuple(waiting)))
        waiting = []
    return kept


def _thinned(columns: Sequence[_Column]) -> list[_Column]:
    """Every n-th layer, and the last."""
    size = -(-(len(columns) - 2) // (_LAYERS - 2))
    kept, waiting, straight = [columns[0]], [], True
    for place, column in enumerate(columns[1:], 1):
        last = place == len(columns) - 1
        if place % size and not last:
            waiting += [*column.folded, column.tensor]
            straight = False
            continue
        kept.append(_Column(column.tensor, (*waiting, *column.folded), straight and column.straight))
        waiting, straight = [], True
    return kept


class _Layout:
    def __init__(
        self,
        graph: ModelGraph,
        channels: ChannelGraph,
        paths: Sequence[ChannelPath],
        marginals: Mapping[str, Vector],
        columns: Sequence[_Column],
    ) -> None:
        self._graph = graph
        self._channels = channels
        self._paths = paths
        self._marginals = marginals
        self._columns = columns
        self._number = {column.tensor: number for number, column in enumerate(columns)}
        best = max(path.log_score for path in paths)
        weights = [
            exp(path.log_score - best) for path in paths
        ]  # the shares themselves may be below every float
        self._parts = [weight / sum(weights) for weight in weights]
        self._through = [self._shares(column.tensor) for column in columns]
        self._units = [self._chosen(shares) for shares in self._through]
        self._between = self._steps_together()
        self._top = self._strongest()

    def _shares(self, tensor: str) -> dict[int, float]:
        """Part of the drawn flow through it, by channel."""
        shares: dict[int, float] = {}
        for part, path in zip(self._parts, self._paths, strict=True):
            for unit in path.units:
                if unit.tensor == tensor:
                    shares[unit.channel] = shares.get(unit.channel, 0.0) + part
        return shares

    def _chosen(self, shares: Mapping[int, float]) -> list[int]:
        """The channels to draw one by one, by number."""
        return sorted(sorted(shares, key=lambda channel: (-shares[channel], channel))[:_UNITS])

    def layer(self, number: int) -> DrawnLayer:
        """One column."""
        column = self._columns[number]
        tensor = self._channels.tensors[column.tensor]
        shares, units = self._through[number], self._units[number]
        marginal = self._marginals[column.tensor]
        name, op_type = called(self._graph, column.tensor)
        return DrawnLayer(
            name=name,
            op_type=op_type,
            channels=tensor.count,
            units=[
                DrawnUnit(channel, float(marginal[channel]), self._level(shares[channel]))
                for channel in units
            ],
            rest=self._rest(shares, units, marginal),
            folded=[called(self._graph, folded)[0] for folded in column.folded],
            straight=column.straight,
        )

    def _rest(self, shares: Mapping[int, float], units: Sequence[int], marginal: Vector) -> DrawnRest | None:
        count = marginal.size - len(units)
        if not count:
            return None
        hidden = [channel for channel in shares if channel not in units]
        through = sum(shares[channel] for channel in hidden)
        share = max(0.0, float(marginal.sum() - marginal[units].sum()))
        return DrawnRest(count, len(hidden), share, self._level(through))

    def steps(self) -> list[DrawnStep]:
        """Steps of all paths, those between the same places together."""
        return [
            DrawnStep(source, target, numbers, self._part(numbers), self._level(self._part(numbers)))
            for (source, target), numbers in self._between.items()
        ]

    def _steps_together(self) -> dict[tuple[Place, Place], list[int]]:
        between: dict[tuple[Place, Place], list[int]] = {}
        for number, path in enumerate(self._paths):
            places = [
                self._place(unit.tensor, unit.channel) for unit in path.units if unit.tensor in self._number
            ]
            for pair in pairwise(places):
                between.setdefault(pair, []).append(number)
        return between

    def _part(self, numbers: Sequence[int]) -> float:
        """Share that these paths carry of the drawn flow."""
        return sum(self._parts[number] for number in numbers)

    def _strongest(self) -> float:
        """The largest part of a step between drawn channels: to and from rests there may be far more."""
        parts = [
            self._part(numbers)
            for ((_, first), (_, last)), numbers in self._between.items()
            if first is not None and last is not None
        ]
        return max(parts, default=1.0)

    def _level(self, part: float) -> int:
        """Level against the strongest step: a layer of one channel has everything and would leave all others faint."""
        return step(min(part, self._top), self._top)

    def _place(self, tensor: str, channel: int) -> Place:
        number = self._number[tensor]
        units = self._units[number]
        return number, units.index(channel) if channel in units else None


def called(graph: ModelGraph, tensor: str) -> tuple[str, str]:
    """Name of a tensor of the channel graph by the operator that makes it, and the operator's type."""
    node = graph.producer(tensor)
    if node is None:
        return tensor, "input" if tensor in graph.inputs else "embedding"
    return node.scope or node.id, node.op_type
