"""Roundable: the weights of one operator that can be stored in few bits."""

from __future__ import annotations

from dataclasses import dataclass

from nnea_graph.graph import Constant

Slot = tuple[str, int]
"""An operator's id and the place of one of its inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A weight; ``out_axis`` is that of its output channels, of a table that of its rows, None where it is one."""

    slot: Slot
    constant: Constant
    out_axis: int | None


@dataclass(frozen=True, slots=True, eq=False)
class QuantizableWeights:
    """The weights of one operator."""

    node: str
    parts: tuple[Matrix, ...]

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(part.constant.size for part in self.parts)
