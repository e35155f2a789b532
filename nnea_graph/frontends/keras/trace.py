"""A Keras model on TensorFlow as a frozen graph whose names tell weights and layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from nnea_graph.frontends.keras.call import KerasCall, called_by
from nnea_graph.frontends.keras.facts import layers_of
from nnea_graph.frontends.tf2onnx.imports import explained, imported
from nnea_graph.frontends.tf2onnx.trace import Traced, TraceNames, frozen


def traced(model: Any, call: KerasCall, weights: Mapping[str, Any]) -> Traced:
    """The model as it computes for inference, any number of samples.

    Raises:
        ModelError: TensorFlow's own reason.
    """
    tf = imported("tensorflow", "a Keras model")
    scopes: dict[str, str] = {}
    results: list[Any] = []

    def forward(*tensors: Any) -> list[Any]:
        results[:] = call.run(model, tensors)
        return [tf.identity(each) for each in results]

    specs = [
        tf.TensorSpec(each.dims, each.dtype, name=f"input_{place}") for place, each in enumerate(call.inputs)
    ]
    with explained("TensorFlow cannot trace the model"), _watched(model, scopes):
        function = tf.function(forward).get_concrete_function(*specs)
    names = TraceNames(
        model.name,
        [each.name for each in call.inputs],
        _output_names(model, len(results)),
        {id(weight.value.handle): name for name, weight in weights.items()},
        scopes,
    )
    return frozen(function).traced(names)


def _output_names(model: Any, count: int) -> Sequence[str]:
    """Names that a Functional model gives them."""
    names = getattr(model, "output_names", None) or ()
    if len(names) == count:
        return list(names)
    return ["output"] if count == 1 else [f"output_{place}" for place in range(count)]


def _watched(model: Any, scopes: dict[str, str]) -> AbstractContextManager[None]:
    """Note the name scope that each layer computes in, of a shared one the first of its paths."""
    layers = {id(layer): (path, layer) for path, layer in reversed([("", model), *layers_of(model)])}
    return called_by([(layer, _noting(layer.call, path, scopes)) for path, layer in layers.values()])


def _noting(call: Callable[..., Any], path: str, scopes: dict[str, str]) -> Callable[..., Any]:
    tf = imported("tensorflow", "a Keras model")

    def noting(*args: Any, **kwargs: Any) -> Any:
        scopes.setdefault(tf.compat.v1.get_default_graph().get_name_scope(), path)
        return call(*args, **kwargs)

    return noting
