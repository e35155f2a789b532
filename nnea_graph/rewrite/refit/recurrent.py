"""Recurrent layers as least-squares problems: what they give is none, what enters their gates is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnea_graph.graph import OpNode
from nnea_graph.rewrite.refit.gram import Floats
from nnea_graph.rewrite.refit.least_squares_form import Array, Form, Indices


@dataclass(frozen=True, slots=True)
class Gates:
    """The input weights of all gates and directions; ``weight`` is the stored shape (directions, gates, inputs)."""

    weight: tuple[int, int, int]
    groups: int = 1
    from_end: int = -1

    @property
    def columns(self) -> int:
        """Numbers of a step of the sequence."""
        return self.weight[2]

    @property
    def outputs(self) -> int:
        """Gates of all directions."""
        return self.weight[0] * self.weight[1]

    def count(self, x: Array) -> int:
        """Steps of all sequences."""
        return x.size // self.columns

    def rows(self, x: Array, chosen: Indices) -> Floats:
        """Rows as they are."""
        found: Floats = x.reshape(-1, self.columns)[chosen].astype(np.float64)[None]
        return found

    def difference(self, step: Floats) -> Floats:
        """Inputs last, as stored."""
        stored: Floats = step[0].T.reshape(self.weight)
        return stored

    def product(self, x: Array, weight: Array) -> Array:
        """Product that the input weights, as stored, make of what enters: ``[…, gates of all directions]``."""
        found: Array = x @ weight.reshape(-1, weight.shape[-1]).T
        return found


def recurrent(node: OpNode, weight: tuple[int, ...]) -> Form | str:
    """LSTM, GRU and RNN: each gate adds its input weights' product to what the state gives it."""
    del node
    return Gates((weight[0], weight[1], weight[2]))
