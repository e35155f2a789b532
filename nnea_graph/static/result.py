"""Result that a walk over the operators has found: types, values, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from nnea_graph.graph import OpNode, TensorInfo
from nnea_graph.ops.call import OpCall
from nnea_graph.static.control_flow import Trips

UNKNOWN = TensorInfo(None, None)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An operator that contradicts its definition at these dims."""

    node: str
    message: str


@dataclass(slots=True)
class StaticFacts:
    """Facts that a walk found.

    ``sources`` says of each operator where its shapes come from: ``onnx`` (its own inference), ``rule``
    (ours), ``declared`` (the file says so), ``unknown``. ``emptied`` is the first operator that makes
    nothing of something; ``refused`` are contradictions in alternatives that therefore cannot run.
    """

    types: dict[str, TensorInfo] = field(default_factory=dict)
    values: dict[str, NDArray[Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    trips: dict[str, Trips] = field(default_factory=dict)
    constant: set[str] = field(default_factory=set)
    problems: list[Contradiction] = field(default_factory=list)
    refused: list[Contradiction] = field(default_factory=list)
    emptied: str = ""

    def infos(self, names: Iterable[str]) -> tuple[TensorInfo | None, ...]:
        """The types of an operator's inputs or outputs; None for one that is left out."""
        return tuple(self.types.get(name, UNKNOWN) if name else None for name in names)


def call_of(node: OpNode, found: StaticFacts, values: Mapping[str, NDArray[Any]] | None = None) -> OpCall:
    """View that a rule sees of an operator; ``values`` in place of the small ones that the walk has found."""
    known = found.values if values is None else values
    return OpCall(
        node.op_type,
        found.infos(node.inputs),
        found.infos(node.outputs),
        node.attributes,
        tuple(known.get(name) for name in node.inputs),
        node.domain,
        node.opset,
    )
