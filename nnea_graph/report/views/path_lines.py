"""The best paths as columns of channels and lines between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nnea_graph.report.schema.analysis import Report
from nnea_graph.report.schema.pathways import Pathway


@dataclass(frozen=True, slots=True)
class Stop:
    """A column of the plot of paths: an operator or an end, and the channels of it that are on paths."""

    name: str
    channels: Sequence[int]
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A path: its place on each stop's list of channels, None where it does not pass there, and its share."""

    places: Sequence[int | None]
    share: float


def lines_of(report: Report, most: int) -> tuple[list[Stop], list[Line]]:
    """The best paths on at most ``most`` stops; where there are more, the ends and every n-th between."""
    paths = report.pathways.paths if report.pathways else ()
    if not paths:
        return [], []
    tensors = _in_order(report, paths)
    names = {unit.tensor: unit.node or unit.tensor for path in paths for unit in path.units}
    if len(tensors) > most:
        step = -(-(len(tensors) - 2) // (most - 2))
        kept = [tensors[0], *tensors[1:-1][step - 1 :: step], tensors[-1]]
    else:
        kept = tensors
    on = {
        tensor: {n: u.channel for n, p in enumerate(paths) for u in p.units if u.tensor == tensor}
        for tensor in kept
    }
    ordered = {tensor: sorted(set(channels.values())) for tensor, channels in on.items()}
    places = [tensors.index(tensor) for tensor in kept]
    skipped = [0, *(b - a - 1 for a, b in pairwise(places))]
    stops = [Stop(names[tensor], ordered[tensor], gap) for tensor, gap in zip(kept, skipped, strict=True)]
    lines = [
        Line(
            [ordered[tensor].index(on[tensor][number]) if number in on[tensor] else None for tensor in kept],
            path.share,
        )
        for number, path in enumerate(paths)
    ]
    return stops, lines


def _in_order(report: Report, paths: Sequence[Pathway]) -> list[str]:
    """The tensors on paths, inputs first, then as they are made."""
    made = (name for node in report.nodes for name in node.outputs)
    place = {name: number for number, name in enumerate(made)}
    return sorted(
        {unit.tensor for path in paths for unit in path.units}, key=lambda name: (place.get(name, -1), name)
    )
