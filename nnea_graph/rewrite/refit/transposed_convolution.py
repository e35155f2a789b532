"""Transposed convolutions as least-squares problems: convolutions of what enters, with zeros between."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from nnea_graph.graph import OpNode
from nnea_graph.rewrite.refit.convolution import Kernel, Windows, numbers, padding_of
from nnea_graph.rewrite.refit.gram import Floats
from nnea_graph.rewrite.refit.least_squares_form import Array, Form, Indices


@dataclass(frozen=True, slots=True)
class Transposed(Kernel):
    """A transposed convolution; ``weight`` is the stored shape (inputs, outputs of a group, kernel …).

    It is a convolution by the turned kernel, step 1, of the data with ``strides`` - 1 zeros between its positions.
    ``more`` is what the output has more at its end.
    """

    more: tuple[int, ...]

    @property
    def columns(self) -> int:
        """Input channels of a group times kernel."""
        return self.weight[0] // self.groups * prod(self.weight[2:])

    @property
    def outputs(self) -> int:
        """Output channels of a group."""
        return self.weight[1]

    def count(self, x: Array) -> int:
        """Samples times positions of the output."""
        return self._windows.count(self._spread(x[:, :1]))

    def rows(self, x: Array, chosen: Indices) -> Floats:
        """Only the windows that are asked for are copied; zeros stand where a tap meets nothing."""
        return self._windows.rows(self._spread(x), chosen)

    def difference(self, step: Floats) -> Floats:
        """Inputs first, taps turned back."""
        kernel = self.weight[2:]
        apart = step.reshape(self.groups, self.weight[0] // self.groups, *kernel, self.weight[1])
        stored = np.moveaxis(apart, -1, 2).reshape(self.weight)
        return np.flip(stored, tuple(range(2, len(self.weight))))

    @property
    def _windows(self) -> Windows:
        axes = len(self.weight) - 2
        shape = (self.groups * self.weight[1], self.weight[0] // self.groups, *self.weight[2:])
        return Windows(shape, self.groups, (1,) * axes, self.dilations, (0,) * (2 * axes), "NOTSET")

    def _spread(self, x: Array) -> Array:
        """With zeros between the positions and around them, as many as the kernel reaches; or less, where cropped."""
        margins = [self._margins(axis, size) for axis, size in enumerate(x.shape[2:])]
        around = [(max(before, 0), max(after, 0)) for before, after in margins]
        spans = [(size - 1) * step + 1 for size, step in zip(x.shape[2:], self.strides, strict=True)]
        sizes = [span + sum(both) for span, both in zip(spans, around, strict=True)]
        found = np.zeros((*x.shape[:2], *sizes), x.dtype)
        places = [
            slice(before, before + span, step)
            for span, step, (before, _) in zip(spans, self.strides, around, strict=True)
        ]
        found[(slice(None), slice(None), *places)] = x
        cut = [
            slice(max(-before, 0), size - max(-after, 0))
            for size, (before, after) in zip(sizes, margins, strict=True)
        ]
        cropped: Array = found[(slice(None), slice(None), *cut)]
        return cropped

    def _margins(self, axis: int, size: int) -> tuple[int, int]:
        """Tells how far the kernel reaches over both ends, less the padding."""
        reach, more = self.dilations[axis] * (self.weight[axis + 2] - 1), self.more[axis]
        before, after = self.pads[axis], self.pads[axis + len(self.more)]
        if self.auto_pad.startswith("SAME"):
            whole = (size - 1) * self.strides[axis] + more + reach + 1
            spare = max(whole - size * self.strides[axis], 0)
            small = spare // 2
            before, after = (
                (spare - small, small) if self.auto_pad == "SAME_LOWER" else (small, spare - small)
            )
        elif self.auto_pad == "VALID":
            before = after = 0
        return reach - before, reach - after + more


def transposed(node: OpNode, weight: tuple[int, ...]) -> Form | str:
    """Grouped, strided, dilated, padded, over any number of axes."""
    axes = len(weight) - 2
    if node.attributes.get("output_shape"):
        return "its padding follows from its output_shape"
    return Transposed(
        weight,
        int(node.attributes.get("group", 1)),
        numbers(node, "strides", axes, 1),
        numbers(node, "dilations", axes, 1),
        numbers(node, "pads", 2 * axes, 0),
        padding_of(node),
        numbers(node, "output_padding", axes, 0),
    )
