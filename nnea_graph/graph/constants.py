"""Constant tensors: known by name, type and shape at once, read only when their values are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph.dtypes import DType

CHUNK = 1 << 18
"""Elements a chunk by default: 1 MiB of float32, what a core's cache holds."""


class Payload(Protocol):
    """Source of the elements of a constant come from."""

    def elements(self, start: int, stop: int) -> NDArray[Any]:
        """Elements ``start`` to ``stop`` in row-major order, as ordinary numbers (see ``dtypes.decode``)."""
        ...


@dataclass(frozen=True, slots=True)
class Region:
    """Stored elements one after the other in an open file, from byte ``offset`` on."""

    descriptor: int
    offset: int
    dtype: DType


@runtime_checkable
class Stored(Protocol):
    """A payload whose elements another process can read as well."""

    def region(self) -> Region | None:
        """Finds where they are; None where the file is not held open."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant tensor. ``stored_bytes`` is what it takes in the file.

    ``declared`` is what the file calls it: ``parameter``, ``buffer``, ``constant``, or "" where it says nothing.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    payload: Payload
    stored_bytes: int
    declared: str = ""

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def array(self) -> NDArray[Any]:
        """All values in their shape."""
        return self.payload.elements(0, self.size).reshape(self.shape)

    def chunks(self, elements: int = CHUNK) -> Iterator[NDArray[Any]]:
        """The values in row-major order, at most so many at a time."""
        for start in range(0, self.size, elements):
            yield self.payload.elements(start, min(start + elements, self.size))


@dataclass(frozen=True, slots=True)
class ArrayPayload:
    """Elements that are in memory already."""

    flat: NDArray[Any]

    def elements(self, start: int, stop: int) -> NDArray[Any]:
        """A view."""
        return self.flat[start:stop]


@dataclass(frozen=True, slots=True)
class FillPayload:
    """One value everywhere (ConstantOfShape): takes no memory until it is read."""

    value: Any
    numpy_dtype: np.dtype[Any]

    def elements(self, start: int, stop: int) -> NDArray[Any]:
        """Yields as many copies as asked for."""
        return np.full(stop - start, self.value, self.numpy_dtype)


def constant_of(name: str, values: NDArray[Any], dtype: DType) -> Constant:
    """A constant of values that are in memory."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return Constant(name, dtype, tuple(values.shape), ArrayPayload(flat), dtype.nbytes(flat.size))
