"""Convolutions as least-squares problems: rows are what lies under the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from nnea_graph.graph import OpNode
from nnea_graph.rewrite.refit.gram import Floats
from nnea_graph.rewrite.refit.least_squares_form import Array, Form, Indices


@dataclass(frozen=True, slots=True)
class Kernel:
    """Action of a convolution with its kernel; ``weight`` is the stored shape."""

    weight: tuple[int, ...]
    groups: int
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str

    @property
    def from_end(self) -> int:
        """Axis before the positions."""
        return 1 - len(self.weight)


@dataclass(frozen=True, slots=True)
class Windows(Kernel):
    """A convolution: a row is the data under the kernel at one position; ``weight`` is (outputs, inputs, kernel …)."""

    @property
    def columns(self) -> int:
        """Input channels of a group times kernel."""
        return prod(self.weight[1:])

    @property
    def outputs(self) -> int:
        """Output channels of a group."""
        return self.weight[0] // self.groups

    def count(self, x: Array) -> int:
        """Samples times positions."""
        return prod(self._windows(x[:, :1]).shape[: x.ndim - 1])

    def rows(self, x: Array, chosen: Indices) -> Floats:
        """Only the windows that are asked for are copied."""
        windows = self._windows(x)
        picked = windows[np.unravel_index(chosen, windows.shape[: x.ndim - 1])]
        return picked.reshape(len(chosen), self.groups, -1).astype(np.float64).swapaxes(0, 1)

    def difference(self, step: Floats) -> Floats:
        """Outputs first, as stored."""
        return step.swapaxes(1, 2).reshape(self.weight)

    def _windows(self, x: Array) -> Array:
        """A view [sample, position …, channel, kernel …] of the padded data."""
        kernel, axes = self.weight[2:], len(self.weight) - 2
        reach = tuple(gap * (size - 1) + 1 for size, gap in zip(kernel, self.dilations, strict=True))
        padded = np.pad(x, ((0, 0), (0, 0), *self._padding(x.shape[2:], reach)))
        found = np.lib.stride_tricks.sliding_window_view(padded, reach, tuple(range(2, 2 + axes)))
        steps = (*(slice(None, None, step) for step in (1, 1, *self.strides, *self.dilations)),)
        return np.moveaxis(found[steps], 1, axes + 1)

    def _padding(self, spatial: tuple[int, ...], reach: tuple[int, ...]) -> list[tuple[int, int]]:
        if self.auto_pad == "NOTSET":
            return list(zip(self.pads[: len(reach)], self.pads[len(reach) :], strict=True))
        if self.auto_pad == "VALID":
            return [(0, 0)] * len(reach)
        missing = [
            max((-(-size // step) - 1) * step + wide - size, 0)
            for size, step, wide in zip(spatial, self.strides, reach, strict=True)
        ]
        smaller = [(each // 2, each - each // 2) for each in missing]
        return smaller if self.auto_pad == "SAME_UPPER" else [(after, before) for before, after in smaller]


def convolution(node: OpNode, weight: tuple[int, ...]) -> Form | str:
    """Grouped, depthwise, strided, dilated, padded, over any number of axes."""
    axes = len(weight) - 2
    return Windows(
        weight,
        int(node.attributes.get("group", 1)),
        numbers(node, "strides", axes, 1),
        numbers(node, "dilations", axes, 1),
        numbers(node, "pads", 2 * axes, 0),
        padding_of(node),
    )


def numbers(node: OpNode, name: str, count: int, default: int) -> tuple[int, ...]:
    """An attribute of a number for each axis."""
    return tuple(int(number) for number in node.attributes.get(name, (default,) * count))


def padding_of(node: OpNode) -> str:
    """Its ``auto_pad``."""
    auto_pad = node.attributes.get("auto_pad", "NOTSET")
    return auto_pad.decode() if isinstance(auto_pad, bytes) else str(auto_pad)
