"""Tensors that are stored twice: one stays, and the other's readers read that, turned or scaled where it must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from nnea_graph.graph import Constant, ModelGraph
from nnea_graph.report.schema.lossless import ExactTensor
from nnea_graph.rewrite.refit.write_weights import stored_names
from nnea_graph.rewrite.surgery.edit import FREE_INITIALIZERS
from nnea_graph.rewrite.surgery.prune_indices import graphs_of, pruned
from nnea_graph.stats.duplicate_tensors import Duplicate, duplicates

VECTOR = "one number a channel: shared, it would tie the channels of its layers together"
OUTPUT = "an output of the model"
INPUT = "an input that callers may set"
BODY = "it lies in a body or a function"
OLD = "operators of this opset take no such operand"
_FLOATS = frozenset({"float16", "float32", "float64"})
_RESHAPES, _BROADCASTS = 5, 7
"""The first opsets in which Reshape is given its shape as an input, and Mul broadcasts."""


@dataclass(frozen=True, slots=True)
class MergedTensors:
    """A model in which ``gone`` tensors are others; None where none went. ``held`` ones stay, for a reason."""

    model: ModelProto | None
    gone: tuple[ExactTensor, ...]
    held: tuple[ExactTensor, ...]


def without_duplicates(graph: ModelGraph) -> MergedTensors:
    """Every tensor that another one can stand for exactly is no longer stored."""
    twins = [each for each in duplicates(graph.constants.values()) if each.exact]
    if not twins:
        return MergedTensors(None, (), ())
    model = pruned(graph, {})
    stored = stored_names(model)
    settable = {value.name for value in model.graph.input} if model.ir_version >= FREE_INITIALIZERS else set()
    reasons = {each.tensor: _held(graph, each, stored, settable) for each in twins}
    going = [each for each in twins if not reasons[each.tensor]]
    held = tuple(_told(each, reasons[each.tensor]) for each in twins if reasons[each.tensor])
    if not going:
        return MergedTensors(None, (), held)
    _join(model.graph, going, graph.constants)
    return MergedTensors(model, tuple(_told(each) for each in going), held)


def _told(twin: Duplicate, reason: str = "") -> ExactTensor:
    return ExactTensor(twin.tensor, twin.of, twin.kind, twin.bytes, reason)


def _held(graph: ModelGraph, twin: Duplicate, stored: set[str], settable: set[str]) -> str:
    """Reason why a tensor stays; "" where it can go."""
    names = (twin.tensor, twin.of)
    if not set(names) <= stored:
        return BODY
    if twin.tensor in graph.outputs:
        return OUTPUT
    if settable.intersection(names):
        return INPUT
    constant = graph.constants[twin.tensor]
    if max(constant.shape, default=1) == constant.size:
        return VECTOR
    if twin.kind == "scaled" and constant.dtype.name not in _FLOATS:
        return OLD
    least = {"reshaped": _RESHAPES, "scaled": _BROADCASTS}.get(twin.kind, 0)
    return OLD if graph.info.opsets.get("", 1) < least else ""


def _join(proto: GraphProto, twins: Sequence[Duplicate], constants: Mapping[str, Constant]) -> None:
    """Take the tensors out, and let what stands for them come before everything that reads them."""
    gone = {each.tensor for each in twins}
    for place in reversed(range(len(proto.initializer))):
        if proto.initializer[place].name in gone:
            del proto.initializer[place]
    for values in (proto.input, proto.value_info):
        for place in reversed(range(len(values))):
            if values[place].name in gone:
                del values[place]
    same = {each.tensor: each.of for each in twins if each.kind == "identical"}
    for graph in graphs_of(proto):
        for node in graph.node:
            node.input[:] = [same.get(name, name) for name in node.input]
        for output in graph.output:
            output.name = same.get(output.name, output.name)
    first = {each.of for each in twins}
    held = [node for node in proto.node if node.op_type == "Constant" and node.output[0] in first]
    made = [node for each in twins for node in _made(each, constants[each.tensor])]
    rest = [node for node in proto.node if node not in held and not gone.intersection(node.output)]
    del proto.node[:]
    proto.node.extend([*held, *made, *rest])


def _made(twin: Duplicate, constant: Constant) -> Iterator[NodeProto]:
    """Operators that make the tensor of the one that stays."""
    name, inputs = f"{twin.tensor}/shared", [twin.of]
    if twin.kind == "identical":
        return
    if twin.kind == "transposed":
        yield helper.make_node("Transpose", inputs, [twin.tensor], name=name, perm=[1, 0])
        return
    reshaped = twin.kind == "reshaped"
    operand = np.array(
        constant.shape if reshaped else twin.factor, np.int64 if reshaped else constant.dtype.name
    )
    value = numpy_helper.from_array(operand, f"{name}/operand")
    yield helper.make_node("Constant", [], [value.name], name=value.name, value=value)
    yield helper.make_node("Reshape" if reshaped else "Mul", [*inputs, value.name], [twin.tensor], name=name)
