"""Findings from what was measured with weights set to zero: on real data, and on enough of them, only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnea_graph.report.findings.rules import Rule
from nnea_graph.report.schema.analysis import Finding, Layer
from nnea_graph.report.schema.sensitivity import ModelSensitivity, SensitivityPoint
from nnea_graph.report.sections.sensitivity import HOLDS
from nnea_graph.report.units import percent

REMOVABLE_CHANNELS = Rule(
    "NNEA210",
    "note",
    "these channels cost memory and time but hardly affect the outputs, measured by setting them to zero",
    "remove them with their coupled channels, then measure again: losses of several layers add up",
)
REMOVABLE_WEIGHTS = Rule(
    "NNEA211",
    "note",
    "these weights hardly affect the outputs; zeros reduce the compressed file, not the latency",
    "store the model sparse or compressed, or remove whole channels to reduce latency",
)
STATISTIC_FAILS = Rule(
    "NNEA212",
    "note",
    "pruning by this metric is not supported: it does not correlate with the sensitivity on this model",
    "choose layers by the measured sensitivity",
)
CRITERION_FAILS = Rule(
    "NNEA213",
    "note",
    "another pruning criterion lost less on this model",
    "rank this model's weights by the criterion that lost less",
)

SHARE_THRESHOLD = 0.3
_RUINED = 10
"""Limits: where even the best criterion loses more, nothing follows from which one loses less."""


def sensitivity_findings(found: ModelSensitivity | None, layers: Sequence[Layer]) -> list[Finding]:
    """Findings that follow; nothing from made-up data, or from fewer samples than the loss limit can be seen on."""
    if found is None or found.not_run or found.synthetic or found.samples * found.loss_limit < 1:
        return []
    return [*_channels(found, layers), *_weights(found), *_statistics(found), *_criteria(found)]


def _channels(found: ModelSensitivity, layers: Sequence[Layer]) -> Iterator[Finding]:
    for layer in layers:
        share = layer.sensitivity.removable_channels if layer.sensitivity else None
        if layer.sensitivity is None or share is None or share < SHARE_THRESHOLD:
            continue
        point = _point(layer.sensitivity.points, "channels", "importance", share)
        if point is not None:
            part = f"least important {percent(share)} of channels ({point.removed:,})"
            message = f"layer '{layer.id}': its {part} can be removed"
            yield REMOVABLE_CHANNELS.found(
                layer.id, f"{message} {_cost(found, point)}", share, SHARE_THRESHOLD
            )


def _weights(found: ModelSensitivity) -> Iterator[Finding]:
    share = found.removable_weights
    point = _point(found.points, "weights", "importance", share)
    if share is None or share < SHARE_THRESHOLD or point is None:
        return
    message = f"the least important {percent(share)} of every layer's weights can be removed at once"
    yield REMOVABLE_WEIGHTS.found(None, f"{message} {_cost(found, point)}", share, SHARE_THRESHOLD)


def _cost(found: ModelSensitivity, point: SensitivityPoint) -> str:
    loss = point.loss or 0.0
    on = f"measured on {found.samples:,} samples"
    if found.loss_of == "accuracy":
        points = round(100 * loss, 1)
        words = f"and gain {-points:.1f}" if points < 0 else f"for a loss of {points:.1f}"
        before, after = percent(found.accuracy or 0.0), percent(point.accuracy or 0.0)
        return f"{words} points of accuracy ({before} to {after}), {on}"
    if found.loss_of == "agreement":
        return f"at {percent(loss)} top-1 disagreement, {on}"
    return f"at {percent(loss)} relative change of the outputs, {on}"


def _statistics(found: ModelSensitivity) -> Iterator[Finding]:
    for each in found.static:
        if each.of != "importance" or each.correlation is None or each.correlation >= HOLDS:
            continue
        ranks = "contradicts" if each.verdict == "contradicts" else "does not predict"
        message = f"{each.statistic} of importance {ranks} the measured sensitivity"
        figures = f"Spearman {each.correlation:+.2f} over {each.layers} layers"
        yield STATISTIC_FAILS.found(None, f"{message} ({figures})", each.correlation, HOLDS)


def _criteria(found: ModelSensitivity) -> Iterator[Finding]:
    """The share at which another criterion was better by most."""
    for unit in ("weights", "channels"):
        shares = sorted({point.fraction for point in found.points if point.unit == unit})
        gaps = [gap for share in shares if (gap := _gap(found, unit, share)) is not None]
        if gaps:
            widest, message = max(gaps)
            yield CRITERION_FAILS.found(None, message, widest, found.loss_limit)


def _gap(found: ModelSensitivity, unit: str, share: float) -> tuple[float, str] | None:
    """Says by how much the best other criterion was better, in words; None where it was not, or all was lost."""
    losses = {
        each.criterion: each.loss for each in found.points if (each.unit, each.fraction) == (unit, share)
    }
    mine = losses.pop("importance", None)
    others = {name: loss for name, loss in losses.items() if loss is not None}
    if mine is None or not others:
        return None
    best = min(others, key=lambda name: others[name])
    gap = mine - others[best]
    if gap < found.loss_limit or others[best] > _RUINED * found.loss_limit:
        return None
    words = {"magnitude": "of smallest |w|", "random": "drawn at random"}[best]
    message = f"{percent(share)} of all {unit} {words} cost less ({_loss(found, others[best])})"
    return gap, f"{message} than the least important ones ({_loss(found, mine)})"


def _loss(found: ModelSensitivity, loss: float) -> str:
    return f"{100 * loss:.1f} points" if found.loss_of == "accuracy" else percent(loss)


def _point(
    points: Sequence[SensitivityPoint], unit: str, criterion: str, fraction: float | None
) -> SensitivityPoint | None:
    wanted = (unit, criterion, fraction)
    return next((each for each in points if (each.unit, each.criterion, each.fraction) == wanted), None)
