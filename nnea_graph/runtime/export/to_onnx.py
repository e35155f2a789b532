"""Writes a ModelGraph back as an ONNX model for onnxruntime: no functions, sorted, bodies nested again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, defs

from nnea_graph.errors import RunError
from nnea_graph.graph import Body, Constant, ModelGraph, OpNode, TensorInfo
from nnea_graph.runtime.export.initializers import Mappings, inline, put, referred
from nnea_graph.runtime.export.large_models import crowded

NODE_LIMIT = 100_000
"""Operators above which onnxruntime is not asked: it hangs while it makes a session of 300,000."""

_OLDEST_IR = 4  # before it, every initializer had to be an input as well


@dataclass(slots=True)
class Written:
    """A model for onnxruntime, and where its parts are for whoever adds to it.

    ``graphs`` by path of the body ("" is the main graph), ``nodes`` by id of the operator; ``arrays`` are the
    values of the large constants, which the session is given apart, and ``stored`` says where they lie.
    """

    proto: ModelProto
    graphs: dict[str, GraphProto] = field(default_factory=dict)
    nodes: dict[str, NodeProto] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    stored: dict[str, Constant] = field(default_factory=dict)


@runtime_checkable
class _HoldsProto(Protocol):
    """A source that still has the model as it was declared."""

    @property
    def proto(self) -> ModelProto:
        """The model, perhaps without its large tensors."""
        ...


def too_many(nodes: int, limit: int = NODE_LIMIT) -> str:
    """Reason why a model of so many operators is not run; "" if it may be."""
    if nodes <= limit:
        return ""
    return f"the model has {nodes:,} operators; onnxruntime is not run on more than {limit:,}"


def to_proto(graph: ModelGraph, outputs: Sequence[str] | None = None) -> Written:
    """The model; ``outputs`` are the tensors of the main graph that it gives, its own by default.

    Constants that only a body reads stand in that body, unless they are large and lie in a file.

    Raises:
        RunError: more operators than ``NODE_LIMIT``, or an operator of two versions at once.
    """
    if reason := too_many(len(graph), NODE_LIMIT):
        raise RunError(reason)
    proto = ModelProto(ir_version=max(graph.info.ir_version or _OLDEST_IR, _OLDEST_IR))
    for domain, version in _opsets(graph).items():
        proto.opset_import.add(domain=domain, version=version)
    proto.graph.name = "main"
    written = Written(proto)
    _Writer(graph, written, tuple(graph.outputs if outputs is None else outputs)).write()
    return written


def _opsets(graph: ModelGraph) -> dict[str, int]:
    """The model's operator sets and those that only inlined functions name."""
    versions = dict(graph.info.opsets)
    for node in graph:
        version = versions.setdefault(node.domain, max(node.opset, 1))
        if version != node.opset and _since(node, version) != _since(node, node.opset):
            raise RunError(
                f"node '{node.id}' ({node.op_type}) comes from a function of opset {node.opset}, the model has "
                f"{version}, and the operator changed in between; export the model without functions"
            )
    return versions


def _since(node: OpNode, version: int) -> int | None:
    """The version that defines an operator of an operator set, None where onnx defines none."""
    if not version or not defs.has(node.op_type, node.domain):
        return None
    try:
        return int(defs.get_schema(node.op_type, version, node.domain).since_version)
    except defs.SchemaError:
        return None


class _Writer:
    def __init__(self, graph: ModelGraph, written: Written, outputs: tuple[str, ...]) -> None:
        self.graph = graph
        self.written = written
        self.outputs = outputs
        self._mappings = Mappings(memory=crowded(graph.constants.values()))
        self._made: dict[str, set[str]] = {"": set(graph.inputs)}
        self._members: dict[str, list[OpNode]] = {}
        for node in graph:
            self._members.setdefault(node.body, []).append(node)
            self._made.setdefault(node.body, set()).update(node.outputs)

    def write(self) -> None:
        main = self.written.proto.graph
        self._fill("", main)
        main.input.extend(self._input(name) for name in self.graph.inputs)
        main.output.extend(value_info(name, self.graph.tensors.get(name)) for name in self.outputs)
        for name, home in self._homes().items():
            self._constant(self.graph.constants[name], home)
        for path, body in self.graph.bodies.items():
            self._finish(body, self.written.graphs[path])

    def _fill(self, path: str, proto: GraphProto) -> None:
        """The operators of one body; recursion is as deep as bodies are nested, which the reader limits."""
        self.written.graphs[path] = proto
        for node in self._members.get(path, ()):
            self._node(node, proto.node.add())
            # Some of onnxruntime's fusions need shapes that its own inference does not find.
            declared = (name for name in node.outputs if name in self.graph.tensors)
            proto.value_info.extend(value_info(name, self.graph.tensors[name]) for name in declared)

    def _node(self, node: OpNode, proto: NodeProto) -> None:
        self.written.nodes[node.id] = proto
        proto.ParseFromString(self.graph.encoded.get(node.id, b""))
        for attribute in proto.attribute:
            _put_values(attribute, node.attributes.get(attribute.name))
        proto.op_type, proto.domain, proto.name = node.op_type, node.domain, node.id
        proto.input.extend(node.inputs)
        proto.output.extend(node.outputs)
        for path in node.bodies:
            self._body(self.graph.bodies[path], proto, [self.graph.bodies[other] for other in node.bodies])

    def _body(self, body: Body, owner: NodeProto, siblings: Sequence[Body]) -> None:
        attribute = next((held for held in owner.attribute if held.name == body.attribute), None)
        attribute = attribute or owner.attribute.add(name=body.attribute)
        if sum(other.attribute == body.attribute for other in siblings) > 1:
            attribute.type = AttributeProto.GRAPHS
            proto = attribute.graphs.add()
        else:
            attribute.type = AttributeProto.GRAPH
            proto = attribute.g
        proto.name = body.path
        self._made.setdefault(body.path, set()).update(body.inputs)
        self._fill(body.path, proto)

    def _finish(self, body: Body, proto: GraphProto) -> None:
        """Inputs and outputs; what a body hands on from outside needs an operator that makes it."""
        proto.input.extend(value_info(name, self.graph.tensors.get(name)) for name in body.inputs)
        for place, name in enumerate(body.outputs):
            made = name
            if name not in self._made.get(body.path, ()):
                made = f"{body.path}//{place}"
                proto.node.add(op_type="Identity", input=[name], output=[made])
            proto.output.append(value_info(made, self.graph.tensors.get(name)))

    # Constants

    def _homes(self) -> dict[str, str]:
        """The innermost body in which all readers of a constant lie."""
        homes: dict[str, str] = {}
        for name, path in self._readers():
            if name in self.graph.constants:
                homes[name] = self._common(homes.get(name, path), path)
        return homes

    def _readers(self) -> Iterable[tuple[str, str]]:
        yield from ((name, "") for name in self.outputs)
        yield from ((name, node.body) for node in self.graph for name in node.inputs)
        yield from ((name, body.path) for body in self.graph.bodies.values() for name in body.outputs)

    def _common(self, one: str, other: str) -> str:
        if one == other:
            return one
        around = set(self._around(one))
        return next(path for path in self._around(other) if path in around)

    def _around(self, path: str) -> Iterable[str]:
        yield path
        while path:
            path = self.graph.bodies[path].outer
            yield path

    def _constant(self, constant: Constant, home: str) -> None:
        view = self._mappings.view(constant)
        if view is None:
            self._made.setdefault(home, set()).add(constant.name)
            put(self.written.graphs[home].initializer.add(), constant)
            return
        # onnxruntime takes values from outside for initializers of the main graph only.
        self._made[""].add(constant.name)
        self.written.arrays[constant.name] = view
        self.written.stored[constant.name] = constant
        self.written.proto.graph.initializer.append(referred(constant))

    def _input(self, name: str) -> ValueInfoProto:
        """Declared as in the file, where that is a sequence, a map or an optional value."""
        info = self.graph.tensors.get(name)
        source = self.graph.file
        if (info is None or info.dtype is None) and isinstance(source, _HoldsProto):
            declared = next((value for value in source.proto.graph.input if value.name == name), None)
            return ValueInfoProto(name=name, type=declared.type) if declared else ValueInfoProto(name=name)
        return value_info(name, info)


def value_info(name: str, info: TensorInfo | None) -> ValueInfoProto:
    """A declaration of a tensor, as far as its type is known."""
    proto = ValueInfoProto(name=name)
    if info is None or info.dtype is None:
        return proto
    proto.type.tensor_type.elem_type = info.dtype.code
    if info.shape is not None:
        proto.type.tensor_type.shape.SetInParent()
    for dim in info.shape or ():
        entry = proto.type.tensor_type.shape.dim.add()
        if isinstance(dim, int):
            entry.dim_value = dim
        elif dim:
            entry.dim_param = dim
    return proto


def _put_values(attribute: AttributeProto, value: Any) -> None:
    """Values of tensors that were left in a file."""
    if attribute.t.data_location == TensorProto.EXTERNAL and isinstance(value, Constant):
        name = attribute.t.name
        attribute.t.CopyFrom(inline(value))
        attribute.t.name = name
    for place, tensor in enumerate(attribute.tensors):
        if tensor.data_location == TensorProto.EXTERNAL:
            attribute.tensors[place].CopyFrom(inline(value[place]))
