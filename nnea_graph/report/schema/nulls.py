"""The part of the report on nulls: the utilization that weights without training would have; see ``schema``."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnea_graph.report.schema import doc


@dataclass(frozen=True, slots=True)
class LayerWeightNull:
    """Utilization of random weights of the same number, with as many exact zeros."""

    half_normal: float = field(metadata=doc("if drawn from a normal distribution"))
    uniform: float = field(metadata=doc("if drawn from a uniform distribution around 0"))
    laplace: float = field(metadata=doc("if drawn from a Laplace distribution"))
    nearest: str = field(metadata=doc("the family that the measured utilization is closest to"))
    gini: float = field(metadata=doc("Gini coefficient of that family"))
    standard_error: float = field(metadata=doc("of its utilization, for this number of weights"))
    deviation: float = field(
        metadata=doc("measured utilization less that of the nearest family, in standard errors")
    )


@dataclass(frozen=True, slots=True)
class LayerImportanceNull:
    """Utilization of importance if weights and activations were independent."""

    shuffled_activations: float = field(
        metadata=doc("mean over permutations of the activations over the input channels")
    )
    shuffled_weights: float = field(metadata=doc("with the weights permuted within the layer, for large n"))
    standard_error: float = field(metadata=doc("standard deviation over the permutations"))
    deviation: float | None = field(
        metadata=doc("measured utilization less the mean, in standard errors; null where all draws agree")
    )
    draws: int = field(metadata=doc("permutations, from a fixed seed"))


@dataclass(frozen=True, slots=True)
class ModelNull:
    """The nulls of the layers together."""

    utilization: float = field(
        metadata=doc("sum of the layers' effective weights by the nearest null / weights")
    )
    measured: float = field(metadata=doc("utilization of the same layers"))
    standard_error: float = field(metadata=doc("of that sum, layers taken as independent"))
    deviation: float | None = field(
        metadata=doc("measured less the null, in standard errors; null where the error is 0")
    )
    layers: int = field(metadata=doc("layers that have a null"))
