"""Calls of a function of TensorFlow: its tensors in order, and the structure that it takes and gives them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import ModelError, UsageError
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

_WHAT = "a TensorFlow function"
_SEED = 0


@dataclass(frozen=True, slots=True)
class TfCall:
    """``function`` is the user's own, ``taken`` what it takes, arguments and keywords, with a type for each tensor.

    ``example`` is by input.
    """

    function: Callable[..., Any]
    taken: Any
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    example: Mapping[str, NDArray[Any]]

    def run(self, tensors: Sequence[Any]) -> list[Any]:
        """The outputs, in order, of tensors in the order of the inputs."""
        nest = imported("tensorflow", _WHAT).nest
        given = iter(tensors)
        leaves = [next(given) if _is_type(each) else each for each in nest.flatten(self.taken)]
        args, kwargs = nest.pack_sequence_as(self.taken, leaves)
        return [each for _, each in _tensors(self.function(*args, **kwargs))]

    def run_on(self, arrays: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs of arrays by input."""
        tf = imported("tensorflow", _WHAT)
        tensors = [tf.constant(arrays[each.name], each.dtype) for each in self.inputs]
        return [np.asarray(each) for each in self.run(tensors)]


def input_names(function: Any) -> dict[str, bool]:
    """Names of the inputs of a function that states them, else its parameters; and which are needed."""
    concrete = _declared(function)
    if concrete is None:
        return parameters(_code(function))
    return dict.fromkeys((each.name for each in _inputs(concrete)), True)


def call_of(function: Any, example: Example | None) -> TfCall:
    """The call that an example means; without one it is made up, where the function says its inputs.

    Raises:
        UsageError: an example is needed, or does not fit.
        ModelError: TensorFlow cannot trace the function.
    """
    concrete = _declared(function)
    if concrete is None:
        if example is None:
            names = ", ".join(parameters(_code(function)))
            raise UsageError(
                f"this function does not say what its inputs are ({names}): give data, or shapes such as "
                "--input-shape 1,20 (input_shapes={'': (1, 20)}), or the function an input_signature"
            )
        concrete, example = _traced(function, example)
    inputs = _inputs(concrete)
    arrays = arrays_of(example, inputs)
    return TfCall(function, concrete.structured_input_signature, inputs, _outputs(concrete), arrays)


# What a function says of itself


def _declared(function: Any) -> Any:
    """The one concrete function that it is or has, None where it depends on what it is called with.

    Raises:
        ModelError: a restored function has none, or several.
    """
    if hasattr(function, "structured_input_signature"):
        return function
    restored = getattr(function, "concrete_functions", None)
    if restored is not None:
        if len(restored) != 1:
            raise ModelError(
                f"the function was saved with {len(restored)} kinds of inputs; save it again with "
                "tf.saved_model.save(model, folder, signatures=function.get_concrete_function(…))"
            )
        return restored[0]
    if getattr(function, "input_signature", None) is None:
        return None
    with explained("TensorFlow cannot trace the function"):
        return function.get_concrete_function()


def _code(function: Any) -> Callable[..., Any]:
    code: Callable[..., Any] = getattr(function, "python_function", function)
    return code


def _is_type(leaf: Any) -> bool:
    return isinstance(leaf, imported("tensorflow", _WHAT).TypeSpec)


def _inputs(concrete: Any) -> tuple[Input, ...]:
    found = [(path, leaf) for path, leaf in _flat(concrete.structured_input_signature) if _is_type(leaf)]
    names = given_names([getattr(leaf, "name", None) or _joined(path[1:]) for path, leaf in found])
    return tuple(
        Input(name, _dims(leaf, name), leaf.dtype.name) for name, (_, leaf) in zip(names, found, strict=True)
    )


def _dims(leaf: Any, name: str) -> tuple[int | None, ...]:
    tf = imported("tensorflow", _WHAT)
    if not isinstance(leaf, tf.TensorSpec):
        raise ModelError(f"input '{name}' is a {type(leaf).__name__}; ONNX has dense tensors only")
    if not (leaf.dtype.is_floating or leaf.dtype.is_integer or leaf.dtype.is_bool) or leaf.dtype.is_quantized:
        raise ModelError(f"input '{name}' is of type {leaf.dtype.name}; give a function that takes numbers")
    if leaf.shape.rank is None:
        raise ModelError(f"input '{name}' may have any number of dims; give a function that says how many")
    return tuple(leaf.shape)


def _outputs(concrete: Any) -> tuple[str, ...]:
    """The keys of a dict, ``output`` for the only one of another kind."""
    found = [path for path, _ in _tensors(concrete.structured_outputs)]
    if found == [()]:
        return ("output",)
    return tuple(_joined(path) if isinstance(path[0], str) else f"output_{_joined(path)}" for path in found)


def _tensors(structure: Any) -> list[tuple[Sequence[Any], Any]]:
    """Those in a structure, with their paths."""
    tf = imported("tensorflow", _WHAT)
    return [(path, leaf) for path, leaf in _flat(structure) if isinstance(leaf, tf.Tensor | tf.TensorSpec)]


def _flat(structure: Any) -> list[tuple[Sequence[Any], Any]]:
    nest = imported("tensorflow.python.util.nest", _WHAT)
    found: list[tuple[Sequence[Any], Any]] = nest.flatten_with_tuple_paths(structure)
    return found


def _joined(path: Sequence[Any]) -> str:
    return "_".join(map(str, path))


# Functions that only their code describes


def _traced(function: Any, example: Example) -> tuple[Any, dict[str, NDArray[Any]]]:
    """A concrete function for inputs like the example's, with any number of samples; and the example by input."""
    tf = imported("tensorflow", _WHAT)
    names = tuple(parameters(_code(function)))
    parts = arguments(names, example)
    random = np.random.default_rng(_SEED)
    arrays: dict[str, NDArray[Any]] = {}
    specs = []
    for path, leaf in _flat(list(parts.values())):
        array = made_up(leaf, random) if isinstance(leaf, InputSpec) else np.asarray(leaf)
        if array.dtype == np.float64:  # numpy's own; functions that want it say so in their signature
            array = array.astype(np.float32)
        name = leaf_name(path, tuple(parts))
        arrays[name] = array
        specs.append(tf.TensorSpec((None, *array.shape[1:])[: array.ndim], array.dtype, name))
    packed = tf.nest.pack_sequence_as(list(parts.values()), specs)
    graph = function if hasattr(function, "get_concrete_function") else tf.function(function)
    with explained("TensorFlow cannot trace the function"):
        return graph.get_concrete_function(**dict(zip(parts, packed, strict=True))), arrays
