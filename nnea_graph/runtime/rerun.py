"""Runs a model again and again on the same samples, with weights altered, and compares its outputs with its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from nnea_graph.runtime.altered import AlteredSession, Slot
from nnea_graph.runtime.batch import Batch, Data
from nnea_graph.stats.change import Change, Comparison, float_outputs

Array = NDArray[Any]

FEED_BYTES = 256 << 20
"""Samples up to this size are kept in memory; more are read again for every run."""
OUTPUT_BYTES = 1 << 30
"""Outputs of the unaltered model that are kept: where this is reached, no more samples are used."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """When enough samples are used, at the latest: seconds of the first run, bytes of its outputs."""

    seconds: float
    output_bytes: int = OUTPUT_BYTES


class Rerun:
    """``samples`` of the ``total`` that were offered are used, the first ones; ``total`` None is not known."""

    def __init__(self, session: AlteredSession, data: Data, batch_size: int, bounds: Bounds) -> None:
        """Run the unaltered model.

        Raises:
            DataError: the data cannot be read.
            RunError: the model cannot be run on them.
        """
        self._session, self._data, self._size = session, data, batch_size
        self.total = data.samples
        self.samples = 0
        self._before: list[list[Array]] = []
        self._kept: list[Batch] | None = []
        self._first_run(bounds)

    def _first_run(self, bounds: Bounds) -> None:
        stop, fed, given = time.monotonic() + bounds.seconds, 0, 0
        for batch in self._data.batches(self._size):
            outputs = float_outputs(self._session.run(batch.feeds, {}))
            self._before.append(outputs)
            self.samples += batch.samples
            fed += sum(array.nbytes for array in batch.feeds.values())
            given += sum(array.nbytes for array in outputs)
            if self._kept is not None:
                self._kept.append(batch)
            if fed > FEED_BYTES:
                self._kept = None
            if time.monotonic() > stop or given > bounds.output_bytes:
                return

    def change(self, altered: Mapping[Slot, Array], stop: float | None = None) -> Change | None:
        """What the altered weights change; None if that was not known at ``stop`` (of ``time.monotonic``).

        Raises:
            RunError: the model cannot be run with them.
        """
        comparison = Comparison()
        for batch, before in zip(self._batches(), self._before, strict=True):
            if stop is not None and time.monotonic() > stop:
                return None
            after = float_outputs(self._session.run(batch.feeds, altered))
            comparison.add(before, after, batch.labels)
        return comparison.change()

    def _batches(self) -> Iterator[Batch]:
        if self._kept is not None:
            return iter(self._kept)
        return islice(self._data.batches(self._size), len(self._before))
