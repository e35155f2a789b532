"""Computed shapes: the lengths of which axes their numbers are made of, and what they are when axes lose indices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.value_rules import VALUE_RULES
from nnea_graph.rewrite.coupling.index_space import Axis, Indices
from nnea_graph.static.result import StaticFacts, call_of

Numbers = NDArray[Any]

MOVES = {"Cast", "Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze"}
MOVES |= {"Tile", "Transpose", "Unsqueeze"}
"""Operators that hand sizes on as they are; their other inputs are positions and shapes."""

TARGETS = {
    ("Reshape", 1),
    ("Expand", 1),
    ("ConstantOfShape", 0),
    ("Tile", 1),
    ("Resize", 3),
    ("Upsample", 1),
    ("Slice", 1),
    ("Slice", 2),
    ("Split", 1),
    ("Pad", 1),
    ("Shape", 0),
    ("Size", 0),
}
"""Inputs that are shapes: the rewriting sets them right itself."""


@dataclass
class Origins:
    """Origins of small tensors made of sizes, a number for each element; 0 is one that depends on no size.

    ``table[number]`` are the axes whose lengths the element depends on.
    """

    numbers: dict[str, Numbers] = field(default_factory=dict)
    table: list[frozenset[Axis]] = field(default_factory=lambda: [frozenset()])
    _known: dict[frozenset[Axis], int] = field(default_factory=dict)

    def number(self, axes: frozenset[Axis]) -> int:
        """The number of such an origin."""
        if axes not in self._known:
            self._known[axes] = len(self.table)
            self.table.append(axes)
        return self._known[axes]

    def axes(self, tensor: str) -> frozenset[Axis]:
        """All axes that a tensor depends on."""
        numbers = self.numbers.get(tensor)
        if numbers is None:
            return frozenset()
        return frozenset(axis for number in set(numbers.reshape(-1).tolist()) for axis in self.table[number])


def size_origins(graph: ModelGraph, found: StaticFacts) -> Origins:
    """Follow every length from the Shape operators on."""
    origins = Origins()
    for node in graph:
        if node.op_type in {"Shape", "Size"}:
            _begin(origins, node, found)
        elif any(name in origins.numbers for name in node.inputs):
            _follow(origins, node, found)
    return origins


def _begin(origins: Origins, node: OpNode, found: StaticFacts) -> None:
    info = found.types.get(node.inputs[0])
    if info is None or info.shape is None:
        return
    axes = [(node.inputs[0], axis) for axis in range(len(info.shape))]
    if node.op_type == "Size":
        origins.numbers[node.outputs[0]] = np.array(origins.number(frozenset(axes)))
        return
    listed = [origins.number(frozenset([axis])) for axis in axes]
    start, end = int(node.attributes.get("start", 0)), node.attributes.get("end")
    origins.numbers[node.outputs[0]] = np.array(listed[slice(start, end)], np.int64)


def _follow(origins: Origins, node: OpNode, found: StaticFacts) -> None:
    """Move the numbers as the operator moves the sizes, or take them all together where it calculates."""
    moved = _moved(origins, node, found) if node.op_type in MOVES else None
    if moved is not None:
        origins.numbers |= zip(node.outputs, moved, strict=False)
        return
    axes = frozenset(axis for name in node.inputs for axis in origins.axes(name))
    for name in node.outputs:
        info = found.types.get(name)
        if name and axes and name in found.values and info is not None and info.static is not None:
            origins.numbers[name] = np.full(info.static, origins.number(axes))


def _moved(origins: Origins, node: OpNode, found: StaticFacts) -> list[Numbers] | None:
    data = node.inputs if node.op_type == "Concat" else node.inputs[:1]
    if any(name in origins.numbers for name in node.inputs if name not in data):
        return None
    call = call_of(node, found)
    values = list(call.values)
    for place, name in enumerate(data):
        numbers = origins.numbers.get(name)
        if numbers is None and values[place] is not None:
            numbers = np.zeros_like(values[place], np.int64)
        values[place] = numbers
    moved = _evaluated(call, values)
    return None if moved is None else [result.astype(np.int64) for result in moved]


def _evaluated(call: OpCall, values: Sequence[Numbers | None]) -> Sequence[Numbers] | None:
    rule = VALUE_RULES.get(call.op_type, call.domain)
    try:
        return None if rule is None else rule(replace(call, values=tuple(values)))
    except (UnknownFactError, BadCallError):
        return None


def sizes_after(
    graph: ModelGraph, found: StaticFacts, kept: Mapping[Axis, Indices]
) -> Mapping[str, Numbers | None]:
    """Sizes that the tensors made of sizes are once the axes have only the indices ``kept``; None is not known."""
    sizes: dict[str, Numbers | None] = {}
    for node in graph:
        if node.body:
            continue
        results: Sequence[Numbers] | None = None
        if node.op_type in {"Shape", "Size"}:
            results = _measured(node, found, kept)
        elif not any(name in sizes for name in node.inputs):
            continue
        elif all(sizes.get(name, 0) is not None for name in node.inputs):
            call = call_of(node, found)
            values = [sizes.get(name, known) for name, known in zip(node.inputs, call.values, strict=False)]
            results = _evaluated(call, values)
        for place, name in enumerate(node.outputs):
            sizes[name] = None if results is None else results[place]
    return sizes


def _measured(node: OpNode, found: StaticFacts, kept: Mapping[Axis, Indices]) -> list[Numbers] | None:
    name, info = node.inputs[0], found.types.get(node.inputs[0])
    if info is None or info.static is None:
        return None
    dims = [
        kept[name, axis].shape[-1] if (name, axis) in kept else dim for axis, dim in enumerate(info.static)
    ]
    if node.op_type == "Size":
        return [np.array(prod(dims))]
    start, end = int(node.attributes.get("start", 0)), node.attributes.get("end")
    return [np.array(dims[slice(start, end)], np.int64)]


def sizes_used(graph: ModelGraph, found: StaticFacts) -> Iterator[tuple[Axis, str]]:
    """Axes whose length is more than a shape: some operator, whose id comes with it, computes with it."""
    origins = size_origins(graph, found)
    if not origins.numbers:
        return
    ends = set(graph.outputs)
    for node in graph:
        for place, name in enumerate(node.inputs):
            if name not in origins.numbers or (node.op_type, place) in TARGETS:
                continue
            if not _handed_on(origins, node):
                yield from ((axis, node.id) for axis in sorted(origins.axes(name)))
    for name in sorted(ends & set(origins.numbers)):
        yield from ((axis, "output of the model") for axis in sorted(origins.axes(name)))


def _handed_on(origins: Origins, node: OpNode) -> bool:
    return all(name in origins.numbers for name in node.outputs if name)
