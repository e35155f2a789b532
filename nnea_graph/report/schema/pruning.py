"""Parts of the report of a pruning of its choice: targets, and what each family of channels gave up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc
from nnea_graph.report.schema.lossless import ExactRemoval
from nnea_graph.report.schema.verification import Verification


@dataclass(frozen=True, slots=True)
class TargetReached:
    """A target and what came of it."""

    name: str = field(
        metadata=doc(
            "params, macs, latency (shares of the original that remain), loss (of accuracy) or exact (the largest"
            " difference of outputs)"
        )
    )
    wanted: float = field(metadata=doc("at most this"))
    reached: float | None = field(metadata=doc("what it is now; null: not known"))
    met: bool = field(metadata=doc("whether that is enough"))


@dataclass(frozen=True, slots=True)
class SparedPoint:
    """A measurement: so many groups of a family gone, all others there."""

    removed: int = field(metadata=doc("groups taken out"))
    relative_l2: float | None = field(metadata=doc("change of the outputs, relative to them (L2)"))
    accuracy: float | None = field(metadata=doc("share of answers that are the label; null without labels"))
    agreement: float | None = field(metadata=doc("share of answers that stay"))


@dataclass(frozen=True, slots=True)
class FamilyChoice:
    """Channels that only go together with their like in other layers."""

    family: str = field(metadata=doc("the layer that makes them first"))
    layers: Sequence[str] = field(metadata=doc("all layers that make them"))
    groups: int = field(metadata=doc("how many could go, one by one"))
    kept: int = field(metadata=doc("how many are left"))
    step: int = field(metadata=doc("a multiple of this is kept"))
    reason: str = field(metadata=doc("why it stays whole, or empty"))
    measured: Sequence[SparedPoint] = field(metadata=doc("what the model loses with this family alone"))


@dataclass(frozen=True, slots=True)
class PruningReport:
    """A pruning: what was wanted, what was done, what came of it."""

    model: str = field(metadata=doc("where the original is"))
    criterion: str = field(metadata=doc("what channels were ranked by"))
    refit: bool = field(metadata=doc("whether the layers that read them were solved again"))
    seed: int = field(metadata=doc("of everything drawn"))
    data: str = field(metadata=doc("what it was fitted, chosen and measured on, each on a part of its own"))
    fitted: int | None = field(
        metadata=doc("samples that weights were fitted on; the others chose and measured")
    )
    targets: Sequence[TargetReached] = field(metadata=doc("what was wanted"))
    families: Sequence[FamilyChoice] = field(metadata=doc("what could go"))
    pinned: Mapping[str, str] = field(metadata=doc("layers whose channels stay, and why"))
    verification: Verification = field(metadata=doc("the result beside the original"))
    exact: ExactRemoval | None = field(
        default=None, metadata=doc("what went without changing anything; null where another target was given")
    )
    called: Mapping[str, str] = field(
        default_factory=dict,
        metadata=doc(
            "by id, the module of the source model by which an operator is called, where it has one"
        ),
    )

    @property
    def met(self) -> bool:
        """Tells whether all targets are met and nothing is wrong with the result."""
        return all(target.met for target in self.targets) and not self.verification.faults

    @property
    def worth_writing(self) -> bool:
        """Whether the model is sound: the nearest to a target that is not met is; one that was to be exact is not."""
        return not self.verification.faults and (self.exact is None or self.met)
