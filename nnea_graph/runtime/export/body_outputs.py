"""Carries small values out of the bodies of If, Loop and Scan: added up over trips, zeros where nothing ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, helper

from nnea_graph.graph import Body, ModelGraph, OpNode
from nnea_graph.runtime.export.node_emitter import Emitter


@dataclass(frozen=True, slots=True)
class Export:
    """A value of a body. ``join`` is the operator that joins it with that of earlier trips, "" keeps the last.

    ``zeros`` is what it is where nothing ran; its shape is the value's, or () where that is not known.
    ``key`` is the name that it is asked for by.
    """

    key: str
    tensor: str
    join: str
    zeros: NDArray[Any]


def unreachable(graph: ModelGraph, path: str) -> str:
    """Reason why nothing can be carried out of a body; "" if it can."""
    while path:
        owner = graph.node(graph.bodies[path].owner)
        if owner.domain or owner.op_type not in _CARRIERS:
            return f"it lies in a body of {owner.op_type}, out of which nothing is carried"
        if owner.op_type == "Scan" and owner.opset < 9:
            return "it lies in a Scan of opset 8, out of which nothing is carried"
        path = graph.bodies[path].outer
    return ""


def carry_out(graph: ModelGraph, emitter: Emitter, exports: dict[str, list[Export]]) -> dict[str, str]:
    """Names in the main graph of the values exported by each body (by its path), by key."""
    waiting = {path: list(found) for path, found in exports.items()}
    # Operators stand behind those in their bodies, so inner bodies have handed on before outer ones do.
    for node in graph:
        paths = [path for path in node.bodies if waiting.get(path)]
        if not paths:
            continue
        handed = _CARRIERS[node.op_type](graph, emitter, node, {path: waiting.pop(path) for path in paths})
        waiting.setdefault(node.body, []).extend(handed)
    return {export.key: export.tensor for export in waiting.get("", ())}


def _through_if(
    _: ModelGraph, emitter: Emitter, node: OpNode, exports: dict[str, list[Export]]
) -> list[Export]:
    """Each value becomes an output of the If; the other branches give zeros in its place."""
    proto = emitter.written.nodes[node.id]
    handed: list[Export] = []
    for source, found in exports.items():
        for export in found:
            for path in node.bodies:
                zeros = emitter.constant(export.zeros)
                # What a branch gives, an operator of its own must make.
                made = export.tensor if path == source else emitter.op(path, "Identity", [zeros])
                # Without a shape: the branches need not agree on it.
                kind = helper.np_dtype_to_tensor_dtype(export.zeros.dtype)
                emitter.written.graphs[path].output.append(helper.make_tensor_value_info(made, kind, None))
            proto.output.append(emitter.fresh())
            handed.append(Export(export.key, proto.output[-1], export.join, export.zeros))
    return handed


def _through_loop(
    graph: ModelGraph, emitter: Emitter, node: OpNode, exports: dict[str, list[Export]]
) -> list[Export]:
    """Each value becomes one that the Loop carries from trip to trip."""
    body = graph.bodies[node.bodies[0]]
    proto = emitter.written.nodes[node.id]
    while len(proto.input) < 2:
        proto.input.append("")
    carried = len(body.inputs) - 2
    return _through_states(
        emitter, body, proto, exports[body.path], _StatePlaces(carried + 2, carried + 1, carried, carried + 2)
    )


def _through_scan(
    graph: ModelGraph, emitter: Emitter, node: OpNode, exports: dict[str, list[Export]]
) -> list[Export]:
    """Each value becomes a state of the Scan."""
    body = graph.bodies[node.bodies[0]]
    proto = emitter.written.nodes[node.id]
    states = len(body.inputs) - int(node.attributes["num_scan_inputs"])
    return _through_states(
        emitter, body, proto, exports[body.path], _StatePlaces(states, states, states, states)
    )


@dataclass(frozen=True, slots=True)
class _StatePlaces:
    """Places where further states stand among a body's inputs and outputs and its owner's outputs and inputs."""

    body_input: int
    body_output: int
    owner_output: int
    owner_input: int


def _through_states(
    emitter: Emitter, body: Body, owner: NodeProto, exports: Sequence[Export], places: _StatePlaces
) -> list[Export]:
    graph = emitter.written.graphs[body.path]
    results = [emitter.fresh() for _ in exports]
    formals = [emitter.fresh() for _ in exports]
    ends = [
        emitter.op(body.path, export.join, [formal, export.tensor])
        if export.join
        else emitter.op(body.path, "Identity", [export.tensor])
        for export, formal in zip(exports, formals, strict=True)
    ]
    _insert_values(graph, "input", places.body_input, formals, exports)
    _insert_values(graph, "output", places.body_output, ends, exports)
    _insert(owner.input, places.owner_input, [emitter.constant(export.zeros) for export in exports])
    # Outputs that nobody asked for may be missing at the end.
    owner.output.extend([""] * (places.owner_output - len(owner.output)))
    _insert(owner.output, places.owner_output, results)
    return [
        Export(export.key, result, export.join, export.zeros)
        for export, result in zip(exports, results, strict=True)
    ]


def _insert(names: Any, place: int, more: Sequence[str]) -> None:
    names[:] = [*names[:place], *more, *names[place:]]


def _insert_values(
    graph: GraphProto, field: str, place: int, names: Sequence[str], exports: Sequence[Export]
) -> None:
    values = getattr(graph, field)
    kept = list(values)
    more = [_declared(name, export) for name, export in zip(names, exports, strict=True)]
    # Copies first: a message that is taken out of its list loses its contents.
    copies = [type(value).FromString(value.SerializeToString()) for value in kept]
    del values[:]
    values.extend([*copies[:place], *more, *copies[place:]])


def _declared(name: str, export: Export) -> Any:
    """Value with the shape only where that is known: () stands for one that is not."""
    shape = export.zeros.shape or None
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(export.zeros.dtype), shape)


_CARRIERS = {"If": _through_if, "Loop": _through_loop, "Scan": _through_scan}
