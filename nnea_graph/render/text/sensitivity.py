"""Text report: what the output loses when weights or channels are set to zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from nnea_graph.render.page import Page, many, per_cent
from nnea_graph.render.sanitize import inert, shorten_all
from nnea_graph.render.text.layout import (
    INDENT,
    Row,
    TextColumn,
    first_width,
    hanging,
    sentence,
    table,
    title,
)
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.schema.sensitivity import ModelSensitivity, SensitivityPoint, StaticAgreement
from nnea_graph.report.units import percent

_FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
_CRITERIA = {"importance": "by importance", "magnitude": "by |w|", "random": "at random"}
_UNITS = ("weights", "channels")
_WHOLE = (
    TextColumn(("all layers at once,", "fraction removed"), right=False, widest=24),
    *(TextColumn(("", percent(share).replace(".0 ", " "))) for share in _FRACTIONS),
)
_LAYERS = (
    TextColumn(("layer, most", "sensitive first"), right=False, widest=40),
    TextColumn(("removable %", "weights")),
    TextColumn(("removable %", "channels")),
    TextColumn(("change %", "importance"), tight=True),
    TextColumn(("change %", "|w|"), rank=1, tight=True),
    TextColumn(("change %", "random"), rank=2, tight=True),
)
_MEASURE = {
    "accuracy": "accuracy, %",
    "agreement": "top-1 agreement with the original model, %",
    "relative_l2": "relative L2 change of the outputs, %",
}
_NOISE = 1e-4


def sensitivity(page: Page) -> list[Text]:
    """Curves of the whole model, what may go from each layer, and whether statistics would have told."""
    found = page.report.sensitivity
    if found is None:
        return []
    if found.not_run:
        head = title("Sensitivity", width=page.width)
        return [*head, *sentence("not measured", Text(inert(found.not_run), "dim"), width=page.width)]
    return [
        *title("Sensitivity", _aside(found), width=page.width),
        *table(_WHOLE, list(_curves(found)), page.width),
        *_explained(
            page, f"{_MEASURE[found.loss_of]}{_unaltered(found)}; channels are removed with their bias"
        ),
        *_layers(page, found),
        *_static(page, found.static),
    ]


def _aside(found: ModelSensitivity) -> str:
    of = f" of {found.offered:,}" if found.offered and found.offered > found.samples else ""
    samples = f"measured on {found.samples:,}{of} {'synthetic ' if found.synthetic else ''}samples"
    if found.measured == found.planned:
        return samples
    return f"{samples}; {found.measured:,} of {many(found.planned, 'point')} fitted into the budget of work"


def _unaltered(found: ModelSensitivity) -> str:
    noise = found.repeat_change or 0.0
    random = f"; two runs of it differ by {percent(noise)}" if noise > _NOISE else ""
    return f" ({percent(found.accuracy)} unaltered{random})" if found.accuracy is not None else random


def _curves(found: ModelSensitivity) -> Iterator[Row]:
    for unit in _UNITS:
        for criterion, name in _CRITERIA.items():
            points = [_point(found.points, unit, criterion, share) for share in _FRACTIONS]
            if any(points):
                yield [f"{unit} {name}", *(_cell(found.loss_of, point) for point in points)]


def _cell(measure: str, point: SensitivityPoint | None) -> str:
    return per_cent(getattr(point, measure) if point else None)


def _layers(page: Page, found: ModelSensitivity) -> Iterator[Text]:
    ranked = [layer for layer in page.report.layers if layer.sensitivity and layer.sensitivity.rank]
    ranked.sort(key=lambda layer: layer.sensitivity.rank or 0 if layer.sensitivity else 0)
    shown = ranked if page.verbose else ranked[: 2 * page.top]
    if not shown:
        return
    rows = [_row(page, layer) for layer in shown]
    names = shorten_all([row[0] for row in rows], first_width(_LAYERS, rows, page.width))
    yield Text()
    yield from table(_LAYERS, [[name, *row[1:]] for name, row in zip(names, rows, strict=True)], page.width)
    yield from _explained(
        page,
        f"removable: at a loss below {_limit(found)}; change: relative L2 of the outputs without half of the weights",
    )
    left = len(ranked) - len(shown)
    if left:
        yield Text(f"{' ' * INDENT}… {left:,} more layers: --top N, -v or JSON", "dim")


def _row(page: Page, layer: Layer) -> list[str]:
    found = layer.sensitivity
    if found is None:
        return [page.row_name(layer), *[""] * 5]
    halves = [_point(found.points, "weights", criterion, 0.5) for criterion in _CRITERIA]
    channels = "output" if found.no_channels.startswith("its channels are outputs") else "–"
    return [
        page.row_name(layer),
        per_cent(found.removable_weights),
        per_cent(found.removable_channels, channels),
        *(_cell("relative_l2", point) for point in halves),
    ]


def _limit(found: ModelSensitivity) -> str:
    if found.loss_of == "accuracy":
        points = 100 * found.loss_limit
        return f"{points:g} point{'' if points == 1 else 's'} of accuracy"
    if found.loss_of == "agreement":
        return f"{percent(found.loss_limit)} of top-1 disagreement"
    return f"{percent(found.loss_limit)} of change"


def _static(page: Page, found: Sequence[StaticAgreement]) -> list[Text]:
    """Tells whether the statistics of importance hold for this model."""
    mine = [each for each in found if each.of == "importance"]
    if not mine:
        return []
    words = "; ".join(f"{each.statistic} {_said(each)}" for each in mine)
    if all(each.verdict == "too few layers" for each in mine):
        words = f"too few layers to test redundancy and utilization ({mine[0].layers} measured)"
    return [Text(), *sentence("static vs. measured", Text(inert(words)), width=page.width)]


def _said(each: StaticAgreement) -> str:
    if each.correlation is None:
        return each.verdict
    words = {
        "holds": "ranks the layers as measured",
        "says nothing": "does not predict the sensitivity of a layer",
        "contradicts": "contradicts the measurement: do not prune by it",
    }[each.verdict]
    return f"{words} (Spearman {each.correlation:+.2f}, {many(each.layers, 'layer')})"


def _explained(page: Page, words: str) -> list[Text]:
    return hanging(Text(" " * INDENT), Text(words, "dim"), page.width)


def _point(
    points: Sequence[SensitivityPoint], unit: str, criterion: str, fraction: float
) -> SensitivityPoint | None:
    wanted = (unit, criterion, fraction)
    return next((each for each in points if (each.unit, each.criterion, each.fraction) == wanted), None)
