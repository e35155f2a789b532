"""Backend that Keras computes with: known before it is imported, and never imported for the question."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from nnea_graph.errors import ModelError

_DEFAULT = "tensorflow"
_EXPORTED = ("tensorflow", "torch")


def backend() -> str:
    """Of Keras where it is imported; else what it will be, by the variable or the settings that it reads itself."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "config"):
        name: str = keras.config.backend()
        return name
    return os.environ.get("KERAS_BACKEND") or _configured()


def _configured() -> str:
    """Backend that ``keras.json`` names."""
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        settings = json.loads((folder / "keras.json").read_text(encoding="utf-8"))
        name = settings.get("backend", _DEFAULT)
    except (OSError, ValueError, AttributeError):
        return _DEFAULT
    return name if isinstance(name, str) else _DEFAULT


def check_backend() -> None:
    """That models of this backend can be exported.

    Raises:
        ModelError: what to do about one that cannot.
    """
    name = backend()
    if name not in _EXPORTED:
        raise ModelError(
            f"Keras computes with {name} here, which has no way to ONNX; save the model with model.save('model.keras') "
            "and give that file with KERAS_BACKEND=tensorflow or KERAS_BACKEND=torch in the environment"
        )
