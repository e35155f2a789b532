"""Finds the normalizations that a constant was computed with, all of one size at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnea_graph.frontends.provenance.derivations import Normalization, Values

TOLERANCE = 2e-6
"""What a product of three float32 may be off by, relative."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Norms:
    """Normalizations of as many channels: what they multiply by ``[norms, channels]``, and add to the first one."""

    norms: tuple[Normalization, ...]
    scales: Doubles
    shifts: Doubles

    @classmethod
    def by_channels(cls, norms: Iterable[Normalization], values: Values) -> Mapping[int, Norms]:
        """All of a model, by their number of channels."""
        found: dict[int, list[Normalization]] = {}
        for norm in norms:
            found.setdefault(values[norm.mean].size, []).append(norm)
        return {
            size: cls(
                tuple(alike),
                np.stack([norm.scale(values) for norm in alike]),
                np.array([norm.shift(values, 0.0)[0] for norm in alike]),
            )
            for size, alike in found.items()
            if size
        }

    def scaling(self, scale: Doubles) -> Iterator[Normalization]:
        """Those that multiply by this, a number for each channel."""
        likely = np.flatnonzero(np.isclose(self.scales[:, 0], scale[0], rtol=TOLERANCE, atol=0.0))
        for place in likely.tolist():
            if np.allclose(self.scales[place], scale, rtol=TOLERANCE, atol=0.0):
                yield self.norms[place]

    def shifting(
        self, biases: Doubles, wanted: float, tolerance: float
    ) -> Iterator[tuple[Normalization, int]]:
        """Those that make the first number of a vector of one of these first numbers, and the place of that one."""
        made = biases * self.scales[:, :1] + self.shifts[:, None]
        for norm, bias in np.argwhere(np.abs(made - wanted) <= tolerance).tolist():
            yield self.norms[norm], bias
