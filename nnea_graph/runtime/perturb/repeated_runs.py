"""Runs a model again and again on the same samples, with weights altered, and compares its outputs with its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from nnea_graph.engine.data import Batch, Data
from nnea_graph.errors import RunError
from nnea_graph.runtime.perturb.weight_override import Slot, WeightOverrideSession
from nnea_graph.runtime.perturb.work_budget import WorkBudget
from nnea_graph.stats.output_change import OutputChange, OutputComparison, float_outputs

Array = NDArray[Any]

FEED_BYTES = 256 << 20
"""Samples up to this size are kept in memory; more are read again for every run."""
OUTPUT_BYTES = 1 << 30
"""Outputs of the unaltered model that are kept: where this is reached, no more samples are used."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of when enough samples are used, at the latest: their number, or None for all, and bytes of the outputs.

    ``stop`` (of ``time.monotonic``) ends even a batch that is being run; None where all are known to end.
    """

    samples: int | None = None
    output_bytes: int = OUTPUT_BYTES
    stop: float | None = None


class Rerun:
    """``samples`` of the ``total`` that were offered are used, the first ones; ``total`` None is not known."""

    def __init__(self, session: WeightOverrideSession, data: Data, batch_size: int, bounds: Bounds) -> None:
        """Run the unaltered model.

        Raises:
            DataError: the data cannot be read.
            RunError: the model cannot be run on them.
        """
        self._session, self._data, self._size = session, data, batch_size
        self._stop = bounds.stop
        self.total = data.samples
        self.samples = 0
        self._before: list[list[Array]] = []
        self._kept: list[Batch] | None = []
        self._first_run(bounds)

    def _first_run(self, bounds: Bounds) -> None:
        fed, given = 0, 0
        for batch in self._data.batches(self._size):
            outputs = self._outputs(batch, {})
            self._before.append(outputs)
            self.samples += batch.samples
            fed += sum(array.nbytes for array in batch.feeds.values())
            given += sum(array.nbytes for array in outputs)
            if self._kept is not None:
                self._kept.append(batch)
            if fed > FEED_BYTES:
                self._kept = None
            enough = bounds.samples is not None and self.samples >= bounds.samples
            if enough or given > bounds.output_bytes:
                return

    def _outputs(self, batch: Batch, altered: Mapping[Slot, Array]) -> list[Array]:
        seconds = None if self._stop is None else max(self._stop - time.monotonic(), 0.0)
        return float_outputs(self._session.run(batch.feeds, altered, seconds))

    def change(self, altered: Mapping[Slot, Array], stop: float | None = None) -> OutputChange | None:
        """Change that the altered weights change; None if that was not known at ``stop`` (of ``time.monotonic``).

        Raises:
            RunError: the model cannot be run with them.
        """
        comparison = OutputComparison()
        for batch, before in zip(self._batches(), self._before, strict=True):
            if stop is not None and time.monotonic() > stop:
                return None
            after = self._outputs(batch, altered)
            comparison.add(before, after, batch.labels)
        return comparison.change()

    def _batches(self) -> Iterator[Batch]:
        if self._kept is not None:
            return iter(self._kept)
        return islice(self._data.batches(self._size), len(self._before))


def measured(
    rerun: Rerun, budget: WorkBudget, weights: int, alter: Callable[[], Mapping[Slot, Array]]
) -> OutputChange | None:
    """Change that so many altered weights change, with the reason where it cannot be run; it is taken from the budget.

    None where it is taken to hang.
    """
    budget.spend(weights)
    try:
        return rerun.change(alter(), budget.stop)
    except RunError as error:
        if time.monotonic() >= budget.stop:
            return None
        return OutputChange(None, None, None, None, str(error))
