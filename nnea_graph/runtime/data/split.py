"""Data split into parts that share no sample: the same split each time, every part spread over all the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.engine.data import Batch, Data
from nnea_graph.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class PartOfData:
    """The runs of ``whole`` that ``part`` of ``shares`` is given; ``axes`` are those along which samples lie."""

    whole: Data
    shares: tuple[int, ...]
    part: int
    seed: int
    runs: int
    samples: int
    axes: dict[str, int] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Same as the whole data."""
        return self.whole.source

    @property
    def synthetic(self) -> bool:
        """Same as the whole data."""
        return self.whole.synthetic

    @property
    def labeled(self) -> bool:
        """Same as the whole data."""
        return self.whole.labeled

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Same as the whole data."""
        return self.whole.shapes()

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Batches of so many of its samples; smaller where the next one has another shape."""
        if batch_size < 1:
            raise UsageError(f"--batch-size {batch_size}: at least 1 sample a batch")
        held: list[Batch] = []
        for batch in self._runs():
            full = sum(each.samples for each in held) + batch.samples > batch_size
            if held and (full or not self._joins(held[-1], batch)):
                yield self._joined(held)
                held.clear()
            held.append(batch)
        if held:
            yield self._joined(held)

    def _runs(self) -> Iterator[Batch]:
        owners = _owners(self.shares, self.seed)
        return (
            batch for batch, owner in zip(self.whole.batches(1), owners, strict=False) if owner == self.part
        )

    def _joins(self, one: Batch, other: Batch) -> bool:
        """Tells whether all that differs are samples along their axes."""
        return bool(self.axes) and all(
            _beside(one.feeds[name], axis) == _beside(other.feeds[name], axis)
            if (axis := self.axes.get(name)) is not None
            else np.array_equal(one.feeds[name], other.feeds[name])
            for name in one.feeds
        )

    def _joined(self, batches: Sequence[Batch]) -> Batch:
        first = batches[0]
        if len(batches) == 1:
            return first
        feeds = {
            name: np.concatenate([each.feeds[name] for each in batches], self.axes[name])
            if name in self.axes
            else array
            for name, array in first.feeds.items()
        }
        labels = [each.labels for each in batches if each.labels is not None]
        return Batch(feeds, sum(each.samples for each in batches), np.concatenate(labels) if labels else None)


def split(data: Data, shares: tuple[int, ...], seed: int = 0) -> tuple[PartOfData, ...]:
    """Parts as large as the shares say; of each so many runs in a row every part has its own, drawn by the seed.

    All data is read once.

    Raises:
        DataError: there are fewer runs than parts.
    """
    runs, samples = [0] * len(shares), [0] * len(shares)
    for batch, owner in zip(data.batches(1), _owners(shares, seed), strict=False):
        runs[owner] += 1
        samples[owner] += batch.samples
    if not all(runs):
        raise DataError(
            f"{data.source} is {sum(runs)} runs of the model; give at least {len(shares)}, better hundreds:"
            " some to fit, some to choose how closely, some to measure on"
        )
    axes = _axes(data)
    return tuple(
        PartOfData(data, shares, part, seed, runs[part], samples[part], axes) for part in range(len(shares))
    )


def _owners(shares: Sequence[int], seed: int) -> Iterator[int]:
    """The part that each run belongs to; the first runs go to one part after the other."""
    numbers = np.repeat(np.arange(len(shares)), shares)
    first = [*range(len(shares)), *np.repeat(np.arange(len(shares)), [share - 1 for share in shares])]
    yield from (int(number) for number in first)
    rng = np.random.default_rng(seed)
    while True:
        yield from (int(number) for number in rng.permutation(numbers))


def _axes(data: Data) -> dict[str, int]:
    """Finds where two samples differ from one in shape; none where the model takes a fixed number."""
    one, two = next(data.batches(1)), next(data.batches(2))
    if one.samples == two.samples:
        return {}
    found = {name: _longer(array, two.feeds[name]) for name, array in one.feeds.items()}
    return {name: axis for name, axis in found.items() if axis is not None}


def _longer(one: NDArray[Any], two: NDArray[Any]) -> int | None:
    pairs = enumerate(zip(np.shape(one), np.shape(two), strict=False))
    return next((axis for axis, (short, long) in pairs if short != long), None)


def _beside(array: NDArray[Any], axis: int) -> tuple[int, ...]:
    return array.shape[:axis] + array.shape[axis + 1 :]
