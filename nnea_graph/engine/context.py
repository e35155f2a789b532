"""Context that a run gives to all its passes, besides the graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nnea_graph.engine.data import Data

ACTIVATION_BYTES = 4 << 30


def silent(text: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The conditions of a run, the same for every pass; a pass's own options are its fields.

    ``dims`` bind symbols and ``input_shapes`` whole inputs. ``data`` is what to run on, None for ``samples`` seeded
    random inputs (as many as the model allows where that is None), of which ``batch_size`` are one run.
    ``memory_bytes`` bound the activations of one run; after ``deadline``, on the monotonic clock, nothing more is
    run. ``progress`` takes a line about what is being done.
    """

    dims: Mapping[str, int] = field(default_factory=dict)
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    data: Data | None = None
    samples: int | None = None
    batch_size: int = 8
    seed: int = 0
    memory_bytes: int = ACTIVATION_BYTES
    deadline: float | None = None
    progress: Callable[[str], None] = silent

    def seconds(self, most: float) -> float:
        """Seconds that a pass may take which takes ``most`` by itself: less where the deadline is nearer."""
        if self.deadline is None:
            return most
        return max(min(most, self.deadline - time.monotonic()), 1e-3)
