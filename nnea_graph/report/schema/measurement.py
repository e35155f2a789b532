"""Basis of every measurement with altered weights: what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnea_graph.report.schema import doc


@dataclass(frozen=True, slots=True)
class Measurement:
    """Basis of a measurement: what was run, and how much of what was planned."""

    samples: int = field(metadata=doc("how many were run, the first ones"))
    offered: int | None = field(metadata=doc("how many there were, null where not known"))
    synthetic: bool = field(metadata=doc("made up: nothing follows for real data"))
    accuracy: float | None = field(metadata=doc("of the unaltered model, null without labels"))
    repeat_change: float | None = field(
        metadata=doc("relative L2 between two runs of the unaltered model: other changes below it are noise")
    )
    loss_of: str = field(metadata=doc("accuracy (its drop), agreement (1 minus it), or relative_l2"))
    loss_limit: float = field(metadata=doc("losses below it count as harmless"))
    planned: int = field(metadata=doc("runs there are, without those that search"))
    measured: int = field(metadata=doc("of these, runs that fitted into the budget of work"))
