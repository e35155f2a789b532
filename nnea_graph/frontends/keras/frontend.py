"""Keras models, live or in ``.keras`` and ``.h5`` files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnea_graph.frontends.keras.backend import backend, check_backend
from nnea_graph.frontends.keras.call import input_names
from nnea_graph.frontends.keras.export import KerasExport
from nnea_graph.frontends.keras.files import is_keras_file, load_keras
from nnea_graph.frontends.shared.interface import ConvertedModel, Example, derives_from

_MODEL = "keras.src.models.model.Model"


@dataclass(frozen=True, slots=True)
class KerasFrontend:
    """See ``Frontend``."""

    def takes(self, source: object) -> bool:
        """A Keras model, or a path that ends in ``.keras`` or ``.h5``; those on torch are of another frontend."""
        keras = is_keras_file(source) if isinstance(source, Path) else derives_from(source, _MODEL)
        return keras and backend() != "torch"

    def input_names(self, source: Any) -> Mapping[str, bool]:
        """See ``Frontend``."""
        return input_names(_model(source))

    def convert(self, source: Any, example: Example | None) -> ConvertedModel:
        """See ``Frontend``."""
        return KerasExport.of(_model(source), example).converted()


FRONTEND = KerasFrontend()


def _model(source: Any) -> Any:
    check_backend()
    return load_keras(source) if isinstance(source, Path) else source
