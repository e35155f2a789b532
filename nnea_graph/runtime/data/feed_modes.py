"""Defines how an array is fed to an input: its rows as samples, in groups, one entry a run, or whole each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.casting import check_kind
from nnea_graph.runtime.data.columns import DataColumn
from nnea_graph.runtime.data.input_matching import declared, given
from nnea_graph.static.dims import is_batch


class Mode(Enum):
    """Mode by which an array goes into runs of the model."""

    ROWS = "any number of samples along the batch axis"
    GROUPS = "as many rows a run as the model's first dim says"
    ENTRIES = "the array has a samples axis of its own: one entry a run"
    WHOLE = "the same array every run"


@dataclass(frozen=True, slots=True, eq=False)
class InputFit:
    """One input and its array; ``axis`` is the batch axis where the mode is ROWS."""

    name: str
    info: TensorInfo
    column: DataColumn
    mode: Mode
    axis: int = 0

    @property
    def place(self) -> str:
        """Place for messages: which input is given which array."""
        return f"input '{self.name}' ({self.column.name})"

    @property
    def count(self) -> int | None:
        """Samples (ROWS) or runs; None where the array says nothing of it."""
        if self.mode is Mode.WHOLE:
            return None
        return self.column.shape[self.axis] // (self.group if self.mode is Mode.GROUPS else 1)

    @property
    def group(self) -> int:
        """Rows a run where the mode is GROUPS."""
        first = self.info.shape[0] if self.info.shape else 1
        return first if isinstance(first, int) else 1

    def sample_shape(self) -> tuple[int, ...]:
        """Shape of the input for one sample, or for the smallest run that the model takes."""
        shape = self.column.shape
        if self.mode is Mode.ROWS:
            return (*shape[: self.axis], 1, *shape[self.axis + 1 :])
        if self.mode is Mode.GROUPS:
            return (self.group, *shape[1:])
        return shape[1:] if self.mode is Mode.ENTRIES else shape


def batch_axis(info: TensorInfo) -> int | None:
    """The first axis whose symbol counts samples."""
    axes = (axis for axis, dim in enumerate(info.shape or ()) if isinstance(dim, str) and is_batch(dim))
    return next(axes, None)


def samples_of_a_run(infos: Iterable[TensorInfo]) -> int:
    """Samples that one run of a model with fixed dims takes: its first dim, if all inputs share it."""
    firsts = {info.shape[0] if info.shape and len(info.shape) > 1 else 1 for info in infos}
    first = firsts.pop() if len(firsts) == 1 else 1
    return first if isinstance(first, int) and first > 0 else 1


def fit(name: str, info: TensorInfo, column: DataColumn) -> InputFit:
    """Tells how the array is fed to the input.

    Raises:
        DataError: rank, a fixed dim or the type does not fit; the message says what was wanted and given.
    """
    _check_dims(name, info, column)
    axis = batch_axis(info)
    found = InputFit(name, info, column, _mode(info, column, axis), axis or 0)
    if info.dtype:
        check_kind(info.dtype, column.dtype, found.place)
    return found


def _mode(info: TensorInfo, column: DataColumn, axis: int | None) -> Mode:
    if info.shape is None:
        return Mode.ROWS if column.shape else Mode.WHOLE
    if len(column.shape) == len(info.shape) + 1:
        return Mode.ENTRIES
    if axis is not None:
        return Mode.ROWS
    fixed = bool(info.shape) and isinstance(info.shape[0], int)
    return Mode.GROUPS if fixed and column.shape[0] != info.shape[0] else Mode.WHOLE


def _check_dims(name: str, info: TensorInfo, column: DataColumn) -> None:
    if info.shape is None:
        return
    extra = len(column.shape) - len(info.shape)
    if extra not in {0, 1} or (extra == 1 and batch_axis(info) is not None):
        _refuse(name, info, column, f"{len(info.shape)} dims are needed, not {len(column.shape)}")
    for axis, (dim, number) in enumerate(zip(info.shape, column.shape[extra:], strict=True)):
        if not isinstance(dim, int) or dim == number:
            continue
        if axis or extra:
            _refuse(name, info, column, f"dim {axis + extra} must be {dim}")
        if dim < 1 or number % dim:
            _refuse(name, info, column, f"the model takes {dim} at a time, so dim 0 must be a multiple")


def _refuse(name: str, info: TensorInfo, column: DataColumn, why: str) -> NoReturn:
    raise DataError(f"input '{name}' wants {declared(info)} and is given {given(column)}: {why}")


def check_symbols(fits: Mapping[str, InputFit]) -> None:
    """Refuse arrays that give one symbolic dim two numbers.

    Raises:
        DataError: names the dim, both numbers and both inputs.
    """
    seen: dict[str, tuple[int, str]] = {}
    for each in fits.values():
        for dim, number in zip(each.info.shape or (), each.sample_shape(), strict=False):
            if not isinstance(dim, str) or is_batch(dim):
                continue
            before, where = seen.setdefault(dim, (number, each.place))
            if before != number:
                raise DataError(f"dim '{dim}' is {before} in {where} and {number} in {each.place}")
