"""A part of the data: arrays for all inputs with the same samples, read in order, checked and cast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.casting import cast, whole_labels
from nnea_graph.runtime.data.columns import ArrayColumn, DataColumn, Take
from nnea_graph.runtime.data.feed_modes import InputFit, Mode, check_symbols, fit, samples_of_a_run
from nnea_graph.runtime.data.image_inputs import prepared
from nnea_graph.runtime.data.input_matching import assign
from nnea_graph.runtime.data.preprocess import Preprocess


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """``unit`` is how many samples a run takes, None where any number is taken."""

    fits: Mapping[str, InputFit]
    samples: int
    unit: int | None
    labels: NDArray[np.int64] | None
    source: str

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input for one sample."""
        return {name: each.sample_shape() for name, each in self.fits.items()}

    def axes(self) -> dict[str, int]:
        """The batch axis of the inputs that have one."""
        return {name: each.axis for name, each in self.fits.items() if each.mode is Mode.ROWS}

    def with_labels(self, labels: NDArray[np.int64]) -> SampleBlock:
        """The same samples with labels."""
        return replace(self, labels=labels)


def part_of(
    arrays: Mapping[str, DataColumn],
    inputs: Mapping[str, TensorInfo],
    source: str,
    settings: Preprocess | None = None,
) -> SampleBlock:
    """The arrays as input to the model, pixels made numbers by the settings.

    Raises:
        DataError: they do not fit it, or each other.
    """
    columns, labels = assign(arrays, inputs, source, ranks=settings is None)
    if settings:
        columns = prepared(columns, inputs, settings)
    fits = {name: fit(name, inputs[name], columns[name]) for name in inputs}
    check_symbols(fits)
    samples, unit = _counted(fits, source)
    fed, unit = _nameless_batches(fits, samples, unit)
    numbers = None if labels is None else _labels(labels, samples, source)
    return SampleBlock(fed, samples, unit, numbers, source)


def _counted(fits: Mapping[str, InputFit], source: str) -> tuple[int, int | None]:
    """Number of samples, and how many a run takes."""
    groups = {each.group for each in fits.values() if each.mode is Mode.GROUPS}
    if len(groups) > 1:
        raise DataError(f"{source}: inputs take {' and '.join(map(str, sorted(groups)))} samples at a time")
    entries = any(each.mode is Mode.ENTRIES for each in fits.values())
    unit = groups.pop() if groups else (1 if entries else None)
    counts = {
        each: count * (unit or 1) if each.mode in {Mode.GROUPS, Mode.ENTRIES} else count
        for each in fits.values()
        if (count := each.count) is not None
    }
    if not counts:
        whole = samples_of_a_run(each.info for each in fits.values())
        return whole, whole
    first = next(iter(counts))
    for each, count in counts.items():
        if count != counts[first]:
            raise DataError(
                f"inputs differ in their number of samples: {counts[first]:,} in {first.place}, "
                f"{count:,} in {each.place}"
            )
    if not counts[first]:
        raise DataError(f"{source} holds no samples (0 in {first.place}); give at least one")
    return counts[first], unit


def _nameless_batches(
    fits: Mapping[str, InputFit], samples: int, unit: int | None
) -> tuple[Mapping[str, InputFit], int | None]:
    """Find batch axes that the model does not name: recurrent state [2, ?, 128] beside input [batch, 512].

    A nameless dim with a number for each sample is one; a symbol of 1 may be one, and then only a run
    of one sample is sure to be taken.
    """
    if unit is not None or samples == 1:
        return fits, unit
    found = {name: _by_nameless_axis(each, samples) for name, each in fits.items()}
    doubtful = any(
        each.mode is Mode.WHOLE and any(isinstance(dim, str) and size == 1 for dim, size in _dims(each))
        for each in found.values()
    )
    return found, 1 if doubtful else None


def _by_nameless_axis(each: InputFit, samples: int) -> InputFit:
    if each.mode is not Mode.WHOLE:
        return each
    for axis, (dim, size) in enumerate(_dims(each)):
        if dim == f"{each.name}.{axis}" and size == samples:
            return replace(each, mode=Mode.ROWS, axis=axis)
    return each


def _dims(each: InputFit) -> list[tuple[object, int]]:
    return list(zip(each.info.shape or (), each.column.shape, strict=False))


def _labels(column: DataColumn, samples: int, source: str) -> NDArray[np.int64]:
    if column.dtype.kind not in "iufb":
        raise DataError(f"{column.name} are labels of type {column.dtype}; wanted are class numbers")
    labels = whole_labels(column.whole(), column.name)
    if len(labels) != samples:
        raise DataError(f"{source}: {len(labels):,} labels ({column.name}) for {samples:,} samples")
    return labels


@dataclass(frozen=True, slots=True)
class SampleRun:
    """Some samples of a part; ``closed`` says that they are a run that nothing can be added to."""

    feeds: dict[str, NDArray[Any]]
    samples: int
    labels: NDArray[np.int64] | None
    axes: Mapping[str, int]
    closed: bool


class PartReader:
    """Reads a part once, from its first sample on."""

    def __init__(self, part: SampleBlock) -> None:
        self._part = part
        self._done = 0
        self._whole = {
            name: _cast(each, each.column.whole())
            for name, each in part.fits.items()
            if each.mode is Mode.WHOLE
        }
        self._takes = {name: _take(each) for name, each in part.fits.items() if each.mode is not Mode.WHOLE}

    @property
    def left(self) -> int:
        """Samples that are still to be read."""
        return self._part.samples - self._done

    def take(self, count: int) -> SampleRun:
        """The next samples: at most so many, or what a run takes where the model says so."""
        part = self._part
        count = min(part.unit or count, self.left)
        feeds = {
            name: self._whole[name] if name in self._whole else self._rows(each, count)
            for name, each in part.fits.items()
        }
        labels = None if part.labels is None else part.labels[self._done : self._done + count]
        self._done += count
        return SampleRun(feeds, count, labels, part.axes(), closed=part.unit is not None)

    def _rows(self, each: InputFit, count: int) -> NDArray[Any]:
        rows = self._takes[each.name](1 if each.mode is Mode.ENTRIES else count)
        return _cast(each, rows[0] if each.mode is Mode.ENTRIES else rows, self._done)


def _cast(each: InputFit, values: NDArray[Any], first: int = 0) -> NDArray[Any]:
    """The values in the model's type; ``first`` is the number of their first sample, for messages."""
    place = f"{each.place}, from sample {first} on" if first else each.place
    return cast(np.asarray(values), each.info.dtype, place) if each.info.dtype else values


def _take(each: InputFit) -> Take:
    """Rows along the batch axis; one that is not the first needs the array in memory."""
    if not each.axis:
        return each.column.reader()
    turned = ArrayColumn(each.column.name, np.moveaxis(each.column.whole(), each.axis, 0)).reader()
    return lambda count: np.moveaxis(turned(count), 0, each.axis)
