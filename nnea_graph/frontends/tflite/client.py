"""Asks another process about a ``.tflite`` file, within limits: its bytes could take down the one that reads them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import ModelError, UsageError

Arrays = dict[str, NDArray[Any]]

_SECONDS = 600
_OWN_BYTES = 4 << 30
"""What TensorFlow takes for itself."""
_GROWTH = 24
"""Times that a file may be in memory: read, parsed, widened, exported, written."""


def ask(
    path: Path, request: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], Arrays]:
    """What ``tflite_worker.answer`` gives.

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
    limits = {"memory_bytes": _OWN_BYTES + _GROWTH * size}
    sent = io.BytesIO()
    text = json.dumps({**request, **limits, "path": str(path.absolute())})
    np.savez(sent, allow_pickle=False, request=np.array(text), **arrays)
    with np.load(io.BytesIO(_answer(sent.getvalue())), allow_pickle=False) as found:
        answered = {name: found[name] for name in found.files}
    about = json.loads(str(answered.pop("about")))
    if "error" in about:
        raise (UsageError if about["usage"] else ModelError)(about["error"])
    return about, answered


def _answer(request: bytes) -> bytes:
    # The same packages as here, but for the empty entry: nothing is imported from the current folder.
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "nnea_graph.frontends.tflite.worker"],
            input=request,
            capture_output=True,
            env=os.environ | {"PYTHONPATH": paths},
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"reading it has taken {_SECONDS} s and was stopped; the file is damaged, or very large"
        ) from error
    except OSError as error:
        raise ModelError(f"the process that reads .tflite files cannot be started: {error}") from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ModelError(f"reading it has ended the process that did it ({name}); the file is damaged")
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason"])[-1][:400]
        raise ModelError(f"the process that reads .tflite files has failed: {reason}")
    return done.stdout
