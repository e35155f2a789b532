"""Reads ``.keras`` and ``.h5`` files, and refuses those that hold code: a stranger's model may not run anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnea_graph.errors import ModelError
from nnea_graph.frontends.tf2onnx.imports import explained, imported

_SIGNS = {".keras": b"PK\x03\x04", ".h5": b"\x89HDF", ".hdf5": b"\x89HDF"}
"""How a file begins, by its suffix."""

_NEED_CODE = (TypeError, ValueError)
"""What Keras raises for classes that it does not know, and for functions that a file holds."""


def is_keras_file(path: Path) -> bool:
    """Tells whether the suffix is Keras's; whether it is told rightly is seen when it is read."""
    return path.suffix in _SIGNS


def load_keras(path: Path) -> Any:
    """The model of a file, without the code that it may hold.

    Raises:
        ModelError: it cannot be read, or needs code.
    """
    keras = imported("keras", f"a {path.suffix} file")
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}") from error
    if head != _SIGNS[path.suffix]:
        raise ModelError(f"this is no {path.suffix} file; save it with model.save('model{path.suffix}')")
    try:
        with explained("Keras cannot load it"):
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except ModelError as error:
        if not isinstance(error.__cause__, _NEED_CODE):
            raise
        raise ModelError(
            f"{error}; for a model with code of its own give file.py:callable that loads it"
        ) from error
