"""tf2onnx: a ``.tflite`` file as an ONNX model in which every constant of the file is there once, by its name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from nnea_graph.errors import ModelError
from nnea_graph.frontends.provenance.derivations import TransposedTensor
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.tf2onnx.convert import OPSET, checked, finished, optimizers
from nnea_graph.frontends.tf2onnx.dim_names import name_dims
from nnea_graph.frontends.tf2onnx.imports import explained, imported
from nnea_graph.frontends.tf2onnx.loop_trip_counts import number_trips
from nnea_graph.frontends.tf2onnx.stable_names import rename
from nnea_graph.frontends.tf2onnx.trace import TraceNames
from nnea_graph.frontends.tflite.flatbuffer import TfliteFile
from nnea_graph.frontends.tflite.names import TensorNames, scope

_WHAT = "a .tflite file"
_VALUE = "v"
"""Ends the name of a tensor; what tf2onnx makes of it begins with the same scope."""
_SCOPED = re.compile(r"(?:.*/)?(g\d+t\d+)/")  # bodies that are put into their caller get its name in front
_WIDE_OPSET = 21
"""The first whose QuantizeLinear takes 16 bits."""

Shapes = Mapping[int, Sequence[int]]
"""Of the tensors of the main graph, -1 where any number will do."""


def tflite_to_onnx(file: TfliteFile, shapes: Shapes, name: str) -> ModelProto:
    """The model; operators and constants carry the names that the file has for them.

    Raises:
        ModelError: an operator that tf2onnx cannot translate, or its own reason.
    """
    names = TensorNames(file)
    with explained("tf2onnx cannot export the model"):
        main, bodies = _graphs(file, shapes)
        for graph in (main, *bodies):
            graph.set_config(None, OPSET, None)
            _prepare(graph)
        made = imported("tf2onnx.tfonnx", _WHAT).process_graphs(
            main, bodies, {"TFL_GELU": (_gelu, [])}, [], [], False, None, None, None, is_tflite=True
        )
        proto = finished(made, name, _optimizers())
    scopes = {
        tensor.name: found[1] for tensor in proto.graph.initializer if (found := _SCOPED.match(tensor.name))
    }
    recipes = {
        old: TransposedTensor(names.constants[key], (), ())
        for old, key in scopes.items()
        if key in names.constants
    }
    halves = {id(recipes[old]) for old, key in scopes.items() if key in names.halves}
    renamed = rename(proto, TraceNames(name, names.inputs, names.outputs, {}, names.layers), recipes)
    _narrow(proto.graph, {new for new, recipe in renamed.items() if id(recipe) in halves})
    number_trips(proto)
    name_dims(proto)
    return checked(_wide_enough(proto))


# Before: the file as tf2onnx's graphs


def _graphs(file: TfliteFile, shapes: Shapes) -> tuple[Any, list[Any]]:
    """The main graph and the bodies, each after those that it calls."""
    utils = imported("tf2onnx.tflite_utils", _WHAT)
    imported("tf2onnx.tf_loader", _WHAT).clear_functions()
    model = _View(file.model, Subgraphs=lambda n: _named(file.model.Subgraphs(n), n))
    known = {f"{scope(0, place)}/{_VALUE}": list(shape) for place, shape in shapes.items()}
    found = []
    for tables in utils.get_model_subgraphs(model):
        is_main = tables.Name() == _graph_name(0)
        parsed = utils.parse_tflite_graph(tables, file.kinds, model, "", known if is_main else None)
        nodes, _, _, dims, dtypes, inputs, outputs, name = parsed
        found.append(
            utils.Graph(
                nodes,
                dims,
                dtypes,
                input_names=inputs,
                output_names=outputs,
                is_subgraph=not is_main,
                graph_name=name,
            )
        )
    return found[-1], found[:-1]  # the main one is the last


class _View:
    """A table of the file of which some fields read otherwise."""

    def __init__(self, table: Any, **fields: Callable[..., Any]) -> None:
        self.__dict__.update(fields)
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)


def _named(graph: Any, number: int) -> Any:
    """A graph by its number: names in files need not be unique, nor fit for suffixes."""

    def tensor(place: int) -> Any:
        name = f"{scope(number, place)}/{_VALUE}".encode()
        return _View(graph.Tensors(place), Name=lambda: name)

    return _View(graph, Name=lambda: _graph_name(number), Tensors=tensor)


def _graph_name(number: int) -> bytes:
    return f"g{number}".encode()


def _prepare(graph: Any) -> None:
    """Weights of integers times floats in floats, and biases of 64 bits, which ONNX does not quantize, as floats.

    tf2onnx would have the bias of such an operator rounded as well, which TensorFlow Lite does not.
    """
    handler = imported("tf2onnx.tflite_handlers.tfl_math", _WHAT).TflDequantizeOp
    for node in graph.get_nodes():
        if "asymmetric_quantize_inputs" in node.attr:
            node.set_attr("asymmetric_quantize_inputs", 0)
        wide = node.type == "TFL_DEQUANTIZE" and graph.get_dtype(node.input[0]) == TensorProto.INT64
        if wide and node.inputs[0].is_const():
            handler.version_1(graph, node)


def _gelu(context: Any, node: Any, name: str, _: Any) -> None:
    """Gelu, which ONNX has from opset 20 on, by what it is defined by."""
    (x,), (y,) = node.input, node.output
    dtype, shape = context.get_dtype(y), context.get_shape(y)
    approximate = bool(node.get_attr_value("approximate", 0))
    kind = onnx.helper.tensor_dtype_to_np_dtype(dtype)
    context.remove_node(node.name)

    def number(value: float) -> str:
        constant: str = context.make_const(
            imported("tf2onnx.utils", _WHAT).make_name(f"{name}_constant"), np.asarray(value, kind)
        ).output[0]
        return constant

    def apply(op_type: str, *inputs: str, outputs: list[str] | None = None) -> str:
        made: str = context.make_node(
            op_type, list(inputs), op_name_scope=name, outputs=outputs, shapes=[shape], dtypes=[dtype]
        ).output[0]
        return made

    if approximate:  # tanh of √(2/π) (x + 0.044715 x³)
        cube = apply("Mul", apply("Mul", x, x), x)
        inner = apply("Add", x, apply("Mul", cube, number(0.044715)))
        curve = apply("Tanh", apply("Mul", inner, number(math.sqrt(2 / math.pi))))
    else:
        curve = apply("Erf", apply("Mul", x, number(math.sqrt(0.5))))
    half = apply("Mul", x, number(0.5))
    apply("Mul", half, apply("Add", curve, number(1.0)), outputs=[y])


# Meanwhile: constants keep their names


def _optimizers() -> Mapping[str, Any]:
    """tf2onnx's own, which would merge equal weights and call what they fold by numbers alone."""
    every = optimizers()
    utils = imported("tf2onnx.utils", _WHAT)
    merge: Any = every["merge_duplication"]
    fold: Any = every["fold_constants"]

    class KeepingWeights(merge):  # type: ignore[misc]  # a class that is imported where it is used
        def _merge_nodes_that_are_duplicated(self, nodes: list[Any], graph: Any) -> None:
            if not (nodes[0].is_const() and _SCOPED.match(nodes[0].output[0])):
                super()._merge_nodes_that_are_duplicated(nodes, graph)

    class KeepingNames(fold):  # type: ignore[misc]
        @staticmethod
        def _replace_node_with_const(node: Any, graph: Any, values: list[Any]) -> None:
            from_file = next(filter(None, map(_SCOPED.match, node.input)), None)
            if from_file is None or len(values) != 1:
                fold._replace_node_with_const(node, graph, values)  # noqa: SLF001 - the class itself
                return
            made = graph.make_const(utils.make_name(f"{from_file[1]}/{_VALUE}"), values[0])
            graph.replace_all_inputs(node.output[0], made.output[0])
            graph.remove_node(node.name)

    return {**every, "merge_duplication": KeepingWeights, "fold_constants": KeepingNames}


# Afterwards: names, types and operator sets


def _narrow(graph: GraphProto, names: set[str]) -> None:
    """Store these constants in 16 bits, as the file does, with an operator that widens them."""
    casts = []
    for tensor in graph.initializer:
        if tensor.name not in names or tensor.data_type != TensorProto.FLOAT:
            continue
        wide = tensor.name
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{wide}:half")
        tensor.CopyFrom(half)
        casts.append(
            onnx.helper.make_node("Cast", [half.name], [wide], name=f"{wide}/Cast", to=TensorProto.FLOAT)
        )
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def _wide_enough(proto: ModelProto) -> ModelProto:
    """Model in an operator set that has the types that the model uses."""
    wide = {value.name for value in proto.graph.initializer if value.data_type == TensorProto.INT16}
    quantizers = ("QuantizeLinear", "DequantizeLinear")
    if not any(node.op_type in quantizers and wide & set(node.input) for node in proto.graph.node):
        return proto
    try:
        with quiet():
            return onnx.version_converter.convert_version(proto, _WIDE_OPSET)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:400]
        raise ModelError(f"quantization in 16 bits needs opset {_WIDE_OPSET}: {reason}") from error
