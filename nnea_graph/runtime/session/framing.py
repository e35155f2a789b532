"""What a process and the one that it started say to each other: text and arrays, length first, no pickle."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import RunError

MARK = b"nnea\0run"
"""Begins every frame, so that what something else prints is not taken for one."""

_HEAD = struct.Struct("<8sQ")
_PLAIN = "biufc"

Arrays = Mapping[str, NDArray[Any]]


def send(pipe: IO[bytes], content: bytes) -> None:
    """Write a frame."""
    pipe.write(_HEAD.pack(MARK, len(content)))
    pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes], most: int) -> bytes:
    """Read a frame of so many bytes at most.

    Raises:
        ConnectionError: the other side has gone, or says something else.
    """
    mark, size = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    if mark != MARK or size > most:
        raise ConnectionError(f"a frame of at most {most:,} bytes was expected")
    return _exactly(pipe, size)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    parts, missing = [], size
    while missing:
        part = pipe.read(missing)
        if not part:
            raise ConnectionError("there is no more to read")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


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
    raise RunError(f"'{name}' holds {kind}, which cannot be handed to the process that runs the model")


def unpacked(content: bytes) -> dict[str, NDArray[Any]]:
    """Arrays by name from what ``packed`` has made of them."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        names = json.loads(str(found["names"]))
        arrays = {name: found[str(place)] for place, name in enumerate(names)}
    return {
        name: array.astype(object) if array.dtype.kind == "U" else array for name, array in arrays.items()
    }
