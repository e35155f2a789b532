"""Report before a pruning: which channels only go together, what that changes, and what each would save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc
from nnea_graph.report.schema.verification import Speed


@dataclass(frozen=True, slots=True)
class PlannedSaving:
    """Saving of a model with so many groups of a family gone, and all others there."""

    groups: int = field(metadata=doc("how many go"))
    parameters: int = field(metadata=doc("weights, scales and biases less"))
    macs: int = field(metadata=doc("multiply-accumulates less, of one run at the shapes of `inputs`"))
    bytes: int = field(metadata=doc("bytes less of all constants as they are stored, external data too"))


@dataclass(frozen=True, slots=True)
class SavedTime:
    """Time that a run takes less; null where the measurement does not tell. The interval is of 95 %, by bootstrap."""

    seconds: float | None = field(metadata=doc("less a run, by the median of the ratio; null: not clear"))
    low: float | None = field(metadata=doc("lower end of its interval"))
    high: float | None = field(metadata=doc("upper end of its interval"))
    measured: Speed | None = field(metadata=doc("the original and the smaller model in turn; null: not run"))
    reason: str = field(metadata=doc("why it is not known, or empty"))


@dataclass(frozen=True, slots=True)
class FamilyParts:
    """The operators that a family of channels runs through and that change when some of them go, by id."""

    producers: Sequence[str] = field(metadata=doc("layers whose output channels they are"))
    consumers: Sequence[str] = field(metadata=doc("layers whose weights read them"))
    normalizations: Sequence[str] = field(metadata=doc("whose scales, shifts and statistics lose entries"))
    biases: Sequence[str] = field(metadata=doc("other operators whose constant added to them loses entries"))
    constants: Sequence[str] = field(metadata=doc("operators of which any other constant loses entries"))
    sizes: Sequence[str] = field(
        metadata=doc("operators whose sizes, positions or number of groups are written anew")
    )

    @property
    def operators(self) -> Sequence[str]:
        """All of them, kind by kind."""
        return [
            *self.producers,
            *self.consumers,
            *self.normalizations,
            *self.biases,
            *self.constants,
            *self.sizes,
        ]


@dataclass(frozen=True, slots=True)
class PlannedFamily:
    """Channels that only go together with their like in other layers."""

    family: str = field(metadata=doc("the layer that makes them first"))
    groups: int = field(metadata=doc("how many could go, one by one"))
    channels: int = field(metadata=doc("channels of the first layer's output in each group"))
    step: int = field(metadata=doc("a multiple of this is kept"))
    reason: str = field(metadata=doc("why a pruning would leave it whole, or empty"))
    parts: FamilyParts = field(metadata=doc("what changes with them"))
    one_step: PlannedSaving | None = field(
        metadata=doc("the least that can go: down to the next multiple of the step; null: nothing can")
    )
    half: PlannedSaving | None = field(
        metadata=doc("half of them, to a multiple of the step; null: as above")
    )
    half_time: SavedTime = field(
        metadata=doc("what half of them would save of a run, measured at one thread")
    )


@dataclass(frozen=True, slots=True)
class NotPrunable:
    """Output channels of a layer that cannot go."""

    layer: str = field(metadata=doc("id of the operator"))
    channels: int | None = field(metadata=doc("how many of them; null: all, they are not followed"))
    reason: str = field(metadata=doc("why"))


@dataclass(frozen=True, slots=True)
class PruningPlan:
    """Plan of what could go of a model, before anything is chosen."""

    model: str = field(metadata=doc("where it is"))
    dims: Mapping[str, int] = field(metadata=doc("numbers that symbolic dims were given"))
    inputs: Mapping[str, Sequence[int]] = field(metadata=doc("shapes at which multiply-accumulates count"))
    parameters: int = field(metadata=doc("weights, scales and biases of the whole model"))
    macs: int = field(metadata=doc("multiply-accumulates of one run at these shapes"))
    macs_reason: str = field(metadata=doc("what they leave out, or empty"))
    bytes: int = field(metadata=doc("all constants as they are stored"))
    align: str = field(metadata=doc("what the steps follow from: auto (measured), or a number"))
    align_reason: str = field(metadata=doc("why steps were not measured and are 1, or empty"))
    data: str = field(metadata=doc("what it was run on; empty: not run"))
    synthetic: bool = field(metadata=doc("whether that is made up: values do not matter to the time"))
    run_samples: int | None = field(metadata=doc("samples of one run that was timed; null: none was"))
    families: Sequence[PlannedFamily] = field(metadata=doc("what could go"))
    pinned: Sequence[NotPrunable] = field(metadata=doc("what stays"))
    called: Mapping[str, str] = field(
        default_factory=dict,
        metadata=doc(
            "by id, the module of the source model by which an operator is called, where it has one"
        ),
    )
