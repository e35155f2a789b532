"""tf2onnx: a frozen graph of TensorFlow as an ONNX model, quietly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto

from nnea_graph.errors import ModelError
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.tf2onnx.canonical_order import bodies_of
from nnea_graph.frontends.tf2onnx.deterministic_sets import in_order
from nnea_graph.frontends.tf2onnx.imports import explained, imported
from nnea_graph.frontends.tf2onnx.trace import Traced

OPSET = 18
"""The newest that tf2onnx writes."""


def converted(traced: Traced, graph_def: Any) -> ModelProto:
    """The ONNX model of a graph (of ``traced``, perhaps with other constants), as tf2onnx names it.

    Raises:
        ModelError: an operator that tf2onnx cannot translate, or its own reason.
    """
    tf = imported("tensorflow", "a TensorFlow model")
    loader = imported("tf2onnx.tf_loader", "a TensorFlow model")
    tensors_in, tensors_out = list(traced.tensors_in), list(traced.tensors_out)
    with explained("tf2onnx cannot export the model"), tf.device("/cpu:0"), tf.Graph().as_default() as graph:
        # TensorFlow keeps an internal operator in bodies that it has frozen.
        reduced = loader.fix_freezing_errors_part2(graph_def)
        reduced = loader.tf_optimize(tensors_in, tensors_out, reduced)
        tf.import_graph_def(reduced, name="")
        with in_order():
            return _translated(graph, traced.names.model, input_names=tensors_in, output_names=tensors_out)


def _translated(graph: Any, name: str, **options: Any) -> ModelProto:
    tfonnx = imported("tf2onnx.tfonnx", "a TensorFlow model")
    handlers: Mapping[str, Any] = {"Erfc": (_erfc, [])}
    made = tfonnx.process_tf_graph(graph, opset=OPSET, custom_op_handlers=handlers, **options)
    return finished(made, name, optimizers())


def finished(made: Any, name: str, optimizers: Mapping[str, Any]) -> ModelProto:
    """Model that tf2onnx has made, optimized, as a model of that name.

    Raises:
        ModelError: an operator that tf2onnx cannot translate.
    """
    optimizer = imported("tf2onnx.optimizer", "a TensorFlow model")
    proto: ModelProto = optimizer.optimize_graph(made, optimizers=optimizers).make_model(name)
    # It only mentions them in its log, and writes an invalid model.
    unknown = sorted({node.op_type for node in nodes_of(proto.graph) if not node.domain} - _defined())
    if unknown:
        shown = ", ".join(
            name.removeprefix("TFL_") for name in unknown
        )  # as tf2onnx calls those of TensorFlow Lite
        raise ModelError(f"tf2onnx has no rule for the TensorFlow operators {shown}")
    return proto


def optimizers() -> dict[str, Any]:
    """tf2onnx's own, by name; of operators that are one the first by name stays, not the first that it comes across."""
    every = imported("tf2onnx.optimizer", "a TensorFlow model")._get_optimizers()  # noqa: SLF001 - no other way
    name = "merge_duplication"
    kind: Any = every[name]

    class Merging(kind):  # type: ignore[misc]  # a class that is imported where it is used
        def _merge_nodes_that_are_duplicated(self, nodes: list[Any], graph: Any) -> None:
            nodes.sort(key=lambda node: unnumbered(node.name))
            super()._merge_nodes_that_are_duplicated(nodes, graph)

    return {**every, name: Merging}


_NUMBERED = re.compile(r"(:\d+|__\d+)+$")


def unnumbered(name: str) -> str:
    """A name of tf2onnx without the numbers that it counts through the whole process.

    >>> unnumbered("mlp/hidden_1/Cast__12:0")
    'mlp/hidden_1/Cast'
    """
    return _NUMBERED.sub("", name)


def nodes_of(graph: GraphProto) -> Iterator[NodeProto]:
    """Every operator of a graph and of its bodies."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in bodies_of(attribute):
                yield from nodes_of(body)


def _defined() -> frozenset[str]:
    return frozenset(schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain)


def _erfc(context: Any, node: Any, name: str, _: Any) -> Any:
    """Erfc as 1 − Erf: exact GELU needs it, and tf2onnx has no rule for it."""
    dtype = context.get_dtype(node.output[0])
    shape = context.get_shape(node.output[0])
    erf = context.make_node("Erf", node.input, shapes=[shape], dtypes=[dtype])
    one = context.make_const(f"{name}_one", np.ones((), onnx.helper.tensor_dtype_to_np_dtype(dtype)))
    context.remove_node(node.name)
    return context.make_node(
        "Sub", [one.output[0], erf.output[0]], name=name, outputs=node.output, shapes=[shape], dtypes=[dtype]
    )


def checked(proto: ModelProto) -> ModelProto:
    """The model, if onnx takes it.

    Raises:
        ModelError: what the checker says, in one line.
    """
    try:
        with quiet():
            onnx.checker.check_model(proto, full_check=False)
    except onnx.checker.ValidationError as error:
        reason = " ".join(str(error).split())[:400]
        raise ModelError(f"tf2onnx has written an invalid model: {reason}") from error
    return proto
