"""Keras models that compute with torch, live or in ``.keras`` and ``.h5`` files opened with ``KERAS_BACKEND=torch``."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nnea_graph.frontends.keras.backend import backend
from nnea_graph.frontends.keras.call import KerasCall, call_of, input_names
from nnea_graph.frontends.keras.facts import layers_of, named_weights
from nnea_graph.frontends.keras.files import is_keras_file, load_keras
from nnea_graph.frontends.keras.torch_module import mirror
from nnea_graph.frontends.shared.interface import Arrays, ConvertedModel, Example, derives_from
from nnea_graph.frontends.tf2onnx.imports import explained, imported
from nnea_graph.frontends.torch.frontend import TorchExport, check_installed

MODEL = "keras.src.models.model.Model"


@dataclass(frozen=True, slots=True)
class KerasTorchFrontend:
    """See ``Frontend``."""

    def takes(self, source: object) -> bool:
        """A Keras model, or a path that ends in ``.keras`` or ``.h5``, where torch computes for Keras."""
        keras = is_keras_file(source) if isinstance(source, Path) else derives_from(source, MODEL)
        return keras and backend() == "torch"

    def input_names(self, source: Any) -> Mapping[str, bool]:
        """See ``Frontend``."""
        return input_names(_model(source))

    def convert(self, source: Any, example: Example | None) -> ConvertedModel:
        """See ``Frontend``."""
        check_installed("a Keras model on torch")
        model = _model(source)
        call = call_of(model, example)
        example = None if call.example is None else tuple(call.example.values())
        with _own_words():
            export = TorchExport.of(mirror(model, call), example)
        return _of_keras(export.converted(), model, call, _structure(model))


FRONTEND = KerasTorchFrontend()


def _model(source: Any) -> Any:
    return load_keras(source) if isinstance(source, Path) else source


@contextmanager
def _own_words() -> Iterator[None]:
    """Let exceptions come through Keras as they are: it makes them anew, without what torch says."""
    config = imported("keras", "a Keras model").config
    before = config.is_traceback_filtering_enabled()
    config.disable_traceback_filtering()
    try:
        yield
    finally:
        if before:
            config.enable_traceback_filtering()


def _structure(model: Any) -> Hashable:
    """The layers, and which tensors the weights are: Keras writes into them, unless they are made anew."""
    modules = tuple((path, type(layer).__name__) for path, layer in layers_of(model))
    return modules, tuple((name, id(weight.value)) for name, weight in named_weights(model))


def _of_keras(converted: ConvertedModel, model: Any, call: KerasCall, structure: Hashable) -> ConvertedModel:
    """The same, compared with the model itself, and only as long as that has the same layers."""

    def again() -> ConvertedModel | None:
        found = converted.again() if converted.again and _structure(model) == structure else None
        return found and _of_keras(found, model, call, structure)

    return replace(converted, reference=_reference(model, call), again=again)


def _reference(model: Any, call: KerasCall) -> Callable[[Arrays], Sequence[NDArray[Any]]]:
    """Runs the model as it is then, as Keras does; bfloat16 comes as float32, which numpy has."""

    def run(arrays: Arrays) -> Sequence[NDArray[Any]]:
        keras = imported("keras", "a Keras model")
        with explained("the model fails"):
            return [keras.ops.convert_to_numpy(each) for each in call.run(model, list(arrays.values()))]

    return run
