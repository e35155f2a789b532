"""Sums from which least squares are solved and their error on other rows is told: streamed, in double precision."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(slots=True)
class WeightUpdate:
    """Update that is added to the weights ``[groups, columns, outputs]`` and to the biases ``[groups, outputs]``."""

    weight: Floats
    bias: Floats


@dataclass(slots=True)
class Gram:
    """Sums over rows x (what a layer reads) and r (what its output lacks), for each group of the layer.

    It holds groups x columns x (columns + outputs) numbers of 8 bytes, however many rows come.
    ``intercept`` says whether the layer has a bias.
    """

    groups: int
    columns: int
    outputs: int
    intercept: bool = True
    rows: int = 0
    xx: Floats = field(init=False)
    xr: Floats = field(init=False)
    rr: Floats = field(init=False)
    x: Floats = field(init=False)
    r: Floats = field(init=False)

    def __post_init__(self) -> None:
        groups, columns, outputs = self.groups, self.columns, self.outputs
        self.xx = np.zeros((groups, columns, columns))
        self.xr = np.zeros((groups, columns, outputs))
        self.rr, self.r = np.zeros((groups, outputs)), np.zeros((groups, outputs))
        self.x = np.zeros((groups, columns))

    def add(self, x: Floats, r: Floats) -> None:
        """Rows ``[groups, rows, columns]`` and ``[groups, rows, outputs]``."""
        turned = x.swapaxes(1, 2)
        for group in range(self.groups):  # numpy halves the work of a matrix by its own transpose
            self.xx[group] += turned[group] @ x[group]
        self.xr += turned @ r
        self.rr += np.square(r).sum(1)
        self.x += x.sum(1)
        self.r += r.sum(1)
        self.rows += x.shape[1]

    def merge(self, other: Gram) -> None:
        """Add what another has seen."""
        for name in ("xx", "xr", "rr", "x", "r", "rows"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def finite(self) -> bool:
        """Tells whether no NaN and no infinity has come."""
        return bool(np.isfinite(self.xr).all() and np.isfinite(self.xx).all() and np.isfinite(self.rr).all())

    def error(self, step: WeightUpdate | None = None) -> Floats:
        """Sum of squares that an output lacks after the step, ``[groups, outputs]``."""
        if step is None:
            return self.rr.copy()
        weight, bias = step.weight, step.bias
        moved = self.xx @ weight - 2 * self.xr + 2 * self.x[:, :, None] * bias[:, None, :]
        found: Floats = self.rr + (weight * moved).sum(1) - 2 * bias * self.r + self.rows * bias**2
        return found.clip(0.0)

    def solved(self, ridge: float) -> WeightUpdate:
        """The step of least squares; ``ridge``, by the mean of the diagonal, holds it back, infinity altogether.

        The bias is not held back.
        """
        rows = max(self.rows, 1)
        mean_x, mean_r = (self.x / rows, self.r / rows) if self.intercept else (0 * self.x, 0 * self.r)
        weight = np.zeros((self.groups, self.columns, self.outputs))
        if np.isfinite(ridge):
            weight = self._weight(ridge, mean_x, mean_r)
        return WeightUpdate(weight, mean_r - np.einsum("gk,gkn->gn", mean_x, weight))

    def _weight(self, ridge: float, mean_x: Floats, mean_r: Floats) -> Floats:
        """Solves by centered sums; a group that has seen nothing but constants stays as it is."""
        system = self.xx - self.rows * mean_x[:, :, None] * mean_x[:, None, :]
        wanted = self.xr - self.rows * mean_x[:, :, None] * mean_r[:, None, :]
        scale = np.trace(system, axis1=1, axis2=2) / self.columns
        still = scale <= np.finfo(float).eps * np.trace(self.xx, axis1=1, axis2=2) / self.columns
        diagonal = np.arange(self.columns)
        system[:, diagonal, diagonal] += np.where(still, 1.0, ridge * scale)[:, None]
        wanted[still] = 0.0
        return np.linalg.solve(system, wanted).astype(np.float64, copy=False)


def gram_bytes(groups: int, columns: int, outputs: int) -> int:
    """Bytes that the sums of a layer take.

    >>> gram_bytes(1, 800, 64)
    5529600
    """
    return 8 * groups * columns * (columns + outputs)
