"""Call convention of a Keras model: its inputs in order, and the structure that it takes them in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import UsageError
from nnea_graph.frontends.shared.example_inputs import (
    Input,
    arguments,
    arrays_of,
    given_names,
    leaf_name,
    made_up,
    parameters,
)
from nnea_graph.frontends.shared.interface import Example, InputSpec
from nnea_graph.frontends.tf2onnx.imports import explained, imported

_SEED = 0


@dataclass(frozen=True, slots=True)
class KerasCall:
    """``example`` is by input, None where nobody gave one and the model leaves dims open.

    ``parts`` are what the model takes, with whatever leaves, by parameter of its call.
    """

    inputs: tuple[Input, ...]
    example: Mapping[str, NDArray[Any]] | None
    parts: Mapping[str, Any]

    def run(self, model: Any, tensors: Sequence[Any]) -> list[Any]:
        """The outputs, in order, for inference on tensors in the order of the inputs."""
        tree = imported("keras", "a Keras model").tree
        first, *others = tree.pack_sequence_as(list(self.parts.values()), list(tensors))
        return outputs_of(
            model(first, training=False, **dict(zip(list(self.parts)[1:], others, strict=True)))
        )


@contextmanager
def called_by(calls: Iterable[tuple[Any, Callable[..., Any]]]) -> Iterator[None]:
    """Let a function take the calls of each layer meanwhile."""
    calls = list(calls)
    before = [(layer, vars(layer).get("call")) for layer, _ in calls]
    try:
        for layer, call in calls:
            object.__setattr__(layer, "call", functools.wraps(layer.call)(call))
        yield
    finally:
        for layer, own in before:
            object.__delattr__(layer, "call")
            if own is not None:
                object.__setattr__(layer, "call", own)


def outputs_of(result: Any) -> list[Any]:
    """The tensors of whatever a model gives."""
    tree = imported("keras", "a Keras model").tree
    return [each for each in tree.flatten(result) if each is not None]


def input_names(model: Any) -> dict[str, bool]:
    """Names of the inputs of a model that knows them, else the parameters of its call; and which are needed."""
    known = _declared(model)
    return dict.fromkeys((each.name for each in known), True) if known else parameters(model.call)


def _declared(model: Any) -> tuple[Input, ...]:
    """The inputs of a Functional model or of a Sequential one that has been built."""
    tensors = getattr(model, "inputs", None) or ()
    names = given_names([each.name for each in tensors])
    return tuple(
        Input(name, tuple(each.shape), str(each.dtype)) for name, each in zip(names, tensors, strict=True)
    )


def call_of(model: Any, example: Example | None) -> KerasCall:
    """The call that an example means; without one it is made up, where the model says its inputs.

    Raises:
        UsageError: an example is needed, or does not fit.
        ModelError: the model fails on it.
    """
    if _declared(model):
        return _declared_call(model, example)
    if example is None:
        raise UsageError(
            f"this Keras model does not say what its inputs are ({', '.join(parameters(model.call))}): give data, or "
            "shapes such as --input-shape 1,224,224,3 (input_shapes={'': (1, 224, 224, 3)})"
        )
    call = _free_call(model, example)
    with explained("the model fails on the example"):
        call.run(model, list((call.example or {}).values()))  # builds what is not built
    return _declared_call(model, example) if _declared(model) else call


def _declared_call(model: Any, example: Example | None) -> KerasCall:
    inputs = _declared(model)
    open_dims = any(dim is None for each in inputs for dim in each.dims[1:])
    arrays = None if example is None and open_dims else arrays_of(example, inputs)
    return KerasCall(inputs, arrays, {"": getattr(model, "_inputs_struct", "the only one")})


# Models that only their code describes


def _free_call(model: Any, example: Example) -> KerasCall:
    """Names and structure from the example; the first dim of each input is the batch."""
    keras = imported("keras", "a Keras model")
    parts = arguments(parameters(model.call), example)
    random = np.random.default_rng(_SEED)
    arrays = {}
    for path, leaf in keras.tree.flatten_with_path(list(parts.values())):
        array = made_up(leaf, random) if isinstance(leaf, InputSpec) else np.asarray(leaf)
        if array.dtype.kind == "f":
            array = array.astype(keras.config.floatx())
        arrays[leaf_name(path, tuple(parts))] = array
    inputs = tuple(
        Input(name, (None, *array.shape[1:])[: array.ndim], array.dtype.name)
        for name, array in arrays.items()
    )
    return KerasCall(inputs, arrays, parts)
