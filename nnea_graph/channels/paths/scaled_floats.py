"""Vectors of numbers that may be far below the smallest float: values times a common power of two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import frexp, ldexp, log
from typing import Self

import numpy as np

from nnea_graph.channels.paths.shares import Vector

LN2 = log(2)


@dataclass(frozen=True, slots=True)
class ScaledFloats:
    """``values * 2**exponent``; rows of ``values`` beyond the first go along with the scale of the first."""

    values: Vector
    exponent: int = 0

    @classmethod
    def normal(cls, values: Vector, exponent: int) -> Self:
        """The same numbers with the largest of the first row between 0.5 and 1, so that products stay in range."""
        shift = frexp(float(np.max(values[0], initial=0.0)))[1]
        return cls(np.ldexp(values, -shift), exponent + shift) if shift else cls(values, exponent)

    def plus(self, other: ScaledFloats) -> ScaledFloats:
        """The sum, on the larger of the two scales."""
        top = max(self.exponent, other.exponent)
        parts = (np.ldexp(each.values, each.exponent - top) for each in (self, other))
        return ScaledFloats.normal(reduce(np.add, parts), top)


@dataclass(frozen=True, slots=True)
class Amount:
    """One number ``value * 2**exponent``, value between 0.5 and 1, or 0."""

    value: float
    exponent: int

    @classmethod
    def of(cls, value: float, exponent: int = 0) -> Self:
        """That number, brought to its normal form."""
        part, shift = frexp(value)
        return cls(part, exponent + shift if part else 0)

    def __float__(self) -> float:
        return ldexp(self.value, max(self.exponent, -5000))

    @property
    def log(self) -> float:
        """Natural logarithm, -inf for 0."""
        return log(self.value) + self.exponent * LN2 if self.value else -np.inf
