"""Finds the stored tensors that a constant takes its numbers from: data, not the indices and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.static.result import StaticFacts

Sources = dict[str, int]
"""Stored tensors and their elements, the one that holds most of the numbers first."""

_FIRST_ONLY = frozenset(
    {
        "Cast",
        "CastLike",
        "Clip",
        "Compress",
        "CumSum",
        "DepthToSpace",
        "DequantizeLinear",
        "Expand",
        "Flatten",
    }
    | {"Gather", "GatherBlockQuantized", "GatherElements", "GatherND", "Identity", "Pad", "QuantizeLinear"}
    | {"Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Trilu"}
    | {"Unsqueeze", "Upsample"}
)
"""Operators whose numbers are those of their first input; the others tell where, how many or by how much."""

_NOT_FIRST = frozenset({"Where"})
"""Operators whose first input only chooses among the others."""

_NUMBERS = frozenset({"float", "complex"})


class StoredSources:
    """Follows constants back to what is stored; every answer is found once.

    ``dequantized`` are the stored tensors met behind a DequantizeLinear.
    """

    def __init__(self, graph: ModelGraph, found: StaticFacts) -> None:
        self._graph = graph
        self._found = found
        self._known: dict[str, Sources] = {}
        self.dequantized: set[str] = set()

    def of(self, tensor: str) -> Sources:
        """The stored tensors whose numbers a constant tensor holds, without recursion."""
        stack = [tensor]
        while stack:
            name = stack[-1]
            pending = [] if name in self._known else self._operands(name)
            pending = [other for other in pending if other not in self._known]
            if pending:
                stack.extend(pending)
                continue
            self._known.setdefault(name, self._gathered(name))
            stack.pop()
        return self._known[tensor]

    def _operands(self, name: str) -> list[str]:
        node = self._graph.producer(name)
        if node is None or self._size(name) is not None:
            return []
        operands = [other for other in _data_inputs(node) if other]
        if self._is_number(name):
            return [other for other in operands if self._is_number(other)] or operands
        return operands

    def _gathered(self, name: str) -> Sources:
        size = self._size(name)
        if size is not None:
            return {name: size}
        parts = sorted(
            (self._known[other] for other in self._operands(name)), key=lambda part: -sum(part.values())
        )
        if not parts:
            return {name: 0}
        node = self._graph.producer(name)
        if node is not None and node.op_type == "DequantizeLinear":
            self.dequantized.update(parts[0])
        if any(self._is_quantized(leaf) for leaf in parts[0]):
            return parts[0]  # the others scale or shift it
        return {leaf: size for part in parts for leaf, size in part.items() if part is parts[0] or size > 1}

    def _size(self, name: str) -> int | None:
        """Elements of a tensor that nothing is computed for; None of a computed one."""
        stored = self._graph.constants.get(name)
        if stored is not None:
            return stored.size
        node = self._graph.producer(name)
        if node is not None and node.op_type == "ConstantOfShape":
            info = self._found.types.get(name)
            return prod(info.static) if info and info.static is not None else 0
        return None

    def _is_quantized(self, leaf: str) -> bool:
        stored = self._graph.constants.get(leaf)
        return stored is not None and stored.dtype.kind in {"int", "uint"}

    def _is_number(self, name: str) -> bool:
        info = self._found.types.get(name)
        return info is not None and info.dtype is not None and info.dtype.kind in _NUMBERS


def _data_inputs(node: OpNode) -> Sequence[str]:
    if node.op_type in _FIRST_ONLY:
        return node.inputs[:1]
    return node.inputs[1:] if node.op_type in _NOT_FIRST else node.inputs
