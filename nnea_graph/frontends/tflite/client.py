"""Asks another process about a ``.tflite`` file, within limits: its bytes could take down the one that reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nnea_graph.errors import ModelError, UsageError
from nnea_graph.process.child import Child
from nnea_graph.process.framing import packed, text, unpacked

Arrays = dict[str, NDArray[Any]]

_SECONDS = 600
_OWN_BYTES = 4 << 30
"""What TensorFlow takes for itself."""
_MOST_ANSWER = 1 << 40
_GROWTH = 24
"""Times that a file may be in memory: read, parsed, widened, exported, written."""


def ask(
    path: Path, request: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], Arrays]:
    """Answer of ``worker.answer``.

    Raises:
        ModelError: the file cannot be read, or reading it fails, crashes or takes too long.
        UsageError: the example does not fit.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}") from error
    if head[4:] != b"TFL3":
        raise ModelError("this is no .tflite file; write what tf.lite.TFLiteConverter.convert() gives to it")
    about, answered = _answer(
        {**request, "memory_bytes": _OWN_BYTES + _GROWTH * size, "path": str(path.absolute())}, arrays
    )
    if "error" in about:
        raise (UsageError if about["usage"] else ModelError)(about["error"])
    return about, answered


def _answer(request: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Any], Arrays]:
    try:
        child = Child("nnea_graph.frontends.tflite.worker", keeps_errors=True)
    except OSError as error:
        raise ModelError(f"the process that reads .tflite files cannot be started: {error}") from error
    try:
        with child.within(_SECONDS):
            child.send(text(request))
            child.send(packed(arrays))
            return json.loads(child.receive(_MOST_ANSWER)), unpacked(child.receive(_MOST_ANSWER))
    except TimeoutError as error:
        raise ModelError(
            f"reading it has taken {_SECONDS} s and was stopped; the file is damaged, or very large"
        ) from error
    except ChildProcessError as error:
        if reason := child.last_error() if str(error).startswith("code") else "":
            raise ModelError(f"the process that reads .tflite files has failed: {reason[:400]}") from error
        raise ModelError(
            f"reading it has ended the process that did it ({error}); the file is damaged"
        ) from error
    finally:
        child.close()
