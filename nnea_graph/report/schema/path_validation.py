"""The part of the report that is about what the model does without the units on the best paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect that a change inside the model does to its output. Null is not known."""

    change: float | None = field(metadata=doc("|y' - y| / |y| over all samples, L2"))
    agreement: float | None = field(metadata=doc("share of answers (largest class) that stay the same"))
    accuracy: float | None = field(metadata=doc("share of answers that are right, where there are labels"))


@dataclass(frozen=True, slots=True)
class AblationComparison:
    """The units on the best paths, and as many units of the same layers chosen otherwise."""

    paths: Effect = field(metadata=doc("of the units on the paths"))
    importance: Effect = field(metadata=doc("of the units that weights of the most importance read"))
    marginal: Effect = field(metadata=doc("of the units that the largest part of all path mass runs through"))
    random: Sequence[Effect] = field(metadata=doc("of random units, one a draw"))
    random_mean: Effect = field(metadata=doc("mean of the draws"))
    random_low: Effect = field(metadata=doc("the smallest number of the draws, each for itself"))
    random_high: Effect = field(metadata=doc("the largest number of the draws, each for itself"))
    rank: int | None = field(
        metadata=doc("draws whose output changes less than with the units on the paths; null is not known")
    )


@dataclass(frozen=True, slots=True)
class TriedLayer:
    """A layer on the paths whose units were set to 0."""

    tensor: str = field(metadata=doc("the units are channels of this"))
    place: str = field(metadata=doc("tensor in which they are set to 0: after normalization and activation"))
    units: int = field(metadata=doc("of them on the paths, and as many chosen by each other way"))
    channels: int = field(metadata=doc("all units of the layer"))


@dataclass(frozen=True, slots=True)
class PathValidation:
    """Validation whether the units on the best paths matter more than others, by running the model."""

    not_validated: str = field(metadata=doc("why there are no numbers, empty where there are"))
    source: str = field(metadata=doc("data that were run"))
    output: str = field(metadata=doc("the output that is compared"))
    samples: int = field(metadata=doc("how many were run"))
    complete: bool = field(metadata=doc("false where the time was up before all data had been run"))
    units: int = field(metadata=doc("units on the paths that were set to 0, over all layers"))
    layers: Sequence[TriedLayer] = field(metadata=doc("layers whose units were set to 0"))
    left_out: Mapping[str, str] = field(
        metadata=doc("tensors on the paths left as they are, with the reason")
    )
    accuracy: float | None = field(metadata=doc("of the whole model, null without labels"))
    removed: AblationComparison | None = field(metadata=doc("without the chosen units"))
    kept: AblationComparison | None = field(metadata=doc("with nothing but the chosen units in these layers"))
