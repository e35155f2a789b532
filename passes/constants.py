"""Finds the weights: which constant each operator really sees, what it is to the operator, and what is tied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nnea_graph.engine import Pass, RunContext
from nnea_graph.graph import Constant, Key, ModelGraph, OpNode
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.graph.source_facts import Ledger, outer
from nnea_graph.ops.call import UnknownFactError
from nnea_graph.ops.input_roles import PARAMETER_ROLES, Role, declared_role, operand_role
from nnea_graph.ops.packed_weights import Packing, packing_of
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.static.constant_folding import DerivedPayload, UnpackedPayload
from nnea_graph.static.constant_kinds import named_kind, typed_kind, valued_kind
from nnea_graph.static.result import StaticFacts, call_of
from nnea_graph.static.stored_sources import Sources, StoredSources


@dataclass(frozen=True, slots=True)
class Weight:
    """A constant that an operator reads.

    ``constant`` is what the operator sees (dequantized, unpacked, transposed); ``source`` names the stored
    tensor that it comes from. ``parameters`` are counted where the source is met first: 0 where it is tied,
    and ``tied_to`` names the operator that has them. Of a live model they are those of the module that the
    operator's first weight is of, as the framework counts them. ``reason`` tells why a constant is no parameter.
    """

    tensor: str
    role: Role
    constant: Constant
    source: str
    parameters: int
    tied_to: str = ""
    reason: str = ""


_MOST_READ = 1 << 22

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
        for node_id, weights in counter.all().items():
            graph[graph.node(node_id), WEIGHTS] = tuple(weights)


class _Counter:
    """Hands every stored tensor to the first operator that reads it."""

    def __init__(self, graph: ModelGraph, found: StaticFacts) -> None:
        self.graph = graph
        self.found = found
        self._sources = StoredSources(graph, found)
        self._left: dict[str, int] = {}
        self._owner: dict[str, str] = {}
        self._whys: dict[str, str] = {}
        self._ledger = Ledger(graph.source) if graph.source else None
        self._buffers = frozenset(each.name for each in graph.source.buffers) if graph.source else frozenset()
        self._homes: dict[str, str] = {}
        self._stand_ins = any(_is_filled_weight(graph, node) for node in graph)

    def all(self) -> dict[str, list[Weight]]:
        """The weights of every operator; what is left of a tensor that is read in part goes to its first reader."""
        found = {node.id: list(self.weights(node)) for node in self.graph}
        for weights in found.values():
            for index, weight in enumerate(weights):
                left = self._left.pop(weight.source, 0) if weight.parameters else 0
                if left:
                    weights[index] = replace(weight, parameters=weight.parameters + left)
        return found

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
        leaves = self._sources.of(tensor)
        role = self._role(node, index, constant, leaves)
        if role is None:
            return None
        source = max(leaves, key=lambda leaf: leaves[leaf])
        if role not in PARAMETER_ROLES:
            return Weight(tensor, role, constant, source, 0)
        reason = self._constant_reason(node, index, source)
        if reason:
            return Weight(tensor, Role.CONSTANT, constant, source, 0, reason=reason)
        leaves = {leaf: size for leaf, size in leaves.items() if leaf == source or not self._why(leaf)}
        if isinstance(constant.payload, UnpackedPayload):
            # A packed weight holds more numbers than its stored tensor has elements.
            leaves = {source: max(leaves[source], constant.size)}
        wanted = max(constant.size, sum(leaves.values())) if len(leaves) > 1 else constant.size
        parameters = self._of_source(node, leaves, wanted)
        if parameters is None:
            parameters = self._taken(leaves, wanted)
        owner = self._owner.setdefault(self._same(leaves) or source, node.id)
        tied = "" if parameters or owner == node.id else owner
        return Weight(tensor, role, constant, source, parameters, tied)

    def _constant_reason(self, node: OpNode, index: int, source: str) -> str:
        """Reason why an operand is a constant; of a declared weight only the source's own words tell."""
        stored = self.graph.constants.get(source)
        bytes_or_less = stored is not None and stored.dtype.kind in {"int", "uint"} and stored.dtype.bits <= 8
        if bytes_or_less or source in self._sources.dequantized:
            return ""  # quantized weights, which frameworks keep in buffers
        if (
            node.op_type == "Expand"
            and stored is not None
            and stored.size <= _MOST_READ
            and not stored.array().any()
        ):
            return "zeros that are repeated: an initial state"
        if declared_role(node.op_type, node.domain, index) is None:
            return self._why(source)
        return self._named(source) or ""

    def _named(self, leaf: str) -> str | None:
        """The word of the source or file on a tensor: why it is a constant, "" for a parameter, None if unknown."""
        if self.graph.source is not None and leaf in self.graph.source.origins:
            made_of = self.graph.source.origins[leaf]
            buffers = [name for name in made_of if name in self._buffers]
            return (
                f"of buffer '{buffers[0]}' of the source model" if made_of and buffers == [*made_of] else ""
            )
        stored = self.graph.constants.get(leaf)
        return None if stored is None else named_kind(stored)

    def _why(self, leaf: str) -> str:
        """Reason why a stored tensor is no parameter, found once."""
        if leaf not in self._whys:
            named, stored = self._named(leaf), self.graph.constants.get(leaf)
            if named is None:
                named = self._filled() if stored is None else typed_kind(stored) or valued_kind(stored)
            self._whys[leaf] = named
        return self._whys[leaf]

    def _filled(self) -> str:
        """Reason why a ConstantOfShape is no parameter: in a model whose weights are made so, it stands in for one."""
        return "" if self._stand_ins else "one value everywhere"

    def _same(self, leaves: Sources) -> str | None:
        """Name that the live model calls the tensor, which an exporter may have stored turned and as it is."""
        return self._ledger.main(leaves) if self._ledger else None

    def _of_source(self, node: OpNode, leaves: Sources, wanted: int) -> int | None:
        """Parameters as the live model counts them; None where that is not known."""
        if self._ledger is None:
            return None
        main = self._ledger.main(leaves)
        home = "" if main is None else self._homes.setdefault(node.id, outer(main))
        return self._ledger.taken(leaves, home, wanted)

    def _taken(self, leaves: Sources, wanted: int) -> int:
        """Tells how many numbers of the leaves nobody has counted yet, at most as many as wanted."""
        taken = 0
        for leaf, size in leaves.items():
            left = self._left.setdefault(leaf, size)
            share = min(left, wanted - taken)
            self._left[leaf] = left - share
            taken += share
        return taken

    def _role(self, node: OpNode, index: int, constant: Constant, leaves: Sources) -> Role | None:
        declared = declared_role(node.op_type, node.domain, index)
        if declared is Role.SETTING:
            return None
        if declared is not None:
            numeric = constant.dtype.kind in {"float", "complex"}
            gathered = node.op_type.startswith("Gather")
            return declared if numeric or not gathered else None
        if self._scales_products(node, index):
            return Role.QUANTIZATION
        if constant.dtype.kind == "bool" and constant.size > 1:
            return Role.WEIGHT
        named = any(self._named(leaf) == "" for leaf in leaves)
        if constant.dtype.kind != "float" or (constant.size < 2 and not named):
            return None
        return operand_role(node.op_type.removeprefix("QLinear"), constant.shape)

    def _scales_products(self, node: OpNode, index: int) -> bool:
        """Tells whether the operand is multiplied by the scale that DynamicQuantizeLinear gives: a scale of weights."""
        others = [name for place, name in enumerate(node.inputs) if place != index]
        maker = self.graph.producer(others[0]) if node.op_type == "Mul" and others else None
        return maker is not None and maker.op_type == "DynamicQuantizeLinear"

    def _constant(self, node: OpNode, index: int, tensor: str) -> Constant | None:
        """Constant that the operator sees: stored as it is, derived, or unpacked by the operator itself."""
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


def _is_filled_weight(graph: ModelGraph, node: OpNode) -> bool:
    makers = (
        graph.producer(name)
        for index, name in enumerate(node.inputs)
        if declared_role(node.op_type, node.domain, index) is Role.WEIGHT
    )
    return any(maker is not None and maker.op_type == "ConstantOfShape" for maker in makers)
