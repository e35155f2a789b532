"""A model without some of its groups: constants cut, sizes and attributes set right, everything else as it was.

The model's own protobuf is edited, not a copy that passes through onnx-graphsurgeon: that would lose metadata
(module scopes), doc strings, overloads and unused initializers, and break optional inputs and 4-bit constants
(tests/rewrite/test_surgery.py shows it). A model with local functions is written anew with its functions inlined,
as one function body serves calls of different sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from nnea_graph.errors import UsageError
from nnea_graph.graph import Constant, ModelGraph
from nnea_graph.graph.constants import constant_of
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.coupling.grouped_kernels import taken
from nnea_graph.rewrite.coupling.groups import Coupling, kept_axes
from nnea_graph.rewrite.coupling.index_space import Axis, Indices
from nnea_graph.rewrite.coupling.shape_arithmetic import sizes_after
from nnea_graph.rewrite.surgery.edit import EDIT_RULES, Changes, Edit, Kept, add_constants
from nnea_graph.runtime.export.initializers import inline
from nnea_graph.runtime.export.to_onnx import to_proto


@runtime_checkable
class _DeclaredSource(Protocol):
    @property
    def proto(self) -> ModelProto:
        """The model as it was declared, perhaps without its large tensors."""
        ...

    def constant(self, tensor: TensorProto, name: str) -> Constant:
        """One of its tensors, wherever its values are."""
        ...


def kept_slots(coupling: Coupling, dropped: Iterable[int]) -> Mapping[Axis, Indices]:
    """The indices that stay along every axis that loses some, by tensor and axis.

    Raises:
        UsageError: nothing would be left of an axis; ``dropped`` must leave a group of each family.
    """
    kept = dict(kept_axes(coupling, dropped))
    for (tensor, axis), stay in kept.items():
        if not len(stay):
            raise UsageError(
                f"nothing would be left of '{tensor}' along axis {axis}; keep a group of its family"
            )
    return kept


def pruned(graph: ModelGraph, kept: Kept) -> ModelProto:
    """The model with only the indices ``kept`` along these axes, all constants inside.

    Inputs, outputs, names of tensors and operators, opsets and metadata are those of the source; new constants
    (sizes, positions) have names of their own. Raise no facts: analyze the result again.
    """
    proto = _copied(graph)
    read = _read(proto.graph)
    _cut_constants(graph, proto.graph, kept)
    _edit_operators(graph, proto.graph, kept)
    _drop_constants(proto.graph, (read - _read(proto.graph)) & set(graph.constants))
    _declare(proto.graph, kept)
    return proto


def edited(graph: ModelGraph, kept: Kept) -> tuple[str, ...]:
    """The operators of which more changes than the tensors: sizes, positions, numbers of groups; by id."""
    return tuple(_edit_operators(graph, _copied(graph).graph, kept))


def _copied(graph: ModelGraph) -> ModelProto:
    source = graph.file
    if isinstance(source, _DeclaredSource) and not source.proto.functions:
        proto = ModelProto()
        proto.CopyFrom(source.proto)
        return proto
    written = to_proto(graph)
    for tensor in written.proto.graph.initializer:
        if tensor.name in written.stored:
            _put(tensor, written.stored[tensor.name])
    if isinstance(source, _DeclaredSource):
        carry_over(source.proto, written.proto)
    return written.proto


def carry_over(source: ModelProto, target: ModelProto) -> None:
    """Copies what a model says of itself."""
    for name in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        setattr(target, name, getattr(source, name))
    target.metadata_props.extend(source.metadata_props)
    target.graph.metadata_props.extend(source.graph.metadata_props)
    target.graph.name, target.graph.doc_string = source.graph.name, source.graph.doc_string


# Constants


def _cut_constants(graph: ModelGraph, proto: GraphProto, kept: Kept) -> None:
    """Every tensor of the main graph that loses indices, or whose values are still in a file."""
    axes: dict[str, dict[int, Indices]] = {}
    for (tensor, axis), stay in kept.items():
        axes.setdefault(tensor, {})[axis] = stay
    for name, tensor in _stored(proto):
        if name in axes:
            _put(tensor, cut(graph.constants[name], axes[name]))
    _cut_sparse(graph, proto, axes)
    if isinstance(graph.file, _DeclaredSource):
        for tensor in tensors_of(proto):
            if tensor.data_location == TensorProto.EXTERNAL:
                _put(tensor, graph.file.constant(tensor, tensor.name))


def _put(tensor: TensorProto, constant: Constant) -> None:
    name, doc = tensor.name, tensor.doc_string
    tensor.CopyFrom(inline(constant))
    tensor.name, tensor.doc_string = name, doc


def _stored(proto: GraphProto) -> Iterator[tuple[str, TensorProto]]:
    yield from ((tensor.name, tensor) for tensor in proto.initializer)
    for node in proto.node:
        if node.op_type == "Constant":
            yield from ((node.output[0], each.t) for each in node.attribute if each.HasField("t"))


def cut(constant: Constant, axes: Mapping[int, Indices]) -> Constant:
    """The constant with only these indices along its axes."""
    if not axes:
        return constant
    values: NDArray[Any] = constant.array()
    for axis, stay in sorted(axes.items(), reverse=True):  # groups of a kernel are told by all of its rows
        values = taken(values, stay, axis)
    return constant_of(constant.name, values, constant.dtype)


def _cut_sparse(graph: ModelGraph, proto: GraphProto, axes: Mapping[str, Mapping[int, Indices]]) -> None:
    """A sparse constant that loses indices becomes a dense one."""
    for place in reversed(range(len(proto.sparse_initializer))):
        name = proto.sparse_initializer[place].values.name
        if name in axes:
            proto.initializer.append(inline(cut(graph.constants[name], axes[name])))
            del proto.sparse_initializer[place]


def graphs_of(proto: GraphProto) -> Iterator[GraphProto]:
    """A graph and all bodies in it."""
    graphs = [proto]
    while graphs:
        graph = graphs.pop()
        yield graph
        for attribute in (each for node in graph.node for each in node.attribute):
            graphs.extend((*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])))


def tensors_of(proto: GraphProto) -> Iterator[TensorProto]:
    """Every tensor of a graph and of the bodies in it: initializers, sparse ones, attributes."""
    for graph in graphs_of(proto):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for attribute in (each for node in graph.node for each in node.attribute):
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("sparse_tensor"):
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)


# Operators


def _edit_operators(graph: ModelGraph, proto: GraphProto, kept: Kept) -> list[str]:
    """Edit in place; the ids of those that are not what they were."""
    found, changed = graph[SHAPES], []
    changes, sizes = Changes(names_of(proto)), sizes_after(graph, found, kept)
    made = {name: place for place, node in enumerate(proto.node) for name in node.output if name}
    touched = {tensor for tensor, _ in kept}
    for node in graph:
        rule = EDIT_RULES.get(node.op_type, node.domain)
        if rule is None or node.body or touched.isdisjoint((*node.inputs, *node.outputs)):
            continue
        place = made[next(name for name in node.outputs if name)]
        before = proto.node[place].SerializeToString(deterministic=True)
        rule(Edit(node, proto.node[place], place, found, kept, sizes, changes))
        if proto.node[place].SerializeToString(deterministic=True) != before:
            changed.append(node.id)
    for place in sorted(changes.before, reverse=True):
        for operator in reversed(changes.before[place]):
            proto.node.insert(place, operator)
    add_constants(proto, changes.constants, graph.info.ir_version or 0)
    return changed


def _read(proto: GraphProto) -> set[str]:
    """Tensors that operators of the graph or of its bodies read, and its outputs."""
    names = {value.name for value in proto.output}
    for graph in graphs_of(proto):
        names.update(name for node in graph.node for name in node.input)
        names.update(value.name for value in graph.output)
    return names


def _drop_constants(proto: GraphProto, names: set[str]) -> None:
    """Constants that nobody reads any more."""
    for place in reversed(range(len(proto.initializer))):
        if proto.initializer[place].name in names:
            del proto.initializer[place]
    for place in reversed(range(len(proto.input))):  # an input without its default would be asked for
        if proto.input[place].name in names:
            del proto.input[place]
    for place in reversed(range(len(proto.node))):
        if proto.node[place].op_type == "Constant" and proto.node[place].output[0] in names:
            del proto.node[place]


def names_of(proto: GraphProto) -> set[str]:
    """Tensors of the main graph."""
    names = {name for node in proto.node for name in (*node.input, *node.output)}
    names.update(tensor.name for tensor in proto.initializer)
    names.update(value.name for value in proto.input)
    return names


# Declarations


def _declare(proto: GraphProto, kept: Kept) -> None:
    """The declared lengths of axes that lose indices."""
    lengths: dict[str, dict[int, int]] = {}
    for (tensor, axis), stay in kept.items():
        lengths.setdefault(tensor, {})[axis] = stay.shape[-1]
    for value in (*proto.value_info, *proto.input):
        for axis, length in lengths.get(value.name, {}).items():
            _set_length(value, axis, length)


def _set_length(value: ValueInfoProto, axis: int, length: int) -> None:
    """A number where one is declared; what a symbol says of other sizes (4 * batch) is no longer known."""
    dims = value.type.tensor_type.shape.dim
    if axis >= len(dims):
        return
    if dims[axis].HasField("dim_param"):
        dims[axis].ClearField("dim_param")
    else:
        dims[axis].dim_value = length
