"""A model's graph, bodies and inlined functions as one flat list of operators with names of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TypeProto, ValueInfoProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.attributes import attributes_of
from nnea_graph.frontends.bodies import check_bodies
from nnea_graph.frontends.functions import (
    FunctionKey,
    bound_attributes,
    call_key,
    check_call,
    domain_of,
    opsets_of,
    resolve_references,
)
from nnea_graph.frontends.limits import Limits
from nnea_graph.frontends.read_onnx import OnnxFile, text
from nnea_graph.frontends.scopes import scope_of
from nnea_graph.graph import DTYPES, Body, Constant, Dim, OpNode, TensorInfo
from nnea_graph.graph.constants import constant_of
from nnea_graph.graph.dtypes import BY_NAME

_ALTERNATIVES = frozenset({"If"})


@dataclass(slots=True)
class _Frame:
    """Names in one graph or function: local name to the name in the whole; ``outer`` is what it may look into."""

    path: str
    opsets: Mapping[str, int]
    outer: _Frame | None = None
    bound: Mapping[str, AttributeProto] | None = None
    body: str = ""
    depth: int = 0
    names: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> str | None:
        frame: _Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.outer
        return None

    def opset(self, domain: str) -> int:
        return self.opsets.get(domain, 0)


class Flattener:
    """Collects operators, tensors, constants and bodies while it walks the protobuf once."""

    def __init__(
        self, file: OnnxFile, functions: Mapping[FunctionKey, FunctionProto], limits: Limits
    ) -> None:
        self.nodes: list[OpNode] = []
        self.attribute_bytes: dict[str, bytes] = {}
        self.tensors: dict[str, TensorInfo] = {}
        self.constants: dict[str, Constant] = {}
        self.bodies: dict[str, Body] = {}
        self.inputs: tuple[str, ...] = ()
        self.outputs: tuple[str, ...] = ()
        self.renamed: list[str] = []
        self._file = file
        self._functions = functions
        self._limits = limits
        self._tensor_names: dict[str, int] = {}
        self._node_ids: dict[str, int] = {}

    def main(self, graph: GraphProto, opsets: Mapping[str, int]) -> None:
        """Flatten the main graph."""
        frame = _Frame("", opsets)
        self._initializers(graph, frame)
        self.inputs = self._inputs(graph, frame, "an input of the graph")
        self._operators(graph, frame)
        self._declare(graph.output, frame)
        self.outputs = tuple(self._output(frame, value.name, "the graph") for value in graph.output)

    def _inputs(self, graph: GraphProto, frame: _Frame, by: str) -> tuple[str, ...]:
        """Those without a default of their own: one that has an initializer is a constant."""
        defaults = frozenset(frame.names)
        inputs = [self._define(frame, value.name, by) for value in graph.input if value.name not in defaults]
        self._declare(graph.input, frame)
        return tuple(inputs)

    def _operators(self, graph: GraphProto, frame: _Frame) -> None:
        """Names first, so that operators may stand in any order."""
        for node in graph.node:
            for name in node.output:
                if name:
                    self._define(frame, name, f"operator '{node.name or node.op_type}'")
        self._declare(graph.value_info, frame)
        for node in graph.node:
            self._node(node, frame)

    # Names

    def _define(self, frame: _Frame, name: str, by: str) -> str:
        local = text(name, f"a tensor name ({by})")
        if local in frame.names:
            raise ModelError(f"two producers of tensor '{local}': {by} makes it again; names must be unique")
        frame.names[local] = self._unique(
            f"{frame.path}/{local}" if frame.path else local, self._tensor_names
        )
        return frame.names[local]

    @staticmethod
    def _unique(wanted: str, taken: dict[str, int]) -> str:
        """``wanted``, or with the first free number; ``taken`` remembers the last, or thousands would cost squares."""
        name, number = wanted, taken.get(wanted, 1)
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken[wanted] = number
        taken.setdefault(name, 1)
        return name

    def _read(self, frame: _Frame, name: str, reader: str) -> str:
        if not name:
            return ""
        found = frame.find(name)
        if found is None:
            raise ModelError(
                f"{reader} reads tensor '{text(name, reader)}', which no operator, input or initializer makes"
            )
        return found

    def _output(self, frame: _Frame, name: str, owner: str) -> str:
        found = frame.find(name)
        if found is None:
            raise ModelError(f"output '{text(name, owner)}' of {owner} is made by no operator")
        return found

    def _node_id(self, node: NodeProto, frame: _Frame) -> str:
        given = text(node.name, "a node name")
        if not given:
            number = frame.counters.get(node.op_type, 0)
            frame.counters[node.op_type] = number + 1
            given = f"{text(node.op_type, 'an operator type')}_{number}"
        wanted = f"{frame.path}/{given}" if frame.path else given
        found = self._unique(wanted, self._node_ids)
        if found != wanted and node.name:
            self.renamed.append(wanted)
        return found

    # Constants and declarations

    def _initializers(self, graph: GraphProto, frame: _Frame) -> None:
        for tensor in graph.initializer:
            name = self._define(frame, tensor.name, "initializer")
            self._constant(name, self._file.constant(tensor, name))
        for sparse in graph.sparse_initializer:
            name = self._define(frame, sparse.values.name, "sparse initializer")
            self._constant(name, self._file.sparse_constant(sparse, name))

    def _constant(self, name: str, constant: Constant) -> None:
        self.constants[name] = constant
        self.tensors[name] = TensorInfo(constant.dtype, constant.shape)

    def _declare(self, values: Iterable[ValueInfoProto], frame: _Frame) -> None:
        for value in values:
            name = frame.names.get(value.name)
            if name is not None and name not in self.constants:
                self.tensors[name] = tensor_info(value.type, name, self._limits)

    # Operators

    def _node(self, proto: NodeProto, frame: _Frame) -> None:
        node = resolve_references(proto, frame.bound) if frame.bound is not None else proto
        key = call_key(node)
        if key in self._functions:
            self._inline(self._functions[key], node, frame)
            return
        domain = domain_of(node.domain)
        opset = frame.opset(domain)
        if node.op_type == "Constant" and not domain:
            self._constant_node(node, frame, opset)
            return
        node_id = self._node_id(node, frame)
        where = f"node '{node_id}' ({node.op_type})"
        attributes = attributes_of(node, node_id, opset, domain, self._file)
        inputs = tuple(self._read(frame, name, where) for name in node.input)
        bodies = tuple(
            self._body(attribute.name, graph, node_id, inputs, node.op_type, frame)
            for attribute in node.attribute
            for graph in _graphs(attribute)
        )
        made = OpNode(
            node_id,
            text(node.op_type, where),
            text(domain, where),
            opset,
            attributes,
            inputs,
            tuple(frame.names[name] if name else "" for name in node.output),
            frame.body,
            bodies,
            scope_of(node),
        )
        check_bodies(made, [self.bodies[path] for path in bodies])
        self._emit(made, node)

    def _emit(self, node: OpNode, proto: NodeProto) -> None:
        if len(self.nodes) >= self._limits.nodes:
            raise LimitError(
                f"the model has more than {self._limits.nodes:,} operators; raise it with --limit nodes=N"
            )
        self.nodes.append(node)
        if proto.attribute:
            self.attribute_bytes[node.id] = _serialized(proto)

    def _body(  # noqa: PLR0913, PLR0917 - what a body is named and bound by
        self,
        attribute: str,
        graph: GraphProto,
        owner: str,
        owner_inputs: Sequence[str],
        op_type: str,
        frame: _Frame,
    ) -> str:
        path = self._unique(f"{owner}/{attribute}", self._node_ids)
        inner = self._deeper(
            _Frame(path, frame.opsets, outer=frame, bound=frame.bound, body=path, depth=frame.depth + 1)
        )
        self._initializers(graph, inner)
        inputs = self._inputs(graph, inner, f"an input of body '{path}'")
        self._operators(graph, inner)
        self._declare(graph.output, inner)
        outputs = tuple(self._output(inner, value.name, f"body '{path}'") for value in graph.output)
        self.bodies[path] = Body(
            path, owner, attribute, inputs, outputs, op_type in _ALTERNATIVES, tuple(owner_inputs), frame.body
        )
        return path

    def _deeper(self, frame: _Frame) -> _Frame:
        if frame.depth > self._limits.nesting:
            raise LimitError(
                f"bodies and functions are nested more than {self._limits.nesting} deep;"
                " raise it with --limit nesting=N"
            )
        return frame

    def _inline(self, function: FunctionProto, call: NodeProto, frame: _Frame) -> None:
        """Put a function's operators in the place of a call, under the path of the call."""
        path = self._node_id(call, frame)
        check_call(function, call, path)
        opsets = opsets_of(function.opset_import)
        inner = self._deeper(
            _Frame(
                path,
                {**frame.opsets, **opsets},
                bound=bound_attributes(function, call),
                body=frame.body,
                depth=frame.depth + 1,
            )
        )
        actual = [self._read(frame, name, f"the call '{path}'") for name in call.input]
        actual += [""] * (len(function.input) - len(actual))
        inner.names.update(zip(function.input, actual, strict=False))
        results = dict(zip(function.output, call.output, strict=False))
        for node in function.node:
            for name in node.output:
                self._define_inlined(inner, name, frame, results)
        for node in function.node:
            self._node(node, inner)
        for formal, name in results.items():
            if name and formal in function.input:
                self._emit(
                    OpNode(
                        f"{path}/{formal}",
                        "Identity",
                        "",
                        1,
                        {},
                        (inner.names[formal],),
                        (frame.names[name],),
                    ),
                    NodeProto(op_type="Identity"),
                )

    def _define_inlined(self, inner: _Frame, name: str, outer: _Frame, results: Mapping[str, str]) -> None:
        if not name:
            return
        result = results.get(name)
        if not result:
            self._define(inner, name, f"function call '{inner.path}'")
        elif name in inner.names:
            raise ModelError(f"two producers of tensor '{name}' in function call '{inner.path}'")
        else:
            inner.names[name] = outer.names[result]

    def _constant_node(self, node: NodeProto, frame: _Frame, opset: int) -> None:
        name = frame.names[node.output[0]] if node.output else ""
        if not name:
            raise ModelError("a Constant node has no output")
        attributes = attributes_of(node, name, opset, "", self._file)
        if len(attributes) != 1:
            raise ModelError(f"Constant '{name}' has {len(attributes)} values; it needs one")
        self._constant(name, _literal(name, *attributes.values()))


def _serialized(node: NodeProto) -> bytes:
    """The attributes of a node, but for its graphs, as bytes of a node that has nothing else."""
    bare = NodeProto()
    bare.attribute.extend(attribute for attribute in node.attribute if not _graphs(attribute))
    encoded: bytes = bare.SerializeToString()
    return encoded


def _graphs(attribute: AttributeProto) -> list[GraphProto]:
    if attribute.type == AttributeProto.GRAPH:
        return [attribute.g]
    return list(attribute.graphs)


def _literal(name: str, value: Any) -> Constant:
    """The value of a Constant node, whichever attribute holds it."""
    if isinstance(value, Constant):
        return Constant(name, value.dtype, value.shape, value.payload, value.stored_bytes)
    sample = value[0] if isinstance(value, list) and value else value
    if isinstance(sample, str):
        return constant_of(name, np.asarray(value, object), BY_NAME["string"])
    if isinstance(sample, float):
        return constant_of(name, np.asarray(value, np.float32), BY_NAME["float32"])
    return constant_of(name, np.asarray(value, np.int64), BY_NAME["int64"])


def tensor_info(proto: TypeProto, name: str, limits: Limits) -> TensorInfo:
    """Type and shape as the file declares them; negative dims are dims that nobody knows."""
    if not proto.HasField("tensor_type"):
        return TensorInfo(None, None)
    tensor = proto.tensor_type
    if tensor.elem_type and tensor.elem_type not in DTYPES:
        raise ModelError(f"tensor '{name}' has data type {tensor.elem_type}, which ONNX does not define")
    dtype = DTYPES.get(tensor.elem_type)
    if not tensor.HasField("shape"):
        return TensorInfo(dtype, None)
    if len(tensor.shape.dim) > limits.rank:
        raise LimitError(
            f"tensor '{name}' has {len(tensor.shape.dim):,} dims, over the limit of {limits.rank};"
            " raise it with --limit rank=N"
        )
    return TensorInfo(dtype, tuple(_dim(dim, name) for dim in tensor.shape.dim))


def _dim(dim: Any, name: str) -> Dim:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return text(dim.dim_param, f"a dim of tensor '{name}'") or None
