"""Describes how the best paths fared against other units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from nnea_graph.graph import ModelGraph
from nnea_graph.passes.path_validation import PATH_VALIDATION, Trials
from nnea_graph.report.facts import fact
from nnea_graph.report.schema import path_validation as schema
from nnea_graph.stats.output_change import OutputChange


def validation_of(graph: ModelGraph) -> schema.PathValidation | None:
    """Result that the pass found or why it found nothing; None where it did not run."""
    found = fact(graph, PATH_VALIDATION)
    if found is None:
        return None
    return schema.PathValidation(
        not_validated=found.not_validated,
        source=found.source,
        output=found.output,
        samples=found.samples,
        complete=found.complete,
        units=sum(layer.units for layer in found.layers),
        layers=[
            schema.TriedLayer(layer.tensor, layer.place, layer.units, layer.channels)
            for layer in found.layers
        ],
        left_out=dict(found.left_out),
        accuracy=found.accuracy,
        removed=_comparison(found.removed),
        kept=_comparison(found.kept),
    )


def _comparison(trials: Trials | None) -> schema.AblationComparison | None:
    if trials is None:
        return None
    return schema.AblationComparison(
        paths=_effect(trials.paths),
        importance=_effect(trials.importance),
        marginal=_effect(trials.marginal),
        random=[_effect(each) for each in trials.random],
        random_mean=_over(trials.random, fmean),
        random_low=_over(trials.random, min),
        random_high=_over(trials.random, max),
        rank=_rank(trials),
    )


def _effect(found: OutputChange) -> schema.Effect:
    return schema.Effect(found.relative_l2, found.agreement, found.accuracy)


def _over(draws: Sequence[OutputChange], join: Callable[[Iterable[float]], float]) -> schema.Effect:
    """One number of several, for each field; None where any of them is not known."""

    def joined(field: str) -> float | None:
        values = [value for value in (getattr(draw, field) for draw in draws) if value is not None]
        return join(values) if values and len(values) == len(draws) else None

    return schema.Effect(joined("relative_l2"), joined("agreement"), joined("accuracy"))


def _rank(trials: Trials) -> int | None:
    """Tells how many draws change the output less than the units on the paths."""
    changes = [draw.relative_l2 for draw in trials.random if draw.relative_l2 is not None]
    if trials.paths.relative_l2 is None or len(changes) < len(trials.random):
        return None
    return sum(change < trials.paths.relative_l2 for change in changes)
