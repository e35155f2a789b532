"""Data made of parts (files, chunks of a loader), cut into batches whatever the parts' sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nnea_graph.engine.data import Batch
from nnea_graph.errors import DataError, UsageError
from nnea_graph.runtime.data.samples import PartReader, SampleBlock, SampleRun

Parts = Callable[[], Iterator[SampleBlock]]
"""Starts from the first part each time it is called."""


@dataclass(frozen=True, slots=True)
class ChunkedData:
    """``limit`` is how many samples are read at most; ``total`` how many there are, where that is known."""

    source: str
    parts: Parts
    first: SampleBlock
    total: int | None
    limit: int | None
    synthetic: bool = False

    @property
    def labeled(self) -> bool:
        """Tells whether there are labels: for all samples or for none."""
        return self.first.labels is not None

    @property
    def samples(self) -> int | None:
        """Samples that will be read, where that is known."""
        if self.total is None:
            return None
        whole_runs = self.first.unit or 1
        return min(self.total, (self.limit or self.total) // whole_runs * whole_runs)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input for one sample, by the first part."""
        return self.first.shapes()

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Batches of ``batch_size`` samples, across parts; smaller where the next sample has another shape."""
        if batch_size < 1:
            raise UsageError(f"--batch-size {batch_size}: at least 1 sample a batch")
        return self._batches(batch_size)

    def _batches(self, size: int) -> Iterator[Batch]:
        held: list[SampleRun] = []
        for block in self._blocks(lambda: size - _count(held)):
            if held and (block.closed or not _joins(held[-1], block)):
                yield _merged(held)
                held.clear()
            held.append(block)
            if block.closed or _count(held) >= size:
                yield _merged(held)
                held.clear()
        if held:
            yield _merged(held)

    def _blocks(self, room: Callable[[], int]) -> Iterator[SampleRun]:
        left = self.limit
        for part in self.parts():
            self._check_labels(part)
            reader = PartReader(part)
            while reader.left and (left is None or left >= (part.unit or 1)):
                block = reader.take(room() if left is None else min(room(), left))
                left = None if left is None else left - block.samples
                yield block
            if left is not None and left < (part.unit or 1):
                return

    def _check_labels(self, part: SampleBlock) -> None:
        if (part.labels is not None) != self.labeled:
            has, has_not = (self.first, part) if self.labeled else (part, self.first)
            raise DataError(f"{has.source} has labels and {has_not.source} has none; label all or none")


def parted(source: str, parts: Parts, total: int | None, limit: int | None) -> ChunkedData:
    """Data of these parts, the first of which is looked at.

    Raises:
        DataError: there is none, it does not fit the model, or it takes more samples at a time than allowed.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--samples {limit}: at least 1 sample")
    first = next(parts(), None)
    if first is None:
        raise DataError(f"{source} holds no samples; give at least one")
    if limit is not None and first.unit is not None and limit < first.unit:
        raise DataError(f"{source}: the model takes {first.unit} samples at a time, over --samples {limit}")
    return ChunkedData(source, parts, first, total, limit)


def parted_list(source: str, parts: Sequence[SampleBlock], limit: int | None) -> ChunkedData:
    """Data of parts that are all known."""
    return parted(source, lambda: iter(parts), sum(part.samples for part in parts), limit)


def _count(blocks: Sequence[SampleRun]) -> int:
    return sum(block.samples for block in blocks)


def _joins(a: SampleRun, b: SampleRun) -> bool:
    """Tells whether two blocks can be one batch: the same shapes but for the batch axis, the same whole arrays."""
    return a.axes == b.axes and all(
        _shape_beside(a, name) == _shape_beside(b, name)
        if name in a.axes
        else a.feeds[name] is b.feeds[name] or np.array_equal(a.feeds[name], b.feeds[name])
        for name in a.feeds
    )


def _shape_beside(block: SampleRun, name: str) -> tuple[int, ...]:
    shape, axis = block.feeds[name].shape, block.axes[name]
    return shape[:axis] + shape[axis + 1 :]


def _merged(blocks: Sequence[SampleRun]) -> Batch:
    first = blocks[0]
    if len(blocks) == 1:
        return Batch(dict(first.feeds), first.samples, first.labels)
    feeds = {
        name: np.concatenate([block.feeds[name] for block in blocks], first.axes[name])
        if name in first.axes
        else first.feeds[name]
        for name in first.feeds
    }
    parts = [block.labels for block in blocks if block.labels is not None]
    return Batch(feeds, _count(blocks), np.concatenate(parts) if parts else None)
