"""What a process and the one that it started say to each other: text and arrays, length first, no pickle."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import RunError

MARK = b"nnea\0run"
"""Begins every frame, so that what something else prints is not taken for one."""

_HEAD = struct.Struct("<8sQ")
_PLAIN = "biufc"

Arrays = Mapping[str, NDArray[Any]]
Bytes = bytes | bytearray | memoryview


def send(pipe: IO[bytes], *parts: Bytes) -> None:
    """Write a frame of all the parts."""
    views = [memoryview(part).cast("B") for part in parts if len(part)]
    for view in (memoryview(_HEAD.pack(MARK, sum(map(len, views)))), *views):
        done = 0
        while done < len(view):
            done += pipe.write(view[done:])
    pipe.flush()


def receive(pipe: IO[bytes], most: int) -> bytearray:
    """Read a frame of so many bytes at most.

    Raises:
        ConnectionError: the other side has gone, or says something else.
    """
    mark, size = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    if mark != MARK or size > most:
        raise ConnectionError(f"a frame of at most {most:,} bytes was expected")
    return _exactly(pipe, size)


def _exactly(pipe: IO[bytes], size: int) -> bytearray:
    buffer = bytearray(size)
    done = 0
    while done < size:
        count = cast("io.BufferedIOBase", pipe).readinto(memoryview(buffer)[done:])
        if not count:
            raise ConnectionError("there is no more to read")
        done += count
    return buffer


def text(value: Any) -> bytes:
    """Names and numbers as bytes."""
    return json.dumps(value).encode()


def packed(arrays: Arrays) -> bytes:
    """Arrays by name as bytes; strings cross as fixed-width text.

    Raises:
        RunError: an array that holds neither numbers nor text.
    """
    file = io.BytesIO()
    crossing = {str(place): _crossing(name, array) for place, (name, array) in enumerate(arrays.items())}
    np.savez(file, allow_pickle=False, names=np.array(json.dumps(list(arrays))), **crossing)
    return file.getvalue()


def _crossing(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if isinstance(array, np.ndarray) and array.dtype.kind in _PLAIN:
        return array
    if isinstance(array, np.ndarray) and array.dtype.kind in "OU":
        return array.astype(np.str_)
    kind = getattr(array, "dtype", type(array).__name__)
    raise RunError(f"'{name}' holds {kind}, which cannot be handed to another process")


def unpacked(content: Bytes) -> dict[str, NDArray[Any]]:
    """Arrays by name from what ``packed`` has made of them."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        names = json.loads(str(found["names"]))
        arrays = {name: found[str(place)] for place, name in enumerate(names)}
    return {
        name: array.astype(object) if array.dtype.kind == "U" else array for name, array in arrays.items()
    }
