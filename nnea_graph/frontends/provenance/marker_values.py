"""Numbers by which a weight is known again after an exporter has moved it: each is its own place.

Exporters merge equal tensors, leave out zero biases and fold what they can. A model that is exported with probes in
the place of its weights keeps them all, and each number that comes out says where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_BITS = 27
MOST = 1 << _BITS
"""Probes that there are: the float32 from 2^-8 to 2^8."""

_FIRST = np.float32(2.0**-8).view(np.uint32)
_STEP = 0x5_A3C_9D7  # odd: its multiples run through all numbers of 27 bits before one comes again
_BACK = pow(_STEP, -1, MOST)


def probes(start: int, count: int) -> Floats:
    """Probes number ``start`` and on: all different, positive, in no order.

    >>> [round(float(probe), 4) for probe in probes(0, 3)]
    [0.0039, 10.2368, 0.3898]
    """
    places = np.arange(start, start + count, dtype=np.uint64)
    bits = (places * np.uint64(_STEP)) & np.uint64(MOST - 1)
    return (bits.astype(np.uint32) + _FIRST).view(np.float32)


def places(values: NDArray[np.float32]) -> NDArray[np.int64] | None:
    """The numbers of probes, None where a value is none.

    >>> places(probes(5, 2)).tolist()
    [5, 6]
    """
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    if not bits.size or bits.min() < _FIRST or bits.max() >= np.uint32(_FIRST + MOST):
        return None
    offset = (bits - _FIRST).astype(np.uint64)
    return ((offset * np.uint64(_BACK)) & np.uint64(MOST - 1)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class MarkerCatalogue:
    """Places where the probes of each source begin; sources one after the other in this order."""

    names: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]]) -> MarkerCatalogue:
        """Catalogue of sources by name."""
        sizes = [int(np.prod(shape)) for shape in shapes.values()]
        return cls(tuple(shapes), dict(shapes), np.cumsum([0, *sizes]))

    @property
    def size(self) -> int:
        """Probes in all."""
        return int(self.starts[-1])

    def start(self, name: str) -> int:
        """The number of a source's first probe."""
        return int(self.starts[self.names.index(name)])

    def values(self, name: str) -> Floats:
        """The probes in the place of a source."""
        shape = self.shapes[name]
        return probes(self.start(name), int(np.prod(shape))).reshape(shape)
