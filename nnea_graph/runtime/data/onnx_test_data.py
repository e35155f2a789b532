"""ONNX's own form of data: ``test_data_set_N`` folders with ``input_N.pb`` files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.columns import ArrayColumn, DataColumn

_INPUT = re.compile(r"input_(\d+)\.pb")
_SET = re.compile(r"test_data_set_(\d+)")


def set_folders(folder: Path) -> list[Path]:
    """The folder itself if it holds inputs, else the ``test_data_set_N`` in it, by number."""
    if _numbered(folder, _INPUT):
        return [folder]
    return [path for path in _numbered(folder, _SET) if path.is_dir()]


def set_columns(folder: Path, inputs: Mapping[str, TensorInfo]) -> dict[str, DataColumn]:
    """The inputs of one set: by the tensors' names if they are the model's, else by number.

    Raises:
        DataError: a file is no tensor, or the set has another number of inputs than the model.
    """
    files = _numbered(folder, _INPUT)
    tensors = dict(_tensor(path) for path in files)
    if set(inputs) <= set(tensors):
        return tensors
    if len(files) != len(inputs):
        raise DataError(f"{folder} has {len(files)} inputs, the model {len(inputs)} ({', '.join(inputs)})")
    return dict(zip(inputs, (_tensor(path)[1] for path in files), strict=True))


def _numbered(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    found = {path: pattern.fullmatch(path.name) for path in folder.iterdir()}
    numbered: Iterator[tuple[int, Path]] = ((int(match[1]), path) for path, match in found.items() if match)
    return [path for _, path in sorted(numbered)]


def _tensor(path: Path) -> tuple[str, DataColumn]:
    from google.protobuf.message import (  # type: ignore[import-untyped] # noqa: PLC0415 - only this form needs onnx
        DecodeError,
    )
    from onnx import TensorProto, numpy_helper  # noqa: PLC0415

    tensor = TensorProto()
    try:
        tensor.ParseFromString(path.read_bytes())
        if tensor.external_data or tensor.data_location == TensorProto.EXTERNAL:
            raise DataError(f"{path} keeps its values in another file; save them inside")
        array = numpy_helper.to_array(tensor)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (DecodeError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise DataError(f"{path} is no tensor: {reason}") from error
    if array.dtype.hasobject:
        array = array.astype(str)
    return tensor.name, ArrayColumn(str(path), array)
