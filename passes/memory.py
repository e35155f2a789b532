"""Finds the most memory that activations take at once, by liveness over the execution order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnea_graph.engine import Pass, RunContext
from nnea_graph.graph import Key, ModelGraph, OpNode
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.static.cost_counting import nbytes
from nnea_graph.static.result import StaticFacts

_VIEWS = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""Operators whose output shares its input's buffer."""


@dataclass(frozen=True, slots=True)
class Memory:
    """``peak_bytes`` of activations (inputs and outputs included), at the operator ``peak_node``.

    ``unknown`` tensors have no known size and are left out; ``weight_bytes`` is what constants take as stored.
    ``live`` are the bytes of activations while each operator runs, by its id.
    """

    peak_bytes: int
    peak_node: str
    unknown: int
    weight_bytes: int
    live: Mapping[str, int]


MEMORY = Key[Memory]("memory")


@dataclass(frozen=True)
class MemoryPass(Pass):
    """A tensor lives from the operator that makes it to the last one that reads it."""

    name = "memory"
    requires = (SHAPES,)
    provides = (MEMORY,)

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Walk the order once, adding what is made and taking away what nobody reads any more."""
        live, unknown = live_activations(graph, graph[SHAPES])
        place = max(live, key=live.__getitem__, default="")
        stored = sum(constant.stored_bytes for constant in graph.constants.values())
        graph[MEMORY] = Memory(live.get(place, 0), place, unknown, stored, live)


def live_activations(graph: ModelGraph, found: StaticFacts) -> tuple[dict[str, int], int]:
    """Bytes that are live while each operator runs, in execution order, and how many tensors have no known size."""
    buffers = _buffers(graph, found)
    last = _last_reads(graph, buffers)
    alive: dict[str, int] = {}
    unknown: set[str] = set()
    live: dict[str, int] = {}

    def make(tensor: str) -> int:
        buffer = buffers.get(tensor, tensor)
        size = nbytes(found.types.get(buffer))
        if size is None:
            unknown.add(buffer)
        if buffer in alive or size is None:
            return 0
        alive[buffer] = size
        return size

    now = sum(make(name) for name in graph.inputs)
    for node in graph:
        now += sum(make(name) for name in node.outputs if name and name not in found.constant)
        live[node.id] = now
        now -= sum(alive.pop(buffer, 0) for buffer in last.get(node.id, ()))
    return live, len(unknown)


def _buffers(graph: ModelGraph, found: StaticFacts) -> dict[str, str]:
    """The buffer of each tensor that is only a view of another."""
    buffers: dict[str, str] = {}
    for node in graph:
        if node.op_type in _VIEWS and node.inputs and node.inputs[0] not in found.constant:
            buffers[node.outputs[0]] = buffers.get(node.inputs[0], node.inputs[0])
    return buffers


def _last_reads(graph: ModelGraph, buffers: dict[str, str]) -> dict[str, list[str]]:
    """The buffers that nobody reads after an operator. Outputs of the graph are kept."""
    last: dict[str, str] = {}
    for node in graph:
        for name in _touched(graph, node):
            last[buffers.get(name, name)] = node.id
    for name in graph.outputs:
        last.pop(buffers.get(name, name), None)
    ends: dict[str, list[str]] = {}
    for buffer, node_id in last.items():
        ends.setdefault(node_id, []).append(buffer)
    return ends


def _touched(graph: ModelGraph, node: OpNode) -> list[str]:
    """Tensors that an operator reads, and what it makes (which may never be read)."""
    return [*graph.reads(node), *(name for name in node.outputs if name)]
