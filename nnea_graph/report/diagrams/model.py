"""Diagrams as plain data: what is drawn, how strongly, and what was folded; how it looks is the renderer's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STEPS = 9
"""Levels of color and width: 0 is the faintest, ``STEPS - 1`` the strongest."""


def step(value: float, top: float) -> int:
    """The level of a value of 0 to ``top``; only nothing at all is at level 0.

    >>> step(0, 1), step(0.01, 1), step(0.5, 1), step(1, 1), step(0, 0)
    (0, 1, 4, 8, 0)
    """
    if value <= 0 or top <= 0:
        return 0
    return max(1, min(STEPS - 1, round(value / top * (STEPS - 1))))


@dataclass(frozen=True, slots=True)
class DrawnUnit:
    """A channel on the drawn paths; ``share`` of all flow runs through it, None where that is not known."""

    channel: int
    share: float | None
    step: int


@dataclass(frozen=True, slots=True)
class DrawnRest:
    """Channels that are not drawn one by one: ``on_paths`` of the ``count`` are on the drawn paths."""

    count: int
    on_paths: int
    share: float | None
    step: int


@dataclass(frozen=True, slots=True)
class DrawnLayer:
    """A layer of the pathway diagram.

    ``folded`` are layers left out between this one and the one before: on the paths there every channel keeps its
    number if ``straight``.
    """

    name: str
    op_type: str
    channels: int
    units: Sequence[DrawnUnit]
    rest: DrawnRest | None
    folded: Sequence[str]
    straight: bool


Place = tuple[int, int | None]
"""Number of a layer and of one of its drawn units, None for its rest."""


@dataclass(frozen=True, slots=True)
class DrawnStep:
    """Part of paths from a place to another: ``paths`` by number, best first, are ``part`` of the drawn flow."""

    source: Place
    target: Place
    paths: Sequence[int]
    part: float
    step: int


@dataclass(frozen=True, slots=True)
class PathDiagram:
    """The best paths; ``shown`` of the ``found`` ones are drawn and carry ``share`` of all flow together."""

    model: str
    score: str
    shown: int
    found: int
    share: float | None
    layers: Sequence[DrawnLayer]
    steps: Sequence[DrawnStep]


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """An operator, or several that were folded into one box.

    ``kind`` is input, output, operator or folded. ``operators`` counts by type, most first. ``layers`` are those
    with parameters. ``step`` is the color's: of utilization or of the share of MACs, None where it is not known.
    """

    name: str
    kind: str
    operators: Sequence[tuple[str, int]]
    shape: str
    layers: int
    parameters: int
    macs: int | None
    macs_share: float | None
    utilization: float | None
    step: int | None
    note: str


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """Edge from a box to another, by number; ``share`` of all flow, None where flow is not what the picture shows."""

    source: int
    target: int
    share: float | None
    step: int


@dataclass(frozen=True, slots=True)
class FlowDiagram:
    """Boxes and edges; ``folding`` says how boxes were folded, "" if not.

    Levels of boxes are utilization from ``low`` to ``high``, ``color`` whether of importance or of weights.
    """

    model: str
    score: str
    color: str
    low: float
    high: float
    folding: str
    boxes: Sequence[DrawnBox]
    edges: Sequence[DrawnEdge]


@dataclass(frozen=True, slots=True)
class OperatorDiagram:
    """Operators; levels are shares of MACs, ``constant`` counts operators that are not drawn: no input leads there."""

    model: str
    folding: str
    constant: int
    boxes: Sequence[DrawnBox]
    edges: Sequence[DrawnEdge]
