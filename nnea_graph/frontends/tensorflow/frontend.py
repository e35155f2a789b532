"""Functions and modules of TensorFlow, live or in SavedModel folders."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnea_graph.frontends.shared.interface import ConvertedModel, Example, derives_from
from nnea_graph.frontends.shared.saved_model_path import is_saved_model, parted
from nnea_graph.frontends.tensorflow.call import input_names
from nnea_graph.frontends.tensorflow.export import TfExport
from nnea_graph.frontends.tensorflow.function_choice import chosen, is_function
from nnea_graph.frontends.tensorflow.saved_model import load_saved_model

_OBJECT = "tensorflow.python.trackable.autotrackable.AutoTrackable"
"""What ``tf.Module`` and ``tf.saved_model.load`` give."""


@dataclass(frozen=True, slots=True)
class TfFrontend:
    """See ``Frontend``."""

    def takes(self, source: object) -> bool:
        """A ``tf.function``, a concrete function, a ``tf.Module``, what was loaded, or the path of a SavedModel."""
        if isinstance(source, Path):
            return is_saved_model(source)
        return is_function(source) or derives_from(source, _OBJECT)

    def input_names(self, source: Any) -> Mapping[str, bool]:
        """See ``Frontend``."""
        return input_names(_found(source)[1])

    def convert(self, source: Any, example: Example | None) -> ConvertedModel:
        """See ``Frontend``."""
        root, function = _found(source)
        return TfExport.of(function, _name(source, root), root, example).converted()


FRONTEND = TfFrontend()


def _found(source: Any) -> tuple[Any, Callable[..., Any]]:
    """The object that has the variables, and the function that is the model."""
    if isinstance(source, Path):
        saved = load_saved_model(source)
        return saved.root, saved.function
    owner = _owner(source)
    return (source if owner is None else owner), chosen(source)


def _owner(function: Any) -> Any:
    """The object whose method it is; TensorFlow holds that weakly, in a stand-in with a ``target``."""
    code = getattr(function, "python_function", None)
    if code is None:
        return None
    bound = getattr(inspect.unwrap(code, stop=lambda each: hasattr(each, "__self__")), "__self__", None)
    return getattr(bound, "target", bound)


def _name(source: Any, root: Any) -> str:
    if isinstance(source, Path):
        return parted(source)[0].absolute().name
    name = getattr(root, "name", None) or getattr(source, "__name__", None)
    return str(name or type(root).__name__)
