"""A function of TensorFlow traced once: its graph with constants for variables, and where its names come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnea_graph.errors import ModelError
from nnea_graph.frontends.tf2onnx.imports import explained, imported

_LARGEST = 1 << 31
_APART = ("_XlaMustCompile", "_noinline")
"""Marks of functions that stay calls, which tf2onnx cannot translate."""


@dataclass(frozen=True, slots=True)
class TraceNames:
    """Names that a traced graph gets.

    ``parameters`` are by the id of a variable's handle, ``scopes`` give the layer of a name scope of TensorFlow,
    "" for the model itself.
    """

    model: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    parameters: Mapping[int, str]
    scopes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Traced:
    """``graph_def`` is frozen; ``tensors_in`` and ``tensors_out`` are its inputs and outputs.

    ``variables`` gives the parameter that a constant of the graph is; ``nameless`` is a variable that is none.
    """

    names: TraceNames
    graph_def: Any
    tensors_in: tuple[str, ...]
    tensors_out: tuple[str, ...]
    variables: Mapping[str, str]
    nameless: str = ""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A function with constants for variables; ``places`` are those of what it captures, by id of the handle."""

    graph_def: Any
    tensors_in: tuple[str, ...]
    tensors_out: tuple[str, ...]
    places: Mapping[int, str]

    def traced(self, names: TraceNames) -> Traced:
        """The graph with what it shall be called by."""
        known = {place: names.parameters.get(handle) for handle, place in self.places.items()}
        return Traced(
            names,
            self.graph_def,
            self.tensors_in,
            self.tensors_out,
            {place: name for place, name in known.items() if name is not None},
            next((place for place, name in known.items() if name is None), ""),
        )


def frozen(function: Any) -> Frozen:
    """A concrete function with its variables as constants.

    Raises:
        ModelError: TensorFlow's own reason.
    """
    convert = imported("tensorflow.python.framework.convert_to_constants", "a TensorFlow model")
    with explained("TensorFlow cannot freeze the model"):
        fixed = convert.convert_variables_to_constants_v2(
            function, lower_control_flow=False, aggressive_inlining=True
        )
        graph_def = _inlinable(fixed.graph.as_graph_def(add_shapes=True))
    if graph_def.ByteSize() >= _LARGEST:
        raise ModelError("the model has over 2 GB of weights, which no exporter of TensorFlow takes")
    return Frozen(
        graph_def,
        tuple(tensor.name for tensor in fixed.inputs),
        tuple(tensor.name for tensor in fixed.outputs),
        {id(handle): placeholder.op.name for handle, placeholder in function.graph.captures},
    )


def _inlinable(graph_def: Any) -> Any:
    """The graph without the marks of functions that stay calls: Keras compiles convolutions of groups apart."""
    functions = graph_def.library.function
    nodes = [*graph_def.node, *(node for function in functions for node in function.node_def)]
    for each in (*nodes, *functions):
        for name in _APART:
            each.attr.pop(name, None)
    return graph_def
