"""What renderers pick out of paths: their steps as people read them, and the layers where channels matter most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import isclose

from nnea_graph.report.schema.analysis import Layer, Report
from nnea_graph.report.schema.pathways import PathUnit, Pathway

_ALIKE = 1e-6
"""Shares of paths that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class RouteStop:
    """A stop of a path, or ``times`` of them.

    ``tensor`` is set at the ends that are inputs and outputs of the model, ``node`` elsewhere. ``join`` is the
    operator type where the node has no weights; it ``keeps`` the channel number of the stop before.
    """

    node: str
    tensor: str
    channel: int
    join: str = ""
    keeps: bool = False
    times: int = 1


@dataclass(frozen=True, slots=True)
class Route:
    """A path, and how many others of the same share look like it but for their channels."""

    share: float
    steps: Sequence[RouteStop]
    alike: int


def routes(report: Report) -> list[Route]:
    """The paths, best first, with those in a row that look alike but for their channels taken together."""
    ends = _Ends.of(report)
    found: list[Route] = []
    for path in report.pathways.paths if report.pathways else ():
        steps = _steps(path, ends)
        last = found[-1] if found else None
        if last and isclose(last.share, path.share, rel_tol=_ALIKE) and _look(last.steps) == _look(steps):
            found[-1] = replace(last, alike=last.alike + 1)
        else:
            found.append(Route(path.share, steps, 0))
    return found


def _look(steps: Sequence[RouteStop]) -> list[tuple[str, str, bool, int]]:
    """Look that a reader sees of the steps besides their channels."""
    return [(step.tensor, step.join or step.node, step.keeps, step.times) for step in steps]


@dataclass(frozen=True, slots=True)
class _Ends:
    """Names that a path's units are called by: names of ends, makers of tensors, types of operators without weights."""

    named: frozenset[str]
    makers: dict[str, str]
    joins: dict[str, str]

    @classmethod
    def of(cls, report: Report) -> _Ends:
        layers = {layer.id for layer in report.layers}
        tensors = (*report.model.inputs, *report.model.outputs)
        return cls(
            frozenset(tensor.name for tensor in tensors),
            {name: node.id for node in report.nodes for name in node.outputs},
            {node.id: node.op_type for node in report.nodes if node.id not in layers},
        )


def _steps(path: Pathway, ends: _Ends) -> list[RouteStop]:
    first, *middle, last = [_step(unit, ends, path.units) for unit in path.units]
    return [first, *_folded(middle, first.channel), last]


def _step(unit: PathUnit, ends: _Ends, units: Sequence[PathUnit]) -> RouteStop:
    at_end = unit is units[0] or unit is units[-1]
    if at_end and unit.tensor in ends.named:
        return RouteStop("", unit.tensor, unit.channel)
    node = unit.node or ends.makers.get(unit.tensor, "")
    join = "" if at_end else ends.joins.get(node, "")
    return RouteStop(node, "" if node else unit.tensor, unit.channel, join)


def _folded(steps: Sequence[RouteStop], channel: int) -> Iterator[RouteStop]:
    """Joins of one type in a row that keep the channel number as one step."""
    before = [channel, *(step.channel for step in steps)]
    marked = [
        replace(step, keeps=bool(step.join) and step.channel == last)
        for step, last in zip(steps, before, strict=False)
    ]
    for (_, keeps), group in groupby(marked, key=lambda step: (step.join, step.keeps)):
        members = list(group)
        if keeps:
            yield replace(members[0], times=len(members))
        else:
            yield from members


def busy_layers(report: Report, most: int, least: float) -> list[Layer]:
    """Busiest layers in execution order: ``most`` where one channel stands out, over ``least`` even shares."""
    paths = report.pathways.paths if report.pathways else ()
    last = {path.units[-1].node for path in paths}  # what the sinks get says nothing about them
    layers = [layer for layer in report.layers if layer.macs and layer.id not in last]
    found = [layer for layer in layers if _outstanding(layer) > least + _ALIKE]
    chosen = {layer.id for layer in sorted(found, key=_outstanding, reverse=True)[:most]}
    return [layer for layer in found if layer.id in chosen]


def busiest(layer: Layer) -> list[tuple[int, float]]:
    """The busiest channels of a layer, each with how many times the even share it carries."""
    even = (layer.flow or 0.0) / layer.flow_channels if layer.flow_channels else 0.0
    return [(each.channel, each.flow / even) for each in layer.top_channels or () if even]


def _outstanding(layer: Layer) -> float:
    found = busiest(layer)
    return found[0][1] if found else 0.0
