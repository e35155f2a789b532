"""Payloads of constants from a file."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.frontends.protobuf.random_access_file import DataFile
from nnea_graph.graph import DType, Payload, Region
from nnea_graph.graph.dtypes import decode


@dataclass(frozen=True, slots=True)
class FilePayload:
    """Elements stored one after the other in a file, from byte ``offset`` on; read anew each time."""

    file: DataFile
    offset: int
    dtype: DType

    def elements(self, start: int, stop: int) -> NDArray[Any]:
        """Only these are read; from any thread.

        Raises:
            ModelError: the file can no longer be read.
        """
        # Elements that share bytes come in groups of whole bytes: 2 of 4 bits, 4 of 6 bits.
        group = 8 // gcd(8, self.dtype.bits)
        first = start - start % group
        begin = first * self.dtype.bits // 8
        raw = self.file.read(self.offset + begin, self.dtype.nbytes(stop) - begin)
        return decode(raw, self.dtype, start - first, stop - first)

    def region(self) -> Region | None:
        """Finds where the elements are, for a process that inherits the descriptor."""
        return Region(self.file.descriptor, self.offset, self.dtype) if self.file.held else None


@dataclass(frozen=True, slots=True)
class SparsePayload:
    """A tensor of zeros but for ``values`` at ``places``: ascending indices into the flat tensor, int64."""

    places: NDArray[np.int64]
    values: Payload

    def elements(self, start: int, stop: int) -> NDArray[Any]:
        """Dense elements; memory for the range asked for only."""
        low, high = (int(bound) for bound in np.searchsorted(self.places, (start, stop)))
        stored = self.values.elements(low, high)
        dense = np.zeros(stop - start, stored.dtype)
        dense[self.places[low:high] - start] = stored
        return dense
