"""The parts of the report that say what weights in few bits lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc
from nnea_graph.report.schema.measurement import Measurement

_FORMAT = "int8 (one scale), int8_channel, int4_block32, int4_block128 (with zero points), float16"


@dataclass(frozen=True, slots=True)
class OutputLoss:
    """Loss of the outputs lose; null is not measured, or not defined."""

    relative_l2: float | None = field(metadata=doc("|y' - y| / |y| over all outputs of real numbers"))
    sqnr_db: float | None = field(metadata=doc("the same in decibels; null where nothing changed"))
    agreement: float | None = field(
        metadata=doc("share of places whose largest entry along the last axis stays the same one")
    )
    accuracy: float | None = field(metadata=doc("share of labels hit, null without labels"))
    loss: float | None = field(metadata=doc("as the model's loss_of says; negative is a gain"))
    reason: str = field(metadata=doc("why a number is not known, or empty"))


@dataclass(frozen=True, slots=True)
class QuantizedWeights:
    """A layer's weights in one format, rounded as onnxruntime's own tools do."""

    format: str = field(metadata=doc(_FORMAT))
    bytes: int = field(metadata=doc("with scales and zero points"))
    relative_l2: float | None = field(
        metadata=doc("|w' - w| / |w|; null where weights overflow, or all are zero")
    )
    sqnr_db: float | None = field(metadata=doc("the same in decibels; null where nothing changed"))
    output: OutputLoss | None = field(
        metadata=doc("of the model with this layer alone in the format; null where it was not measured")
    )


@dataclass(frozen=True, slots=True)
class LayerQuantization:
    """Low-bit quantization sensitivity: how well one layer's weights bear few bits."""

    rank: int | None = field(
        metadata=doc("1 is the layer that changes the output most, alone in int8 by channel")
    )
    bytes: int = field(metadata=doc("of the weights as the operator sees them"))
    count: int | None = field(metadata=doc("weights in the largest tensor, which the next five are of"))
    crest: float | None = field(metadata=doc("max|w| over the root of mean w²"))
    outliers: int | None = field(metadata=doc("weights beyond 6 standard deviations"))
    dead_range: float | None = field(
        metadata=doc("part of 0 … max|w| that only the largest thousandth of the weights reach")
    )
    float16_overflow: int | None = field(metadata=doc("weights beyond 65504, which float16 cannot hold"))
    float16_subnormal: int | None = field(
        metadata=doc("weights other than 0 below 2^-14, which lose digits in float16")
    )
    formats: Sequence[QuantizedWeights] = field(metadata=doc("what was measured"))
    reason: str = field(metadata=doc("why there is nothing, or why the output was not measured; or empty"))


@dataclass(frozen=True, slots=True)
class QuantizedModel:
    """All layers' weights in one format."""

    format: str = field(metadata=doc(_FORMAT))
    bytes: int = field(metadata=doc("of these weights with scales and zero points"))
    output: OutputLoss | None = field(metadata=doc("null where it was not measured"))


@dataclass(frozen=True, slots=True)
class KeptTrial:
    """The model in one format but for the worst layers."""

    kept: int = field(metadata=doc("layers that stay in floats, the worst of all"))
    output: OutputLoss = field(metadata=doc("what the others in the format lose"))


@dataclass(frozen=True, slots=True)
class KeptInFloat:
    """The fewest layers that must stay in floats for the loss to be below loss_limit, measured."""

    format: str = field(metadata=doc("int8, int8_channel, int4_block32 or int4_block128"))
    layers: Sequence[str] | None = field(
        metadata=doc(
            "worst first by their own change of the output; one less loses too much; null: not known"
        )
    )
    bytes: int | None = field(metadata=doc("of all these weights then"))
    tried: Sequence[KeptTrial] = field(metadata=doc("what was run to find them"))
    reason: str = field(metadata=doc("why they are not known, or empty"))


@dataclass(frozen=True, slots=True)
class ModelQuantization(Measurement):
    """Loss by weights in few bits lose, activations left as they are."""

    bytes: int = field(metadata=doc("of the weights that a quantizer takes, as they are"))
    formats: Sequence[QuantizedModel] = field(metadata=doc("of all these weights at once"))
    kept: Sequence[KeptInFloat] = field(metadata=doc("which layers must stay in floats"))
    not_run: str = field(metadata=doc("why nothing was measured at the output, or empty"))
