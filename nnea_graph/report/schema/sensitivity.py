"""The parts of the report that say what was measured with weights or channels set to zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc
from nnea_graph.report.schema.measurement import Measurement


@dataclass(frozen=True, slots=True)
class SensitivityPoint:
    """One measurement: the least of the weights or channels set to zero, the model run, the outputs compared."""

    unit: str = field(metadata=doc("weights, or channels (output channels with their bias)"))
    criterion: str = field(
        metadata=doc("which are the least: by importance |w| mean|a|, by magnitude |w|, or at random")
    )
    fraction: float = field(metadata=doc("share set to zero: 0.1, 0.3, 0.5, 0.7, 0.9"))
    removed: int = field(metadata=doc("how many that is"))
    relative_l2: float | None = field(metadata=doc("|y' - y| / |y| over all outputs of real numbers"))
    sqnr_db: float | None = field(metadata=doc("the same in decibels; null where nothing changed"))
    agreement: float | None = field(
        metadata=doc("share of places whose largest entry along the last axis stays the same one")
    )
    accuracy: float | None = field(metadata=doc("share of labels hit, null without labels"))
    loss: float | None = field(metadata=doc("as the model's loss_of says; negative is a gain"))
    reason: str = field(metadata=doc("why a number is not known, or empty"))


@dataclass(frozen=True, slots=True)
class LayerSensitivity:
    """Worth of one layer's weights and channels are worth to the output. Null is not measured."""

    rank: int | None = field(metadata=doc("1 is the layer whose half of weights changes the output most"))
    half_change: float | None = field(
        metadata=doc("relative L2 without half of the weights, the least important")
    )
    removable_weights: float | None = field(
        metadata=doc("largest share of the least important weights whose loss is below loss_limit")
    )
    removable_channels: float | None = field(metadata=doc("the same of output channels"))
    points: Sequence[SensitivityPoint] = field(metadata=doc("what was measured"))
    reason: str = field(metadata=doc("why nothing was, or empty"))
    no_channels: str = field(metadata=doc("why channels were not, or empty"))


@dataclass(frozen=True, slots=True)
class StaticAgreement:
    """Test whether a statistic ranks the layers as measuring does: by how little half of their weights changes."""

    statistic: str = field(metadata=doc("redundancy or utilization"))
    of: str = field(metadata=doc("importance or weights"))
    layers: int = field(metadata=doc("how many have both"))
    correlation: float | None = field(
        metadata=doc(
            "Spearman's, 1 where the layers it calls redundant are the ones that bear most; null: too few"
        )
    )
    verdict: str = field(
        metadata=doc(
            "holds (from 0.5), says nothing, contradicts (to -0.5), too few layers, all layers are alike"
        )
    )


@dataclass(frozen=True, slots=True)
class ModelSensitivity(Measurement):
    """Worth of all layers' weights and channels are worth, each giving the same share at once, and on what it rests."""

    removable_weights: float | None = field(
        metadata=doc("largest share of every layer's least important weights whose loss is below loss_limit")
    )
    removable_channels: float | None = field(metadata=doc("the same of output channels"))
    points: Sequence[SensitivityPoint] = field(metadata=doc("of all layers at once"))
    static: Sequence[StaticAgreement] = field(metadata=doc("whether statistics agree with what was measured"))
    not_run: str = field(metadata=doc("why nothing was measured, or empty"))
