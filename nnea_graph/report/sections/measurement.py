"""What a measurement rests on, from the facts of its pass."""

from __future__ import annotations

from typing import Any

from nnea_graph.stats.measurement import Measured


def measurement(found: Measured) -> dict[str, Any]:
    """The fields of ``measurement_schema.Measurement``."""
    return {
        "samples": found.samples,
        "offered": found.offered,
        "synthetic": found.synthetic,
        "accuracy": found.unaltered.accuracy,
        "repeat_change": found.unaltered.relative_l2,
        "loss_of": found.loss_of,
        "loss_limit": found.limit,
        "planned": found.planned,
        "measured": found.measured,
    }
