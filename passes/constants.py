"""Finds the weights: which constant each operator really sees, what it is to the operator, and what is tied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnea_graph.engine import Pass, RunContext
from nnea_graph.graph import Constant, Key, ModelGraph, OpNode
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.graph.source_facts import Ledger, outer
from nnea_graph.ops.call import UnknownFactError
from nnea_graph.ops.input_roles import PARAMETER_ROLES, Role, declared_role, operand_role
from nnea_graph.ops.packed_weights import Packing, packing_of
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.static.constant_folding import DerivedPayload, UnpackedPayload
from nnea_graph.static.result import StaticFacts, call_of


@dataclass(frozen=True, slots=True)
class Weight:
    """A constant that an operator reads.

    ``constant`` is what the operator sees (dequantized, unpacked, transposed); ``source`` names the stored
    tensor that it comes from. ``parameters`` are counted where the source is met first: 0 where it is tied,
    and ``tied_to`` names the operator that has them. Of a live model they are those of the module that the
    operator's first weight is of, as the framework counts them.
    """

    tensor: str
    role: Role
    constant: Constant
    source: str
    parameters: int
    tied_to: str = ""


WEIGHTS = Key[tuple[Weight, ...]]("weights")
"""The constants of each operator that are more than settings."""


@dataclass(frozen=True)
class ConstantsPass(Pass):
    """Follows constants through the operators that only reshape, convert or scale them."""

    name = "constants"
    requires = (SHAPES,)
    provides = (WEIGHTS,)

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Give each operator its weights; those that fold away own none."""
        counter = _Counter(graph, graph[SHAPES])
        for node in graph:
            graph[node, WEIGHTS] = tuple(counter.weights(node))


Leaves = dict[str, int]
"""Stored tensors and their elements."""

_JOINS = frozenset({"Concat"})


class _Counter:
    """Hands every stored tensor to the first operator that reads it."""

    def __init__(self, graph: ModelGraph, found: StaticFacts) -> None:
        self.graph = graph
        self.found = found
        self._left: dict[str, int] = {}
        self._owner: dict[str, str] = {}
        self._found_leaves: dict[str, Leaves] = {}
        self._ledger = Ledger(graph.source) if graph.source else None
        self._homes: dict[str, str] = {}

    def weights(self, node: OpNode) -> Iterator[Weight]:
        if node.outputs and all(name in self.found.constant for name in node.outputs if name):
            return
        for index, tensor in enumerate(node.inputs):
            if tensor in self.found.constant:
                weight = self._weight(node, index, tensor)
                if weight is not None:
                    yield weight

    def _weight(self, node: OpNode, index: int, tensor: str) -> Weight | None:
        constant = self._constant(node, index, tensor)
        if constant is None:
            return None
        role = self._role(node, index, constant)
        if role is None:
            return None
        leaves = self._leaves(tensor)
        source = max(leaves, key=lambda leaf: leaves[leaf])
        if role not in PARAMETER_ROLES:
            return Weight(tensor, role, constant, source, 0)
        if isinstance(constant.payload, UnpackedPayload):
            # A packed weight holds more numbers than its stored tensor has elements.
            leaves = {source: max(leaves[source], constant.size)}
        parameters = self._of_source(node, leaves, constant.size)
        if parameters is None:
            parameters = self._taken(leaves, constant.size)
        owner = self._owner.setdefault(self._same(leaves) or source, node.id)
        tied = "" if parameters or owner == node.id else owner
        return Weight(tensor, role, constant, source, parameters, tied)

    def _same(self, leaves: Leaves) -> str | None:
        """What the live model calls the tensor, which an exporter may have stored turned and as it is."""
        return self._ledger.main(leaves) if self._ledger else None

    def _of_source(self, node: OpNode, leaves: Leaves, wanted: int) -> int | None:
        """Parameters as the live model counts them; None where that is not known."""
        if self._ledger is None:
            return None
        main = self._ledger.main(leaves)
        home = "" if main is None else self._homes.setdefault(node.id, outer(main))
        return self._ledger.taken(leaves, home, wanted)

    def _taken(self, leaves: Leaves, wanted: int) -> int:
        """How many numbers of the leaves nobody has counted yet, at most as many as wanted."""
        taken = 0
        for leaf, size in leaves.items():
            left = self._left.setdefault(leaf, size)
            share = min(left, wanted - taken)
            self._left[leaf] = left - share
            taken += share
        return taken

    def _role(self, node: OpNode, index: int, constant: Constant) -> Role | None:
        declared = declared_role(node.op_type, node.domain, index)
        if declared is Role.SETTING:
            return None
        if declared is not None:
            numeric = constant.dtype.kind in {"float", "complex"}
            gathered = node.op_type.startswith("Gather")
            return declared if numeric or not gathered else None
        if constant.dtype.kind != "float" or constant.size < 2:
            return None
        return operand_role(node.op_type, constant.shape)

    def _constant(self, node: OpNode, index: int, tensor: str) -> Constant | None:
        """What the operator sees: stored as it is, derived, or unpacked by the operator itself."""
        packing = packing_of(node.op_type, node.domain)
        if packing is not None and packing.index == index:
            return self._unpacked(node, tensor, packing)
        stored = self.graph.constants.get(tensor)
        if stored is not None:
            return stored
        info = self.found.types.get(tensor)
        if info is None or info.static is None or info.dtype is None:
            return None
        payload = DerivedPayload(self.graph, self.found, tensor)
        return Constant(tensor, info.dtype, info.static, payload, 0)

    def _unpacked(self, node: OpNode, tensor: str, packing: Packing) -> Constant | None:
        try:
            shape = packing.shape(call_of(node, self.found, {}))
        except UnknownFactError:
            return None
        payload = UnpackedPayload(self.graph, self.found, node, packing)
        return Constant(tensor, BY_NAME["float32"], shape, payload, 0)

    def _leaves(self, tensor: str) -> Leaves:
        """The stored tensors whose numbers the tensor holds, without recursion."""
        stack = [tensor]
        while stack:
            name = stack[-1]
            pending = [] if name in self._found_leaves else self._made_of(name)
            pending = [other for other in pending if other not in self._found_leaves]
            if pending:
                stack.extend(pending)
                continue
            self._found_leaves.setdefault(name, self._gathered(name))
            stack.pop()
        return self._found_leaves[tensor]

    def _made_of(self, name: str) -> list[str]:
        node = self.graph.producer(name)
        stored = self._leaf_size(name) is not None
        return [] if stored or node is None else [other for other in node.inputs if other]

    def _gathered(self, name: str) -> Leaves:
        """All that a join puts side by side; elsewhere the largest operand: the others scale or shift it."""
        size = self._leaf_size(name)
        if size is not None:
            return {name: size}
        node = self.graph.producer(name)
        parts = [self._found_leaves[other] for other in self._made_of(name)]
        if node is None or not parts:
            return {name: 0}
        if node.op_type in _JOINS:
            return {leaf: size for part in parts for leaf, size in part.items()}
        return max(parts, key=lambda part: sum(part.values()))

    def _leaf_size(self, name: str) -> int | None:
        stored = self.graph.constants.get(name)
        if stored is not None:
            return stored.size
        node = self.graph.producer(name)
        if node is not None and node.op_type == "ConstantOfShape":
            info = self.found.types.get(name)
            return int(np.prod(info.static)) if info and info.static is not None else 0
        return None
