"""Runs a model with weights rounded to few bits: all layers, each alone, and all but those that suffer most."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from nnea_graph.engine.context import silent
from nnea_graph.runtime.perturb.repeated_runs import Rerun, measured
from nnea_graph.runtime.perturb.weight_override import Slot, WeightOverrideSession
from nnea_graph.runtime.perturb.work_budget import WorkBudget
from nnea_graph.stats.fake_quantize import FORMATS, Format, rounded
from nnea_graph.stats.output_change import OutputChange, loss, loss_kind
from nnea_graph.stats.quantizable import QuantizableWeights

HELD_BYTES = 512 << 20
"""Rounded weights up to this size are kept for the next run in the same format."""

_UNKNOWN = OutputChange(None, None, None, None)


@dataclass(frozen=True, slots=True)
class QuantizedRun:
    """Loss that the outputs lose in a format; ``loss`` is as ``loss_of`` says."""

    form: Format
    change: OutputChange
    loss: float | None


@dataclass(frozen=True, slots=True)
class KeptFloat:
    """The fewest layers that, kept in floats, hold the loss below a limit; worst first. None: ``reason`` says why.

    ``tried`` are the runs by how many of the worst were kept.
    """

    form: Format
    layers: tuple[str, ...] | None
    tried: Mapping[int, QuantizedRun] = field(default_factory=dict)
    reason: str = ""


@dataclass(slots=True)
class RoundedRuns:
    """Measures as far as the budget goes: ``planned`` runs, but for those that search what to keep."""

    layers: Mapping[str, QuantizableWeights]
    session: WeightOverrideSession
    rerun: Rerun
    budget: WorkBudget
    limit: float
    progress: Callable[[str], None] = silent
    unaltered: OutputChange = _UNKNOWN
    loss_of: str = ""
    whole: dict[str, QuantizedRun] = field(default_factory=dict)
    alone: dict[str, dict[str, QuantizedRun]] = field(default_factory=dict)
    kept: list[KeptFloat] = field(default_factory=list)
    _held: dict[tuple[str, str], dict[Slot, NDArray[Any]]] = field(default_factory=dict)

    @property
    def planned(self) -> int:
        """Runs of the whole model and of each layer alone."""
        return len(FORMATS) * (1 + len(self.layers))

    @property
    def measured(self) -> int:
        """Those that fitted into the budget."""
        return len(self.whole) + sum(map(len, self.alone.values()))

    def measure(self) -> str:
        """All runs, the most telling first; why nothing can be measured, or ""."""
        self.budget.take_samples(self.rerun.samples)
        self.unaltered = self.rerun.change({}) or _UNKNOWN
        if self.unaltered.relative_l2 is None:
            return self.unaltered.reason or "the model has no output of real numbers other than zero"
        self.loss_of = loss_kind(self.unaltered)
        for form in FORMATS:
            self._put(self.whole, form.name, form, self.layers)
        for form in FORMATS:
            self._held.clear()
            for name in self.layers:
                self._put(self.alone.setdefault(name, {}), form.name, form, [name])
            if form.bits < 16:
                self.kept.append(self._search(form))
        return ""

    def _put(self, into: dict[str, QuantizedRun], key: str, form: Format, names: Collection[str]) -> None:
        found = self.run(form, names)
        if found is not None:
            into[key] = found

    def run(self, form: Format, names: Collection[str]) -> QuantizedRun | None:
        """Runs with the weights of these layers rounded; None where the budget is spent."""
        size = sum(self.layers[name].size for name in names)
        if not self.budget.fits(size):
            return None
        self.progress(f"{self.measured}/{self.planned}")
        change = measured(self.rerun, self.budget, size, lambda: self._altered(form, names))
        return (
            None if change is None else QuantizedRun(form, change, loss(self.loss_of, self.unaltered, change))
        )

    def _altered(self, form: Format, names: Collection[str]) -> dict[Slot, NDArray[Any]]:
        return {slot: values for name in names for slot, values in self._rounded(form, name).items()}

    def _rounded(self, form: Format, name: str) -> dict[Slot, NDArray[Any]]:
        key = form.name, name
        if key in self._held:
            return self._held[key]
        made = {
            part.slot: rounded(self.session.originals[part.slot], part.out_axis, form)
            for part in self.layers[name].parts
        }
        held = sum(array.nbytes for each in self._held.values() for array in each.values())
        if held + sum(array.nbytes for array in made.values()) <= HELD_BYTES:
            self._held[key] = made
        return made

    def _search(self, form: Format) -> KeptFloat:
        """Keep the worst layers of all, more and more of them."""
        whole = self.whole.get(form.name)
        worst = self._worst_first(form)
        if whole is None or len(worst) < len(self.layers):
            return KeptFloat(form, None, reason="the budget was spent before every layer was measured alone")
        tried = {0: whole}

        def reaches(count: int) -> bool | None:
            if count not in tried and count < len(worst):
                found = self.run(form, worst[count:])
                if found is None:
                    return None
                tried[count] = found
            lost = tried[count].loss if count in tried else 0.0
            return lost is not None and lost < self.limit

        count = fewest(reaches, len(worst))
        if count is None:
            return KeptFloat(form, None, tried, "the budget was spent before it was found")
        return KeptFloat(form, tuple(worst[:count]), tried)

    def _worst_first(self, form: Format) -> Sequence[str]:
        """The layers that were measured alone; those without a number are the worst."""
        found = {name: runs[form.name].change for name, runs in self.alone.items() if form.name in runs}
        return sorted(found, key=lambda name: -_size(found[name]))


def _size(change: OutputChange) -> float:
    return float("inf") if change.relative_l2 is None else change.relative_l2


def fewest(reaches: Callable[[int], bool | None], most: int) -> int | None:
    """A count that reaches, while one less does not: by doubling, then by halves; None as soon as one is not known.

    ``most`` is known to reach.

    >>> fewest(lambda count: count >= 5, 20)
    5
    """
    low = -1
    for high in _doubled(most):
        found = True if high == most else reaches(high)
        if found is None:
            return None
        if found:
            break
        low = high
    while high - low > 1:
        middle = (low + high) // 2
        found = reaches(middle)
        if found is None:
            return None
        low, high = (low, middle) if found else (middle, high)
    return high


def _doubled(most: int) -> Iterator[int]:
    yield 0
    count = 1
    while count < most:
        yield count
        count *= 2
    yield most
