"""Arrays whose samples are read a few at a time, first to last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import DataError

Take = Callable[[int], NDArray[Any]]
"""Gives the next so many rows (entries of axis 0)."""


class DataColumn(Protocol):
    """An array of known type and shape; ``name`` is what the user calls it."""

    @property
    def name(self) -> str:
        """Name for messages."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""
        ...

    def reader(self) -> Take:
        """Start from the first row."""
        ...

    def whole(self) -> NDArray[Any]:
        """All of it."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ArrayColumn:
    """An array in memory or mapped."""

    name: str
    array: NDArray[Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Same as the array's."""
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Same as the array's."""
        return self.array.shape

    def reader(self) -> Take:
        """Slices one after the other."""
        done = 0

        def take(count: int) -> NDArray[Any]:
            nonlocal done
            rows = self.array[done : done + count]
            done += count
            return rows

        return take

    def whole(self) -> NDArray[Any]:
        """The array itself."""
        return self.array


@dataclass(frozen=True, slots=True, eq=False)
class StreamColumn:
    """An array in a file, in row-major order; ``start`` opens it at its first element."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: Callable[[], BinaryIO]

    def reader(self) -> Take:
        """Only the rows asked for are read; the file is closed with the reader."""
        stream = self.start()

        def take(count: int) -> NDArray[Any]:
            return self._read(stream, (count, *self.shape[1:]))

        return take

    def whole(self) -> NDArray[Any]:
        """All of it, in memory."""
        with self.start() as stream:
            return self._read(stream, self.shape)

    def _read(self, stream: BinaryIO, shape: tuple[int, ...]) -> NDArray[Any]:
        raw = bytearray(prod(shape) * self.dtype.itemsize)
        view, done = memoryview(raw), 0
        while done < len(raw):
            piece = stream.read(min(len(raw) - done, 1 << 20))
            if not piece:
                raise DataError(f"{self.name} is shorter than its header says; write it again")
            view[done : done + len(piece)] = piece
            done += len(piece)
        return np.frombuffer(raw, self.dtype).reshape(shape)
