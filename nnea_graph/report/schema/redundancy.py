"""The parts of the report that say what can go without any loss, and what nearly so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc


@dataclass(frozen=True, slots=True)
class Saving:
    """Saving that goes with channels: their own weights and those that read them, each once."""

    bytes: int = field(metadata=doc("of stored weights"))
    macs: int | None = field(metadata=doc("multiply-accumulates; null where a layer's are not known"))


@dataclass(frozen=True, slots=True)
class DuplicateTensor:
    """A stored tensor that another one could stand for."""

    tensor: str = field(metadata=doc("the one that could go"))
    of: str = field(metadata=doc("the one that stays"))
    kind: str = field(metadata=doc("identical, reshaped, transposed or scaled"))
    exact: bool = field(metadata=doc("nothing at all changes; false: to within 1e-5"))
    factor: float = field(metadata=doc("what the other is multiplied with; 1 but for scaled ones"))
    bytes: int = field(metadata=doc("that it takes"))


@dataclass(frozen=True, slots=True)
class TiedTensor:
    """A stored tensor that several operators read: nothing is to be saved there."""

    tensor: str = field(metadata=doc("its name"))
    readers: Sequence[str] = field(metadata=doc("ids of the operators"))
    bytes: int = field(metadata=doc("that it takes"))


@dataclass(frozen=True, slots=True)
class LayerRedundancy:
    """Output channels of a layer, by number, that hold on any input; each is in one list."""

    channels: int = field(metadata=doc("output channels"))
    unread: Sequence[int] = field(metadata=doc("exact: no output of the model depends on them"))
    dead: Sequence[int] = field(metadata=doc("exact: 0 wherever they are read, by bounds"))
    constant: Sequence[int] = field(metadata=doc("exact: always the same other number"))
    cloned: Sequence[int] = field(metadata=doc("exact: equal to another channel, or a multiple of it"))
    twins: Sequence[int] = field(metadata=doc("the channels that the cloned ones repeat, at the same place"))
    factors: Sequence[float] = field(metadata=doc("what twins are multiplied with to give the cloned ones"))
    parallel: Sequence[int] = field(
        metadata=doc("approximate: weights and bias within |cosine| 0.99 of those of an earlier channel")
    )
    held: Sequence[int] = field(metadata=doc("constant or equal ones that cannot go by themselves"))
    held_by: str = field(metadata=doc("what holds them, and any others; or empty"))
    not_compared: str = field(metadata=doc("why parallel ones are not known, or empty"))
    exact_saving: Saving = field(metadata=doc("without the exact ones"))
    approximate_saving: Saving = field(metadata=doc("without the parallel ones, on top"))


@dataclass(frozen=True, slots=True)
class ModelRedundancy:
    """Redundancy that can go from the whole model."""

    exact_channels: int = field(metadata=doc("that go without any change of the outputs"))
    parallel_channels: int = field(metadata=doc("nearly parallel ones"))
    exact_saving: Saving = field(metadata=doc("without all exact ones"))
    approximate_saving: Saving = field(metadata=doc("without the parallel ones, on top"))
    duplicates: Sequence[DuplicateTensor] = field(
        metadata=doc("stored tensors, exact ones first; vectors (biases and the like) are left out")
    )
    duplicate_bytes: int = field(metadata=doc("that exact ones take"))
    tied: Sequence[TiedTensor] = field(
        metadata=doc("weights that are stored once and read by several operators")
    )
