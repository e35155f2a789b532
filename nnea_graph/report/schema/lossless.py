"""Report of a pruning: what went without any change of the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc


@dataclass(frozen=True, slots=True)
class ExactFamily:
    """Channels that only go together with their like in other layers: how many went, and why."""

    family: str = field(metadata=doc("the layer that makes them first"))
    layers: Sequence[str] = field(metadata=doc("all layers that make them"))
    groups: int = field(metadata=doc("how many there were"))
    unread: int = field(metadata=doc("went: no output of the model depends on them"))
    dead: int = field(metadata=doc("went: 0 wherever they are read"))
    constant: int = field(
        metadata=doc("went: always the same number, which is in the biases of their readers now")
    )
    cloned: int = field(metadata=doc("went: multiples of others, whose weights have taken theirs up"))
    held: Mapping[str, int] = field(
        metadata=doc("how many more are of such a kind but stay, by kind and reason")
    )


@dataclass(frozen=True, slots=True)
class ExactTensor:
    """A stored tensor that another one can stand for."""

    tensor: str = field(metadata=doc("its name"))
    of: str = field(metadata=doc("the one that stands for it"))
    kind: str = field(metadata=doc("identical, reshaped, transposed or scaled"))
    bytes: int = field(metadata=doc("that it took"))
    reason: str = field(metadata=doc("why it stays, or empty: it went"))


@dataclass(frozen=True, slots=True)
class ExactRemoval:
    """Removals, in how many rounds: what goes may leave more of its kind behind."""

    rounds: int = field(metadata=doc("that found something; the one after them found nothing more"))
    families: Sequence[ExactFamily] = field(
        metadata=doc("channels by family; the held ones are of the last round")
    )
    tensors: Sequence[ExactTensor] = field(metadata=doc("stored tensors that went or were held"))
    saved_bytes: int = field(metadata=doc("of stored tensors"))
