"""Form that an input takes as an image, and images in that form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.columns import DataColumn, Take
from nnea_graph.runtime.data.input_matching import declared, given
from nnea_graph.runtime.data.preprocess import CHANNELS, Preprocess

_CHANNELS = {1: "gray", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True, slots=True)
class Picture:
    """An image input: the settings with what the model says of layout, channels and size filled in."""

    settings: Preprocess
    layout: str
    mode: str

    def arranged(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Images [n, height, width, channels] as the model takes them, still n of them."""
        return _ARRANGE[self.layout](self.settings.numbers(pixels))


_ARRANGE: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "nchw": lambda images: images.transpose(0, 3, 1, 2),
    "nhwc": lambda images: images,
    "nhw": lambda images: images[..., 0],
    "flat": lambda images: images.reshape(len(images), -1),
}
_AXES = {"nchw": (1, 2, 3), "nhwc": (3, 1, 2)}
"""Where channels, height and width are."""


def picture(info: TensorInfo, settings: Preprocess, place: str) -> Picture:
    """Tells how images are given to an input.

    Raises:
        DataError: the input does not take images, or not in that layout.
    """
    layout = settings.layout or _layout(info, place)
    axes = _AXES.get(layout)
    if info.shape is not None and len(info.shape) != {"nhw": 3, "flat": 2}.get(layout, 4):
        raise DataError(f"{place} wants {declared(info)}, which is not of layout {layout}; set layout=")
    dims = [info.shape[axis] for axis in axes] if axes and info.shape else [None] * 3
    mode = settings.mode or _mode(dims[0], layout, info, place)
    height, width = dims[1:] if layout != "nhw" or not info.shape else info.shape[1:]
    size = settings.size
    if size is None and isinstance(height, int) and isinstance(width, int):
        size = (height, width)
    return Picture(replace(settings, size=size), layout, mode)


def _layout(info: TensorInfo, place: str) -> str:
    if info.shape is not None and len(info.shape) == 4:
        return "nhwc" if info.shape[1] not in _CHANNELS and info.shape[3] in _CHANNELS else "nchw"
    layouts = {3: "nhw", 2: "flat"}
    if info.shape is None or len(info.shape) not in layouts:
        raise DataError(f"{place} wants {declared(info)}, which is no image; give arrays (.npz) instead")
    return layouts[len(info.shape)]


def _mode(channels: object, layout: str, info: TensorInfo, place: str) -> str:
    if isinstance(channels, int):
        if channels not in _CHANNELS:
            raise DataError(f"{place} wants {declared(info)}: images have no {channels} channels")
        return _CHANNELS[channels]
    return "rgb" if layout in _AXES else "gray"


def is_picture(info: TensorInfo) -> bool:
    """Tells whether an input looks like one for images: rank 4 with 1, 3, 4 or any number of channels."""
    if info.shape is None or len(info.shape) != 4:
        return False
    return any(not isinstance(dim, int) or dim in _CHANNELS for dim in (info.shape[1], info.shape[3]))


def prepared(
    columns: Mapping[str, DataColumn], inputs: Mapping[str, TensorInfo], settings: Preprocess
) -> dict[str, DataColumn]:
    """Arrays with the settings applied: to image inputs, or to all float inputs where none takes images."""
    floats = [name for name, info in inputs.items() if info.dtype and info.dtype.kind == "float"]
    chosen = [name for name in inputs if is_picture(inputs[name])] or floats
    return {
        name: _prepared(column, inputs[name], settings, f"input '{name}'") if name in chosen else column
        for name, column in columns.items()
    }


def _prepared(column: DataColumn, info: TensorInfo, settings: Preprocess, place: str) -> DataColumn:
    """Numbers of the settings; images also in the layout, where their shape shows that they are images."""
    if column.dtype.kind not in "iuf":
        return column
    stays = settings.keeps_integers and info.dtype is not None and info.dtype.kind != "float"
    dtype = column.dtype if stays else np.dtype(np.float32)
    if not is_picture(info) and len(column.shape) < 3:
        return PreparedColumn(column, dtype, column.shape, settings.numbers)
    shown = picture(info, settings, place)
    view = _channels_last(column, CHANNELS[shown.mode])
    if view is None:
        raise DataError(f"{place} is given {given(column)}: no images with {CHANNELS[shown.mode]} channels")
    shape, turn = view
    arranged = _arranged_shape(shape, shown)
    return PreparedColumn(column, dtype, arranged, lambda rows: shown.arranged(turn(rows)))


def _channels_last(
    column: DataColumn, channels: int
) -> tuple[tuple[int, ...], Callable[[NDArray[Any]], NDArray[Any]]] | None:
    """The shape of images [n, height, width, channels] and how to make them of the array's rows."""
    shape = column.shape
    if len(shape) == 3 and channels == 1:
        return (*shape, 1), lambda rows: rows[..., None]
    if len(shape) == 4 and shape[3] == channels and shape[1] != channels:
        return shape, lambda rows: rows
    if len(shape) == 4 and shape[1] == channels:
        return (shape[0], shape[2], shape[3], shape[1]), lambda rows: rows.transpose(0, 2, 3, 1)
    return None


def _arranged_shape(shape: tuple[int, ...], shown: Picture) -> tuple[int, ...]:
    count, height, width, channels = shape
    return {
        "nchw": (count, channels, height, width),
        "nhwc": shape,
        "nhw": (count, height, width),
        "flat": (count, prod(shape[1:])),
    }[shown.layout]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedColumn:
    """A column whose rows are changed as they are read."""

    source: DataColumn
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    change: Callable[[NDArray[Any]], NDArray[Any]]

    @property
    def name(self) -> str:
        """Same as the source's."""
        return self.source.name

    def reader(self) -> Take:
        """The source's rows, changed."""
        take = self.source.reader()
        return lambda count: self._changed(take(count))

    def whole(self) -> NDArray[Any]:
        """All rows, changed."""
        return self._changed(self.source.whole())

    def _changed(self, rows: NDArray[Any]) -> NDArray[Any]:
        return self.change(rows).astype(self.dtype, copy=False)
