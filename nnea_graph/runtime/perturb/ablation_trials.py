"""Runs a model whole and with channels at 0, batch by batch, and compares the outputs."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from nnea_graph.engine.data import Batch
from nnea_graph.errors import RunError
from nnea_graph.runtime.perturb.channel_mask import MaskedSession
from nnea_graph.stats.output_change import OutputChange, OutputComparison

Name = TypeVar("Name", bound=Hashable)
Kept = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Name]):
    """Changes by trial over ``samples``; ``whole`` is the model as it is; ``complete`` unless the time was up."""

    changes: Mapping[Name, OutputChange]
    whole: OutputChange
    samples: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Setting(Generic[Name]):
    """Each trial keeps some channels of tensors by name; ``axes`` of the output are its classes."""

    session: MaskedSession
    trials: Mapping[Name, Kept]
    output: str
    axes: tuple[int, ...]

    def run(self, batch: Batch, deadline: float) -> tuple[OutputComparison, dict[Name, OutputComparison]]:
        """The whole model, and each trial, on one batch.

        Raises:
            RunError: the model cannot be run, or the time is up.
        """

        def outcome(kept: Kept) -> NDArray[Any]:
            return self.session.run(batch.feeds, kept, [self.output], deadline - time.monotonic())[0]

        def compared(after: NDArray[Any]) -> OutputComparison:
            comparison = OutputComparison(self.axes)
            comparison.add([original], [after], batch.labels)
            return comparison

        original = outcome({})
        return compared(original), {name: compared(outcome(kept)) for name, kept in self.trials.items()}


@dataclass(frozen=True, slots=True)
class TrialBudget:
    """``operations`` that all trials together may take, where one sample takes ``sample`` in each.

    They are counted, so that the load of the machine decides nothing; ``seconds`` only guard against hangs.
    """

    operations: float
    sample: int
    seconds: float


def run_trials(setting: Setting[Name], batches: Iterable[Batch], budget: TrialBudget) -> Outcome[Name]:
    """All batches, or the first ones that fit, one at least; a batch counts for all trials or for none.

    Raises:
        RunError: the model cannot be run, or the time is up before one batch has been.
    """
    deadline, spent = time.monotonic() + budget.seconds, 0
    whole, samples, complete = OutputComparison(setting.axes), 0, True
    comparisons = {name: OutputComparison(setting.axes) for name in setting.trials}
    for batch in batches:
        spent += budget.sample * batch.samples * (1 + len(setting.trials))
        if samples and spent > budget.operations:
            complete = False
            break
        try:
            first, found = setting.run(batch, deadline)
        except RunError:
            if not samples or time.monotonic() < deadline:
                raise
            complete = False
            break
        whole.merge(first)
        for name, comparison in found.items():
            comparisons[name].merge(comparison)
        samples += batch.samples
    changes = {name: comparison.change() for name, comparison in comparisons.items()}
    return Outcome(changes, whole.change(), samples, complete)
