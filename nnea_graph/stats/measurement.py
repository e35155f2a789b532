"""Measured: what a pass says of running a model with altered weights, beside what it measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnea_graph.stats.output_change import OutputChange


@dataclass(frozen=True, slots=True)
class Measured:
    """Basis: on what it rests; ``not_run`` says why nothing was measured.

    ``samples`` of ``offered`` (None: not known) were used. ``unaltered`` compares the model with itself: its
    accuracy, and what its outputs differ by from run to run. ``measured`` of the ``planned`` runs fitted into
    the time. ``loss_of`` is ``accuracy`` (its drop), ``agreement`` (1 minus it) or ``relative_l2``; a loss below
    ``limit`` counts as harmless.
    """

    source: str
    synthetic: bool
    limit: float
    samples: int = 0
    offered: int | None = None
    unaltered: OutputChange = field(default_factory=lambda: OutputChange(None, None, None, None))
    loss_of: str = "relative_l2"
    planned: int = 0
    measured: int = 0
    not_run: str = ""
