"""Constants that are computed: expressions of stored tensors, and weights that an operator unpacks by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nnea_graph.errors import ModelError
from nnea_graph.graph import Constant, ModelGraph, OpNode
from nnea_graph.graph.constants import ArrayPayload
from nnea_graph.ops.call import BadCallError, UnknownFactError
from nnea_graph.ops.packed_weights import Packing
from nnea_graph.ops.value_rules import VALUE_RULES
from nnea_graph.static.result import StaticFacts, call_of


@dataclass(frozen=True, slots=True)
class DerivedPayload:
    """The value of a constant expression, computed each time it is asked for and never kept."""

    graph: ModelGraph
    found: StaticFacts
    tensor: str

    def elements(self, start: int, stop: int) -> NDArray[Any]:
        """Evaluate the whole expression; ask for all at once (``loaded``) where it is large."""
        return evaluate(self.graph, self.found, self.tensor).reshape(-1)[start:stop]


@dataclass(frozen=True, slots=True)
class UnpackedPayload:
    """Values that an operator makes of a packed weight, computed each time it is asked for."""

    graph: ModelGraph
    found: StaticFacts
    node: OpNode
    packing: Packing

    def elements(self, start: int, stop: int) -> NDArray[Any]:
        """Unpack the whole weight; see ``DerivedPayload``."""
        values: dict[str, NDArray[Any]] = {}
        for index in self.packing.inputs:
            name = self.node.inputs[index] if index < len(self.node.inputs) else ""
            if name in self.found.constant:
                values[name] = evaluate(self.graph, self.found, name)
        try:
            whole = self.packing.unpack(call_of(self.node, self.found, values))
        except (BadCallError, UnknownFactError) as error:
            raise ModelError(f"node '{self.node.id}' ({self.node.op_type}): {error}") from error
        return whole.reshape(-1)[start:stop]


def loaded(constant: Constant) -> Constant:
    """The constant with a derived value computed once, ready to be read in pieces."""
    if not isinstance(constant.payload, DerivedPayload | UnpackedPayload):
        return constant
    return Constant(
        constant.name,
        constant.dtype,
        constant.shape,
        ArrayPayload(constant.payload.elements(0, constant.size)),
        constant.stored_bytes,
    )


def evaluate(graph: ModelGraph, found: StaticFacts, tensor: str) -> NDArray[Any]:
    """The value of a constant tensor, without recursion.

    Raises:
        ModelError: the expression contradicts itself.
    """
    values: dict[str, NDArray[Any]] = {}
    stack = [tensor]
    while stack:
        name = stack[-1]
        if name in values:
            stack.pop()
        elif name in graph.constants:
            values[name] = graph.constants[name].array()
        else:
            node = graph.producer(name)
            if node is None:
                raise ModelError(f"tensor '{name}' is not a constant")
            missing = [other for other in node.inputs if other and other not in values]
            if missing:
                stack.extend(missing)
            else:
                values |= zip(node.outputs, _results(node, found, values), strict=False)
    return values[tensor]


def _results(node: OpNode, found: StaticFacts, values: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    rule = VALUE_RULES.get(node.op_type, node.domain)
    if rule is None:
        raise ModelError(f"node '{node.id}' ({node.op_type}) cannot be evaluated")
    try:
        return rule(call_of(node, found, values))
    except (BadCallError, UnknownFactError) as error:
        raise ModelError(f"node '{node.id}' ({node.op_type}): {error}") from error
