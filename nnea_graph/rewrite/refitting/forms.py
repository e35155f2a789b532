"""Layers as least-squares problems: each group's outputs are a matrix times the rows that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import OpNode
from nnea_graph.rewrite.refitting.gram import Floats

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
        """How many rows an input of the layer has: positions of its output."""
        ...

    def rows(self, x: Array, chosen: Indices) -> Floats:
        """Some of the rows, ``[groups, chosen, columns]``."""
        ...

    def difference(self, step: Floats) -> Floats:
        """What a step ``[groups, columns, outputs]`` adds to the stored weight, in its shape."""
        ...


def channels_of(form: Form, tensor: Array, chosen: Indices) -> Floats:
    """The same rows of a tensor with the shape of the layer's output, ``[groups, chosen, outputs]``."""
    last = np.moveaxis(tensor, form.from_end, -1).reshape(-1, form.groups, form.outputs)
    found: Floats = last[chosen].astype(np.float64).swapaxes(0, 1)
    return found


@dataclass(frozen=True, slots=True)
class Dense:
    """A matrix product over the last axis; ``turned`` weights are stored output by input, ``scale`` multiplies them."""

    columns: int
    outputs: int
    turned: bool = False
    scale: float = 1.0
    turned_data: bool = False
    groups: int = 1
    from_end: int = -1

    def count(self, x: Array) -> int:
        """All axes but the last."""
        return x.size // self.columns

    def rows(self, x: Array, chosen: Indices) -> Floats:
        """As they are."""
        data = x.T if self.turned_data else x
        found: Floats = data.reshape(-1, self.columns)[chosen].astype(np.float64)[None]
        return found

    def difference(self, step: Floats) -> Floats:
        """Turned back."""
        return np.transpose(step[0] / self.scale, (1, 0) if self.turned else (0, 1))


def matmul(node: OpNode, weight: tuple[int, ...]) -> Form | str:
    """Data by weight; the weight on the left, or one for each sample, is another thing."""
    del node
    if len(weight) != 2:
        return f"its weight has {len(weight)} axes; 2 are refitted"
    return Dense(*weight)


def gemm(node: OpNode, weight: tuple[int, ...]) -> Form | str:
    """With its transpositions and its factor."""
    turned, alpha = bool(node.attributes.get("transB", 0)), float(node.attributes.get("alpha", 1.0))
    if not alpha:
        return "its factor alpha is 0"
    columns, outputs = weight[::-1] if turned else weight
    return Dense(columns, outputs, turned, alpha, bool(node.attributes.get("transA", 0)))


@dataclass(frozen=True, slots=True)
class Windows:
    """A convolution: a row is the data under the kernel at one position; ``weight`` is the stored shape."""

    weight: tuple[int, ...]
    groups: int
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str

    @property
    def from_end(self) -> int:
        """Before the positions."""
        return 1 - len(self.weight)

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

    def numbers(name: str, count: int, default: int) -> tuple[int, ...]:
        return tuple(int(number) for number in node.attributes.get(name, (default,) * count))

    auto_pad = node.attributes.get("auto_pad", "NOTSET")
    return Windows(
        weight,
        int(node.attributes.get("group", 1)),
        numbers("strides", axes, 1),
        numbers("dilations", axes, 1),
        numbers("pads", 2 * axes, 0),
        auto_pad.decode() if isinstance(auto_pad, bytes) else str(auto_pad),
    )


FORMS: Mapping[str, Callable[[OpNode, tuple[int, ...]], Form | str]] = {
    "Conv": convolution,
    "Gemm": gemm,
    "MatMul": matmul,
}
"""How each operator is refitted, by its stored weight's shape; or why one is not."""
