"""Uses that a model does with an input: followed through everything that only moves or retypes it, into bodies too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph, OpNode, TensorInfo

_MOVES = frozenset(
    {
        "Cast",
        "Clip",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Not",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators whose first input keeps its values (or, Not, is turned round)."""

_INDEXED = {
    "Gather": {1: 0},
    "GatherElements": {1: 0},
    "GatherND": {1: 0},
    "GatherBlockQuantized": {1: 0},
    "ScatterElements": {1: 0},
    "ScatterND": {1: 0},
    "EmbedLayerNormalization": {0: 2, 1: 4, 8: 3},
}
"""Which input is an index into which other one."""

_SHAPERS = frozenset({"Identity", "Cast", "Unsqueeze", "Expand", "Reshape"})
_TYPERS = frozenset({"Identity", "Cast", "DequantizeLinear", "Mul"})
_SMALL = 1 << 16

_MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Use:
    """An operator that reads the values, at which of its inputs; ``turned`` by an odd number of Not."""

    node: OpNode
    place: int
    turned: bool = False


def uses_of(graph: ModelGraph, name: str) -> list[Use]:
    """Every use of an input's values, in the order they are found."""
    found: list[Use] = []
    waiting, seen = [(name, False)], {(name, False)}
    while waiting and len(seen) < _MOST_STEPS:
        tensor, turned = waiting.pop()
        for node in graph.consumers(tensor):
            places = [place for place, each in enumerate(node.inputs) if each == tensor]
            found += [Use(node, place, turned) for place in places]
            after = turned ^ (node.op_type == "Not")
            steps = [(each, after) for each in _carried(graph, node, tensor, places) if each]
            waiting += [step for step in steps if step not in seen]
            seen.update(steps)
    return found


def _carried(graph: ModelGraph, node: OpNode, tensor: str, places: list[int]) -> Iterator[str]:
    """Names under which the values go on after an operator, or into its bodies and out of them."""
    if (node.op_type in _MOVES and 0 in places) or node.op_type == "Concat":
        yield from node.outputs
    for path in node.bodies:
        body = graph.bodies[path]
        # Scan 8 has its sequence lengths before what it hands to the body.
        first = 1 if node.op_type == "Scan" and node.opset < 9 else 0
        pairs = zip(body.inputs, body.bound[first:], strict=False)
        yield from (inner for inner, outer in pairs if outer == tensor)
        # The first output of a Loop's body is its condition.
        made = body.outputs[1:] if node.op_type == "Loop" else body.outputs
        yield from (outer for inner, outer in zip(made, node.outputs, strict=False) if inner == tensor)


@dataclass(frozen=True, slots=True)
class KnownTensors:
    """Facts: what is known of a model's tensors: ``types`` at its dims, as far as somebody has inferred them."""

    graph: ModelGraph
    types: Mapping[str, TensorInfo]

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor; None where it is not known in numbers."""
        name = self._origin(name, _TYPERS)
        if name in self.graph.constants:
            return self.graph.constants[name].shape
        info = self.types.get(name) or self.graph.tensors.get(name)
        return info.static if info else None

    def value(self, name: str) -> NDArray[Any] | None:
        """The values of a small constant, whatever shape it is given; None where there is none."""
        constant = self.graph.constants.get(self._origin(name, _SHAPERS))
        return constant.array() if constant and 0 < constant.size <= _SMALL else None

    def _origin(self, name: str, through: frozenset[str]) -> str:
        """The constant that a tensor is made of by operators of these kinds; the tensor where there is none."""
        at = name
        for _ in range(16):
            maker = self.graph.producer(at)
            if at in self.graph.constants or maker is None or maker.op_type not in through:
                break
            at = maker.inputs[0]
        return at if at in self.graph.constants else name

    def bound(self, use: Use) -> int | None:
        """Tells how many values an index may take at this use, from 0 on; None where it is no index, or not known."""
        if use.node.op_type == "OneHot" and use.place == 0:
            depth = self.value(use.node.inputs[1])
            return int(depth.reshape(-1)[0]) if depth is not None else None
        if use.node.op_type == "Equal":
            return self._numbers(use.node.inputs[1 - use.place])
        indexed = _INDEXED.get(use.node.op_type, {}).get(use.place)
        if indexed is None or indexed >= len(use.node.inputs):
            return None
        shape = self.shape(use.node.inputs[indexed])
        if not shape:
            return None
        if use.node.op_type in {"GatherND", "ScatterND"}:
            return min(shape)
        axis = int(use.node.attributes.get("axis", use.node.attributes.get("gather_axis", 0)))
        return shape[axis] if -len(shape) <= axis < len(shape) else None

    def _numbers(self, name: str) -> int | None:
        """Tells how many whole numbers 0, 1, 2 … a constant lists, as one-hot coding without OneHot does."""
        listed = self.value(name)
        if listed is None or listed.size < 2 or listed.dtype.kind not in "iuf":
            return None
        return listed.size if np.array_equal(listed.reshape(-1), np.arange(listed.size)) else None


def is_index(use: Use) -> bool:
    """Tells whether an operator takes the values for positions in something."""
    return use.place in _INDEXED.get(use.node.op_type, {}) or (
        use.node.op_type == "OneHot" and use.place == 0
    )
