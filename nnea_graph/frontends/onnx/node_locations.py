"""Finds where each operator of a graph is written in its model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnx import FunctionProto, ModelProto, NodeProto

from nnea_graph.frontends.onnx.flatten import graphs_of
from nnea_graph.frontends.onnx.functions import (
    FunctionKey,
    bound_attributes,
    call_key,
    domain_of,
    functions_of,
    resolve_references,
)
from nnea_graph.frontends.onnx.scoped_names import Frame, ScopedNames

Places = list[tuple[NodeProto, list[str]]]


def places_of(proto: ModelProto) -> Places:
    """Every node of the main graph and of bodies, with the ids of the operators that ``Flattener`` makes of it.

    A call of a function has those of all operators in it, a Constant has none. No constant is read: external data
    need not be there.
    """
    walk = _ModelWalk(functions_of(proto))
    walk.nodes(proto.graph.node, Frame("", {}), None)
    return walk.places


class _ModelWalk:
    """Goes through a model in the order of ``Flattener``, which names depend on."""

    def __init__(self, functions: Mapping[FunctionKey, FunctionProto]) -> None:
        self.places: Places = []
        self._functions = functions
        self._names = ScopedNames()

    def nodes(self, protos: Iterable[NodeProto], frame: Frame, call: list[str] | None) -> None:
        """``call`` takes the ids of all that is inside of a function."""
        for proto in protos:
            ids: list[str] = []
            if call is None:
                self.places.append((proto, ids))
            else:
                ids = call
            node = resolve_references(proto, frame.bound) if frame.bound is not None else proto
            function = self._functions.get(call_key(node))
            if function is not None:
                self._call(function, node, frame, ids)
            elif node.op_type != "Constant" or domain_of(node.domain):
                self._operator(node, frame, ids, call)

    def _call(self, function: FunctionProto, node: NodeProto, frame: Frame, ids: list[str]) -> None:
        path = self._names.node_id(node, frame)
        self.nodes(function.node, Frame(path, {}, bound=bound_attributes(function, node)), ids)
        handed_on = zip(function.output, node.output, strict=False)
        ids += [f"{path}/{formal}" for formal, name in handed_on if name and formal in function.input]

    def _operator(self, node: NodeProto, frame: Frame, ids: list[str], call: list[str] | None) -> None:
        ids.append(self._names.node_id(node, frame))
        owner = ids[-1]
        for attribute in node.attribute:
            for graph in graphs_of(attribute):
                path = self._names.body_path(f"{owner}/{attribute.name}")
                self.nodes(graph.node, Frame(path, {}, bound=frame.bound), call)
