"""``.npy`` and ``.npz`` files, read without pickle and without having them in memory."""

from __future__ import annotations

import struct
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, Self, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nnea_graph.errors import DataError
from nnea_graph.runtime.data.columns import ArrayColumn, DataColumn, StreamColumn, Take

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# What zipfile raises for damaged archives: names that are no text and offsets that are none are among them.
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
_MOST_TURNED = 1 << 29
"""Bytes of an array that cannot be read row by row."""
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def npy_column(path: Path) -> DataColumn:
    """The array of an ``.npy`` file.

    Raises:
        DataError: it is none, is shorter than it says, or holds Python objects.
    """
    with _faults(path), path.open("rb") as file:
        shape, fortran, dtype = _header(file, str(path))
        offset = file.tell()
        available = file.seek(0, 2) - offset
    _check_length(str(path), shape, dtype, available)
    if fortran and len(shape) > 1 and 0 not in shape:
        mapped: np.memmap[Any, Any] = np.memmap(path, dtype, "r", offset, shape, "F")
        return ArrayColumn(str(path), mapped)

    def start() -> BinaryIO:
        with _faults(path):
            file = path.open("rb")
            file.seek(offset)
            return cast("BinaryIO", _Stream(file.read, file.close, path))

    return StreamColumn(str(path), dtype, shape, start)


def npz_columns(path: Path) -> dict[str, DataColumn]:
    """The arrays of an ``.npz`` file by name, in the order of the file.

    Raises:
        DataError: it is none, a member is shorter than it says or holds Python objects.
    """
    with _faults(path), zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist() if info.filename.endswith(".npy")}
        found = {name.removesuffix(".npy"): _member(path, archive, info) for name, info in members.items()}
    if not found:
        raise DataError(f"{path} holds no arrays; write it with numpy.savez({path.name!r}, input=array)")
    return found


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> DataColumn:
    name = f"{path}: array '{info.filename.removesuffix('.npy')}'"
    if info.flag_bits & 1 or info.compress_type not in _METHODS:
        raise DataError(f"{name} is encrypted or packed unlike numpy does it; write it with numpy.savez")
    with archive.open(info) as stream:
        shape, fortran, dtype = _header(cast("BinaryIO", stream), name)
        offset = stream.tell()
    _check_length(name, shape, dtype, info.file_size - offset)
    column = StreamColumn(name, dtype, shape, lambda: _opened(path, info, offset))
    if not fortran or len(shape) < 2:
        return column
    return _TurnedColumn(name, dtype, shape, StreamColumn(name, dtype, shape[::-1], column.start))


@dataclass(frozen=True, slots=True, eq=False)
class _TurnedColumn:
    """An array whose first axis runs fastest in a packed file: rows are everywhere, so all of it is read at once."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    turned: StreamColumn

    def reader(self) -> Take:
        """Slices of the whole."""
        return ArrayColumn(self.name, self.whole()).reader()

    def whole(self) -> NDArray[Any]:
        """All of it, in memory."""
        size = prod(self.shape) * self.dtype.itemsize
        if size > _MOST_TURNED:
            raise DataError(
                f"{self.name} takes {size:,} bytes of memory, as its first axis runs fastest in the file; "
                "save numpy.ascontiguousarray of it"
            )
        return self.turned.whole().T


def _opened(path: Path, info: zipfile.ZipInfo, offset: int) -> BinaryIO:
    with _faults(path), ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        stream = stack.enter_context(archive.open(info))
        stream.read(offset)
        return cast("BinaryIO", _Stream(stream.read, stack.pop_all().close, path))


class _Stream:
    """Bytes of a file, one after the other; closes it when nobody reads on."""

    def __init__(self, read: Callable[[int], bytes], close: Callable[[], None], path: Path) -> None:
        self._read = read
        self._path = path
        self._finalizer = weakref.finalize(self, close)

    def read(self, size: int) -> bytes:
        with _faults(self._path):
            return self._read(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finalizer()


def _header(file: BinaryIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis runs fastest, and type."""
    try:
        version = npy.read_magic(file)
        if version not in _READERS:
            raise DataError(f"{name} has fields; give one plain array an input")
        shape, fortran, dtype = _READERS[version](file)
    except (ValueError, TypeError, SyntaxError, TokenError, RecursionError) as error:
        raise DataError(f"{name} is no numpy array: {_first_line(error)}") from error
    if dtype.hasobject:
        raise DataError(f"{name} holds pickled Python objects, which are never loaded; save plain numbers")
    if not dtype.itemsize:
        raise DataError(f"{name} has elements of no size ({dtype}); save plain numbers")
    if any(dim < 0 for dim in shape):
        raise DataError(f"{name} has a negative dim: {list(shape)}")
    return shape, fortran, dtype


def _check_length(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], available: int) -> None:
    needed = prod(shape) * dtype.itemsize
    if needed > available:
        raise DataError(f"{name} is {dtype}{list(shape)}, {needed:,} bytes, but {available:,} are there")


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Faults that the file system and the zip reader say against a file, as one line."""
    try:
        yield
    except _ZIP_FAULTS as error:
        raise DataError(f"{path} is no whole .npz file: {_first_line(error)}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or _first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
