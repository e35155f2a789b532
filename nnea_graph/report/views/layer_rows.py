"""Rows that plots show: layers in rows, few enough to be seen, with the numbers that each row is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from nnea_graph.report.schema.analysis import Layer, Metrics, Report
from nnea_graph.report.views.summary import left_out

MOST_ROWS = 200
"""Rows that a plot has room for; more layers than that are folded, neighbors together."""

_PARTS = 100
"""Parts of equal numbers of weights that a Lorenz curve tells apart."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Sizes of numbers x: 5, 25, 50, 75, 95 of 100 are smaller. Each is the mean of one of 100 parts."""

    low: float
    first: float
    middle: float
    third: float
    high: float
    max: float


@dataclass(frozen=True, slots=True)
class Row:
    """One layer, or neighbors taken together: sums, and means weighted by their weights. None is not known.

    ``macs`` are 0 in branches outside the total. ``flow`` is the mean over its layers of what runs through each,
    ``busiest`` the part of it that runs through the ten busiest channels of each, ``even`` what ten channels
    would carry if all carried the same.
    """

    layers: Sequence[Layer]
    parameters: int
    macs: int | None
    utilization: float | None
    redundancy: float | None
    spread: Percentiles | None
    curve: Sequence[float] | None
    flow: float | None
    busiest: float | None
    even: float | None

    @property
    def first(self) -> Layer:
        """The layer that it is named after."""
        return self.layers[0]


def rows_of(report: Report, most: int = MOST_ROWS) -> list[Row]:
    """The layers in execution order, in at most ``most`` rows of about as many layers each."""
    size = max(1, -(-len(report.layers) // most))
    outside = left_out(report)
    groups = (report.layers[start : start + size] for start in range(0, len(report.layers), size))
    return [_row(report, group, outside) for group in groups]


def metrics_of(report: Report, layer: Layer) -> Metrics | None:
    """The statistics that the report's totals are of: of importance where real data were run, else of |w|."""
    return layer.metrics if report.totals.statistics_of == "importance" else layer.weight_metrics


def _row(report: Report, layers: Sequence[Layer], outside: frozenset[str]) -> Row:
    found = [metrics for metrics in (metrics_of(report, layer) for layer in layers) if metrics is not None]
    curve = _curve(found)
    return Row(
        layers=layers,
        parameters=sum(layer.parameters for layer in layers),
        macs=_sum(0 if layer.id in outside else layer.macs for layer in layers),
        utilization=_mean(found, lambda metrics: metrics.utilization),
        redundancy=_mean(found, lambda metrics: metrics.redundancy),
        spread=_spread(found),
        curve=curve,
        **_flows(layers),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _mean(found: Sequence[Metrics], value: Callable[[Metrics], float | None]) -> float | None:
    """Weighted by numbers of weights; None where no layer has it."""
    pairs = [(number, metrics.count) for metrics in found if (number := value(metrics)) is not None]
    total = sum(count for _, count in pairs)
    return sum(number * count for number, count in pairs) / total if total else None


def _parts(metrics: Metrics) -> list[float]:
    """The mean of each hundredth of the numbers, smallest first; empty where there is no curve."""
    curve, mean = metrics.lorenz, metrics.mean
    if curve is None or mean is None:
        return []
    return [max(0.0, (b - a) * _PARTS * mean) for a, b in pairwise(curve)]


def _sorted_parts(found: Sequence[Metrics]) -> list[tuple[float, float]]:
    """The parts of all, smallest first, each with how many numbers it is the mean of."""
    return sorted((part, metrics.count / _PARTS) for metrics in found for part in _parts(metrics))


def _spread(found: Sequence[Metrics]) -> Percentiles | None:
    parts = _sorted_parts(found)
    if not parts:
        return None
    below = list(accumulate(count for _, count in parts))

    def at(share: float) -> float:
        place = next(place for place, count in enumerate(below) if count >= share * below[-1] * (1 - 1e-9))
        return parts[place][0]

    largest = max(metrics.max or 0.0 for metrics in found)
    return Percentiles(at(0.05), at(0.25), at(0.5), at(0.75), at(0.95), largest)


def _curve(found: Sequence[Metrics]) -> Sequence[float] | None:
    """The Lorenz curve of all together, at 101 points."""
    if len(found) == 1:
        return found[0].lorenz
    parts = _sorted_parts(found)
    total = sum(part * count for part, count in parts)
    if not total:
        return None
    below = [0.0, *accumulate(count for _, count in parts)]
    held = [0.0, *accumulate(part * count for part, count in parts)]
    return [_between(below, held, place / _PARTS * below[-1]) / total for place in range(_PARTS + 1)]


def _between(places: Sequence[float], values: Sequence[float], at: float) -> float:
    """Linear interpolation."""
    right = next((number for number, place in enumerate(places) if place >= at), len(places) - 1)
    if right == 0 or places[right] <= at:
        return values[right]
    left = right - 1
    part = (at - places[left]) / (places[right] - places[left])
    return values[left] + part * (values[right] - values[left])


def _flows(layers: Sequence[Layer]) -> dict[str, float | None]:
    known = [layer for layer in layers if layer.flow is not None and layer.flow_channels]
    if not known:
        return {"flow": None, "busiest": None, "even": None}
    top = [sum(each.flow for each in layer.top_channels or ()) for layer in known]
    even = [(layer.flow or 0.0) * min(1.0, 10 / (layer.flow_channels or 1)) for layer in known]
    return {
        "flow": sum(layer.flow or 0.0 for layer in known) / len(known),
        "busiest": sum(top) / len(known),
        "even": sum(even) / len(known),
    }


def whole_curve(report: Report) -> Sequence[float] | None:
    """The Lorenz curve of all weights together, each in the measure of its own layer's mean."""
    found = [metrics for layer in report.layers if (metrics := metrics_of(report, layer)) is not None]
    return _curve(found)


EFFICIENCY: Sequence[tuple[str, str]] = (
    ("utilization", "exp(H) / n"),
    ("normalized entropy", "H / ln n"),
    ("evenness", "1 − Gini"),
    ("density", "share of x from 0.01 on"),
    ("needed for 90 %", "share of the weights"),
)
"""What ``efficiency`` gives: a word, and how it is found. 1 is best."""


def efficiency(metrics: Metrics) -> list[float | None]:
    """Tells how well weights are used, from 0 to 1, by ``EFFICIENCY``."""
    return [
        metrics.utilization,
        metrics.normalized_entropy,
        None if metrics.gini is None else 1 - metrics.gini,
        None if metrics.sparsity is None else 1 - metrics.sparsity["1e-2"],
        None if metrics.reach is None else metrics.reach["90"],
    ]


def mean_efficiency(report: Report) -> list[float | None]:
    """The same of all layers, each with the weight of its weights."""
    found = [metrics for layer in report.layers if (metrics := metrics_of(report, layer)) is not None]

    def mean(place: int) -> float | None:
        return _mean(found, lambda metrics: efficiency(metrics)[place])

    return [mean(place) for place in range(len(EFFICIENCY))]


FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the least important weights at which sensitivity is measured."""


def measured_changes(rows: Sequence[Row]) -> list[list[float | None]]:
    """By row and fraction the relative L2 change of the output without these weights, the largest of its layers."""
    return [[_largest_change(row, share) for share in FRACTIONS] for row in rows]


def _largest_change(row: Row, share: float) -> float | None:
    found = [
        point.relative_l2
        for layer in row.layers
        for point in (layer.sensitivity.points if layer.sensitivity else ())
        if (point.unit, point.criterion, point.fraction) == ("weights", "importance", share)
    ]
    return max((change for change in found if change is not None), default=None)


def static_losses(rows: Sequence[Row]) -> list[list[float | None]]:
    """Losses by row and fraction: the share of x that the least of its weights hold: no measurement."""
    return [
        [None if row.curve is None else row.curve[round(100 * share)] for share in FRACTIONS] for row in rows
    ]
