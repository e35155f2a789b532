"""A model's graph, bodies and inlined functions as one flat list of operators with names of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, ValueInfoProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.onnx.attributes import attributes_of
from nnea_graph.frontends.onnx.file import OnnxFile, text
from nnea_graph.frontends.onnx.functions import (
    FunctionKey,
    bound_attributes,
    call_key,
    check_call,
    domain_of,
    opsets_of,
    resolve_references,
)
from nnea_graph.frontends.onnx.module_scopes import scope_of
from nnea_graph.frontends.onnx.scoped_names import Frame, ScopedNames
from nnea_graph.frontends.onnx.subgraph_checks import check_bodies
from nnea_graph.frontends.onnx.value_info import literal, tensor_info
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import Body, Constant, OpNode, TensorInfo

_ALTERNATIVES = frozenset({"If"})


class Flattener:
    """Collects operators, tensors, constants and bodies while it walks the protobuf once.

    ``modules`` are those of the source that share each initializer, where they are known.
    """

    def __init__(
        self,
        file: OnnxFile,
        functions: Mapping[FunctionKey, FunctionProto],
        limits: Limits,
        modules: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.nodes: list[OpNode] = []
        self.attribute_bytes: dict[str, bytes] = {}
        self.tensors: dict[str, TensorInfo] = {}
        self.constants: dict[str, Constant] = {}
        self.bodies: dict[str, Body] = {}
        self.inputs: tuple[str, ...] = ()
        self.outputs: tuple[str, ...] = ()
        self._file = file
        self._functions = functions
        self._limits = limits
        self._modules = modules
        self._names = ScopedNames()

    @property
    def renamed(self) -> list[str]:
        """The operators whose names were taken."""
        return self._names.renamed

    def main(self, graph: GraphProto, opsets: Mapping[str, int]) -> None:
        """Flatten the main graph."""
        frame = Frame("", opsets)
        self._initializers(graph, frame)
        self.inputs = self._inputs(graph, frame, "an input of the graph")
        self._operators(graph, frame)
        self._declare(graph.output, frame)
        self.outputs = tuple(self._names.output(frame, value.name, "the graph") for value in graph.output)

    def _inputs(self, graph: GraphProto, frame: Frame, by: str) -> tuple[str, ...]:
        """Those without a default of their own: one that has an initializer is a constant."""
        defaults = frozenset(frame.names)
        inputs = [
            self._names.define(frame, value.name, by) for value in graph.input if value.name not in defaults
        ]
        self._declare(graph.input, frame)
        return tuple(inputs)

    def _operators(self, graph: GraphProto, frame: Frame) -> None:
        """Names first, so that operators may stand in any order."""
        for node in graph.node:
            for name in node.output:
                if name:
                    self._names.define(frame, name, f"operator '{node.name or node.op_type}'")
        self._declare(graph.value_info, frame)
        for node in graph.node:
            self._node(node, frame)

    # Constants and declarations

    def _initializers(self, graph: GraphProto, frame: Frame) -> None:
        for tensor in graph.initializer:
            name = self._names.define(frame, tensor.name, "initializer")
            self._constant(name, self._file.constant(tensor, name))
        for sparse in graph.sparse_initializer:
            name = self._names.define(frame, sparse.values.name, "sparse initializer")
            self._constant(name, self._file.sparse_constant(sparse, name))

    def _constant(self, name: str, constant: Constant) -> None:
        self.constants[name] = constant
        self.tensors[name] = TensorInfo(constant.dtype, constant.shape)

    def _declare(self, values: Iterable[ValueInfoProto], frame: Frame) -> None:
        for value in values:
            name = frame.names.get(value.name)
            if name is not None and name not in self.constants:
                self.tensors[name] = tensor_info(value.type, name, self._limits)

    # Operators

    def _node(self, proto: NodeProto, frame: Frame) -> None:
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
        node_id = self._names.node_id(node, frame)
        where = f"node '{node_id}' ({node.op_type})"
        attributes = attributes_of(node, node_id, opset, domain, self._file)
        inputs = tuple(self._names.read(frame, name, where) for name in node.input)
        bodies = tuple(
            self._body(attribute.name, graph, node_id, inputs, node.op_type, frame)
            for attribute in node.attribute
            for graph in graphs_of(attribute)
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
            scope_of(node, self._modules),
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
        frame: Frame,
    ) -> str:
        path = self._names.body_path(f"{owner}/{attribute}")
        inner = self._deeper(
            Frame(path, frame.opsets, outer=frame, bound=frame.bound, body=path, depth=frame.depth + 1)
        )
        self._initializers(graph, inner)
        inputs = self._inputs(graph, inner, f"an input of body '{path}'")
        self._operators(graph, inner)
        self._declare(graph.output, inner)
        outputs = tuple(self._names.output(inner, value.name, f"body '{path}'") for value in graph.output)
        self.bodies[path] = Body(
            path, owner, attribute, inputs, outputs, op_type in _ALTERNATIVES, tuple(owner_inputs), frame.body
        )
        return path

    def _deeper(self, frame: Frame) -> Frame:
        if frame.depth > self._limits.nesting:
            raise LimitError(
                f"bodies and functions are nested more than {self._limits.nesting} deep;"
                " raise it with --limit nesting=N"
            )
        return frame

    def _inline(self, function: FunctionProto, call: NodeProto, frame: Frame) -> None:
        """Put a function's operators in the place of a call, under the path of the call."""
        path = self._names.node_id(call, frame)
        check_call(function, call, path)
        opsets = opsets_of(function.opset_import)
        inner = self._deeper(
            Frame(
                path,
                {**frame.opsets, **opsets},
                bound=bound_attributes(function, call),
                body=frame.body,
                depth=frame.depth + 1,
            )
        )
        actual = [self._names.read(frame, name, f"the call '{path}'") for name in call.input]
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

    def _define_inlined(self, inner: Frame, name: str, outer: Frame, results: Mapping[str, str]) -> None:
        if not name:
            return
        result = results.get(name)
        if not result:
            self._names.define(inner, name, f"function call '{inner.path}'")
        elif name in inner.names:
            raise ModelError(f"two producers of tensor '{name}' in function call '{inner.path}'")
        else:
            inner.names[name] = outer.names[result]

    def _constant_node(self, node: NodeProto, frame: Frame, opset: int) -> None:
        name = frame.names[node.output[0]] if node.output else ""
        if not name:
            raise ModelError("a Constant node has no output")
        attributes = attributes_of(node, name, opset, "", self._file)
        if len(attributes) != 1:
            raise ModelError(f"Constant '{name}' has {len(attributes)} values; it needs one")
        self._constant(name, literal(name, *attributes.values()))


def _serialized(node: NodeProto) -> bytes:
    """The attributes of a node, but for its graphs, as bytes of a node that has nothing else."""
    bare = NodeProto()
    bare.attribute.extend(attribute for attribute in node.attribute if not graphs_of(attribute))
    encoded: bytes = bare.SerializeToString()
    return encoded


def graphs_of(attribute: AttributeProto) -> list[GraphProto]:
    """The graphs that an attribute holds."""
    if attribute.type == AttributeProto.GRAPH:
        return [attribute.g]
    return list(attribute.graphs)
