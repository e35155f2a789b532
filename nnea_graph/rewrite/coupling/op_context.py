"""Site: one operator on the draft of a coupling, and the table of rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nnea_graph.graph import OpNode
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.registry import Registry
from nnea_graph.rewrite.coupling.constraints import CouplingChoice, CouplingConstraints, Option
from nnea_graph.rewrite.coupling.index_space import Axis


class NotFollowedError(Exception):
    """An operator that cannot be followed; all of its tensors stay whole, for this reason."""


@dataclass(frozen=True, slots=True)
class CouplingContext:
    """An operator with what is known of its inputs and outputs."""

    draft: CouplingConstraints
    node: OpNode
    call: OpCall

    def name(self, index: int) -> str:
        """An input, "" where it is left out."""
        return self.node.inputs[index] if index < len(self.node.inputs) else ""

    def out(self, index: int = 0) -> str:
        """An output, "" where it is left out."""
        return self.node.outputs[index] if index < len(self.node.outputs) else ""

    def names(self) -> list[str]:
        """All inputs that are there."""
        return [name for name in self.node.inputs if name]

    def dims(self, tensor: str) -> tuple[int | None, ...]:
        """Dims of a tensor; its rank must be known."""
        dims = self.draft.dims(tensor)
        if dims is None:
            raise NotFollowedError(f"{self.node.op_type}: the shape of '{tensor}' is not known")
        return dims

    def rank(self, tensor: str) -> int:
        """Rank of a tensor, which must be known."""
        return len(self.dims(tensor))

    def axis(self, tensor: str, axis: int) -> Axis:
        """An axis, which may be counted from the back."""
        rank = self.rank(tensor)
        if not -rank <= axis < rank:
            raise NotFollowedError(f"{self.node.op_type}: '{tensor}' has no axis {axis}")
        return tensor, axis % rank

    def constant(self, index: int) -> bool:
        """Tells whether an input is a constant."""
        return self.name(index) in self.draft.found.constant

    def ints(self, index: int) -> list[int] | None:
        """The numbers of a small constant input; None where it is computed from the data, or left out."""
        value: NDArray[Any] | None = (
            self.draft.found.values.get(self.name(index)) if self.name(index) else None
        )
        return None if value is None else [int(number) for number in value.reshape(-1)]

    def listed(self, index: int, attribute: str) -> list[int]:
        """The numbers of a small constant input, of an attribute where older opsets have one; none if left out."""
        if len(self.node.inputs) < 2:
            return [int(number) for number in self.call.attr(attribute) or ()]
        return self.ints(index) or []

    def same(self, one: str, axis: int, other: str, other_axis: int) -> None:
        """Axes of two tensors go together; nothing where a tensor is left out."""
        if one and other:
            self.draft.same(self.axis(one, axis), self.axis(other, other_axis))

    def pin(self, tensor: str, axis: int, reason: str) -> None:
        """An axis stays whole."""
        if tensor:
            self.draft.pin(self.axis(tensor, axis), f"{self.node.op_type}: {reason}")

    def pin_all(self, tensor: str, reason: str) -> None:
        """All axes of a tensor stay whole."""
        if tensor:
            self.draft.pin_tensor(tensor, f"{self.node.op_type}: {reason}")

    def choose(self, kind: str, options: list[Option]) -> None:
        """One of several ways, see ``CouplingChoice``."""
        self.draft.choices.append(CouplingChoice(self.node.id, kind, tuple(options)))

    def broadcast(self, tensor: str, target: str) -> None:
        """Axes go together as numpy broadcasts them: counted from the back."""
        if not tensor or not target:
            return
        rank, wide = self.rank(tensor), self.rank(target)
        for axis in range(max(rank - wide, 0), rank):
            self.same(tensor, axis, target, axis - rank + wide)


CouplingRule = Callable[[CouplingContext], None]
COUPLING_RULES: Registry[CouplingRule] = Registry("coupling", families="nnea_graph.rewrite.coupling.rules")

coupling = COUPLING_RULES.register
"""``@coupling("Conv")``."""
