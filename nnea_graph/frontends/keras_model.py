"""Keras models, live or in ``.keras`` and ``.h5`` files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnea_graph.errors import ModelError
from nnea_graph.frontends.converted import Converted, Example, derives_from
from nnea_graph.frontends.keras_call import input_names
from nnea_graph.frontends.keras_export import KerasExport
from nnea_graph.frontends.tf_import import explained, imported

_MODEL = "keras.src.models.model.Model"
_SUFFIXES = {".keras", ".h5", ".hdf5"}


@dataclass(frozen=True, slots=True)
class KerasFrontend:
    """See ``Frontend``."""

    def takes(self, source: object) -> bool:
        """A Keras model, or a path that ends in ``.keras`` or ``.h5``."""
        if isinstance(source, Path):
            return source.suffix in _SUFFIXES
        return derives_from(source, _MODEL)

    def input_names(self, source: Any) -> Mapping[str, bool]:
        """See ``Frontend``."""
        return input_names(_model(source))

    def convert(self, source: Any, example: Example | None) -> Converted:
        """See ``Frontend``."""
        return KerasExport.of(_model(source), example).converted()


FRONTEND = KerasFrontend()


def _model(source: Any) -> Any:
    """A live model, loaded where it is a path; no code of the file's own is run.

    Raises:
        ModelError: it cannot be loaded.
    """
    keras = imported("keras", "a Keras model")
    if not isinstance(source, Path):
        return source
    if not source.exists():
        raise ModelError("there is no such file")
    with explained("Keras cannot load it"):
        return keras.saving.load_model(source, compile=False, safe_mode=True)
