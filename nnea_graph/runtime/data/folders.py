"""A folder as data: arrays by file, ONNX data sets, or images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.casting import whole_labels
from nnea_graph.runtime.data.chunked import ChunkedData, parted_list
from nnea_graph.runtime.data.columns import ArrayColumn, DataColumn
from nnea_graph.runtime.data.feed_modes import batch_axis
from nnea_graph.runtime.data.input_matching import is_label
from nnea_graph.runtime.data.npz import npy_column, npz_columns
from nnea_graph.runtime.data.onnx_test_data import set_columns, set_folders
from nnea_graph.runtime.data.preprocess import Preprocess
from nnea_graph.runtime.data.samples import SampleBlock, part_of


def array_files(folder: Path) -> list[Path]:
    """The ``.npy`` and ``.npz`` files of a folder, ``a2`` before ``a10``."""
    found = (path for path in folder.iterdir() if path.suffix in {".npy", ".npz"} and path.is_file())
    return sorted(found, key=lambda path: _natural(path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Digits compare as numbers; the name itself breaks ties."""
    return [(int(piece), piece) if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", name)]


def file_columns(path: Path, inputs: Mapping[str, TensorInfo]) -> dict[str, DataColumn]:
    """The arrays of one file: those of an ``.npz``, or the one of an ``.npy`` for the only input."""
    if path.suffix == ".npz":
        return npz_columns(path)
    if len(inputs) != 1:
        raise DataError(f"{path} is one array, but the model takes {', '.join(inputs)}; give an .npz")
    return {next(iter(inputs)): npy_column(path)}


def set_data(
    folder: Path, inputs: Mapping[str, TensorInfo], limit: int | None, settings: Preprocess | None
) -> ChunkedData:
    """ONNX test data sets, one after the other."""
    parts = [part_of(set_columns(each, inputs), inputs, str(each), settings) for each in set_folders(folder)]
    return parted_list(str(folder), parts, limit)


def array_data(
    folder: Path, inputs: Mapping[str, TensorInfo], limit: int | None, settings: Preprocess | None
) -> ChunkedData:
    """Array files: one an input where their names say so, else one or more samples each.

    ``labels.npy`` holds the labels of all samples.
    """
    files = array_files(folder)
    by_name = {path.stem: path for path in files if path.suffix == ".npy"}
    if set(inputs) <= set(by_name):
        columns = {name: npy_column(path) for name, path in by_name.items() if _of_use(name, inputs)}
        return parted_list(str(folder), [part_of(columns, inputs, str(folder), settings)], limit)
    label_files = [path for name, path in by_name.items() if is_label(name, inputs)]
    parts = [
        part_of(_with_sample_axis(file_columns(path, inputs), inputs), inputs, str(path), settings)
        for path in files
        if path not in label_files
    ]
    return parted_list(str(folder), _labeled(parts, label_files, folder), limit)


def _of_use(name: str, inputs: Mapping[str, TensorInfo]) -> bool:
    return name in inputs or is_label(name, inputs)


def _with_sample_axis(
    columns: dict[str, DataColumn], inputs: Mapping[str, TensorInfo]
) -> dict[str, DataColumn]:
    """Give the arrays of files with one sample, which often lack it, an axis for the samples."""
    lacking = all(
        name in columns and _lacks_axis(columns[name], info)
        for name, info in inputs.items()
        if batch_axis(info) == 0 or (info.shape and info.shape[0] == 1)
    )
    if not lacking:
        return columns
    return {
        name: ArrayColumn(column.name, column.whole()[None])
        if name not in inputs or _lacks_axis(column, inputs[name])
        else column
        for name, column in columns.items()
    }


def _lacks_axis(column: DataColumn, info: TensorInfo) -> bool:
    return info.shape is not None and len(column.shape) == len(info.shape) - 1


def _labeled(parts: Sequence[SampleBlock], files: Sequence[Path], folder: Path) -> list[SampleBlock]:
    """The parts with their share of the labels."""
    if not files:
        return list(parts)
    labels = whole_labels(npy_column(files[0]).whole(), str(files[0]))
    total = sum(part.samples for part in parts)
    if len(labels) != total:
        raise DataError(f"{folder}: {len(labels):,} labels ({files[0].name}) for {total:,} samples")
    shares, done = [], 0
    for part in parts:
        shares.append(part.with_labels(labels[done : done + part.samples]))
        done += part.samples
    return shares
