"""Layers as least-squares problems: each group's outputs are a matrix times the rows that it reads."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnea_graph.rewrite.refit.gram import Floats

Array = NDArray[Any]
Indices = NDArray[np.int64]


class Form(Protocol):
    """The sizes of the problems; axes are counted from the end, as numbers of axes may differ."""

    @property
    def groups(self) -> int:
        """Parts that read inputs of their own."""
        ...

    @property
    def columns(self) -> int:
        """Numbers of a row."""
        ...

    @property
    def outputs(self) -> int:
        """Output channels of a group."""
        ...

    @property
    def from_end(self) -> int:
        """The axis of the output channels."""
        ...

    def count(self, x: Array) -> int:
        """Tells how many rows an input of the layer has: positions of its output."""
        ...

    def rows(self, x: Array, chosen: Indices) -> Floats:
        """Some of the rows, ``[groups, chosen, columns]``."""
        ...

    def difference(self, step: Floats) -> Floats:
        """Difference that a step ``[groups, columns, outputs]`` adds to the stored weight, in its shape."""
        ...


def channels_of(form: Form, tensor: Array, chosen: Indices) -> Floats:
    """The same rows of a tensor with the shape of the layer's output, ``[groups, chosen, outputs]``."""
    last = np.moveaxis(tensor, form.from_end, -1).reshape(-1, form.groups, form.outputs)
    found: Floats = last[chosen].astype(np.float64).swapaxes(0, 1)
    return found
