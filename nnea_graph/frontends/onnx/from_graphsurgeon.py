"""A graph of onnx-graphsurgeon as the ONNX model that it stands for, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

from onnx import ModelProto, TensorProto

from nnea_graph.errors import ModelError
from nnea_graph.frontends.onnx.flatten import graphs_of
from nnea_graph.frontends.shared.interface import derives_from

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs


def is_surgeon_graph(source: object) -> TypeGuard[gs.Graph]:
    """Tells whether it is one; imports nothing."""
    return derives_from(source, "onnx_graphsurgeon.ir.graph.Graph")


def exported(graph: gs.Graph) -> ModelProto:
    """The model, its nodes in the same order.

    Raises:
        ModelError: onnx-graphsurgeon cannot write it.
    """
    import onnx_graphsurgeon as gs  # noqa: PLC0415 - start-up

    try:
        proto: ModelProto = gs.export_onnx(graph)
    except Exception as error:  # it raises its own, numpy's and onnx's
        raise ModelError(f"onnx-graphsurgeon cannot export the graph: {error}") from error
    return proto


def imported(proto: ModelProto) -> gs.Graph:
    """The model as a graph; the model stays as it is.

    Raises:
        ModelError: onnx-graphsurgeon cannot read it, or weights lie in other files.
    """
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in proto.graph.initializer):
        raise ModelError(
            "weights of the model lie in other files, where onnx-graphsurgeon does not look; give onnx.load(path)"
        )
    import onnx_graphsurgeon as gs  # noqa: PLC0415 - start-up

    copy = ModelProto()
    copy.CopyFrom(proto)  # what it imports it changes
    try:
        return gs.import_onnx(copy)
    except Exception as error:  # as above
        raise ModelError(f"onnx-graphsurgeon cannot import the model: {error}") from error


def node_pairs(proto: ModelProto, graph: gs.Graph) -> Iterator[tuple[Any, Any]]:
    """The nodes of the main graph and of bodies, as they are written and as they are."""
    waiting: list[tuple[Any, Any]] = [(proto.graph, graph)]
    while waiting:
        source, target = waiting.pop()
        for written, node in zip(source.node, target.nodes, strict=True):
            yield written, node
            for attribute in written.attribute:
                bodies = graphs_of(attribute)
                held = node.attrs[attribute.name] if bodies else ()
                waiting += zip(bodies, held if isinstance(held, list | tuple) else [held], strict=True)
