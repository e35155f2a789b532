"""Findings: what the facts mean for the reader, by rules with stable ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from nnea_graph.engine import PassResult
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.passes.activations import ACTIVATIONS
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.report.facts import fact
from nnea_graph.report.findings.rules import (
    CONSTANT_CHANNELS,
    DEAD_CHANNELS,
    FAILED_PASS,
    FIXED_BATCH,
    FLOAT_ACTIVATIONS,
    HOTSPOTS,
    LEGACY_EXPORTER,
    LOW_UTILIZATION,
    LOW_WEIGHT_UTILIZATION,
    NOT_FINITE,
    NOT_RUN,
    OTHER_SIGNATURES,
    PARAMETER_HOTSPOTS,
    RENAMED,
    SPARSE,
    STRANDED_WEIGHTS,
    TIED,
    UNCHECKED_SOURCE,
    UNFIT_DIMS,
    UNFOLDED_BATCHNORM,
    UNKNOWN_COST,
    UNKNOWN_LOOP,
    UNLIKE_SOURCE,
    UNSORTED,
    WIDENED,
)
from nnea_graph.report.schema.analysis import Finding, Layer, Node, Totals
from nnea_graph.report.sections.nulls import null_utilization
from nnea_graph.report.units import binary, percent, si

_SEVERITIES = ("error", "warning", "note")


NULL_SHARE = 0.75
"""Of the null's utilization: a layer below it is worth a finding. Chosen, not calibrated on random twins."""
STRANDED_THRESHOLD = 0.05
SPARSITY_THRESHOLD = 0.5
_SHARE = 0.25
_FEWEST_LAYERS = 3
"""Below, the table of layers says it all."""
_SMALL_LAYER = 256
"""Weights below which a layer's statistics say little."""

_NOTES = {
    "unsorted-graph": UNSORTED,
    "renamed-node": RENAMED,
    "unlike-source": UNLIKE_SOURCE,
    "legacy-exporter": LEGACY_EXPORTER,
    "widened": WIDENED,
    "fixed-batch": FIXED_BATCH,
    "float-activations": FLOAT_ACTIVATIONS,
    "other-signatures": OTHER_SIGNATURES,
    "unchecked-source": UNCHECKED_SOURCE,
}


def findings_of(  # noqa: PLR0913 - the parts of a report, and findings made elsewhere
    graph: ModelGraph,
    totals: Totals,
    layers: Sequence[Layer],
    nodes: Sequence[Node],
    results: Sequence[PassResult],
    *,
    first: Sequence[Finding] = (),
    more: Sequence[Finding] = (),
) -> list[Finding]:
    """All findings, errors first, each kind in the order of the graph.

    Of one severity ``first`` come before the others, ``more`` after them.
    """
    found = [
        *first,
        *_failures(results),
        *_structure(graph),
        *_unfit(graph),
        *_unknown(graph, nodes),
        *_not_finite(layers),
        *_shares(totals, layers, nodes),
        *_statistics(graph, layers),
        *_ties(layers),
        *_activity(graph, layers),
        *_batch_norms(graph),
        *more,
    ]
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))


def _failures(results: Sequence[PassResult]) -> Iterator[Finding]:
    for result in results:
        if result.status != "ok":
            yield FAILED_PASS.found(None, f"pass '{result.name}' {result.status}: {result.reason}")


def _structure(graph: ModelGraph) -> Iterator[Finding]:
    for rule in dict.fromkeys(note.rule for note in graph.info.notes):
        places = [note for note in graph.info.notes if note.rule == rule]
        message = places[0].message
        if places[0].place:
            message = f"'{places[0].place}'{_more(len(places))}: {message}"
        yield _NOTES[rule].found(places[0].place or None, message, len(places))


def _more(count: int) -> str:
    return f" and {count - 1:,} more" if count > 1 else ""


def _unfit(graph: ModelGraph) -> Iterator[Finding]:
    if DIMS in graph and graph[DIMS].note:
        problems = graph[SHAPES].problems
        first = f" ({problems[0].message})" if problems else ""
        yield UNFIT_DIMS.found(problems[0].node if problems else None, f"{graph[DIMS].note}{first}")


def _unknown(graph: ModelGraph, nodes: Sequence[Node]) -> Iterator[Finding]:
    unknown = [node for node in nodes if node.status == "unknown"]
    in_loops = [node for node in unknown if node.runs is None and node.body]
    for body in dict.fromkeys(node.body for node in in_loops):
        trips = graph[SHAPES].trips.get(body)
        reason = trips.reason if trips and trips.reason else "an outer loop's trips are not known"
        yield UNKNOWN_LOOP.found(body, f"body '{body}' has an unknown trip count: {reason}")
    rest = [node for node in unknown if node not in in_loops]
    for op_type in sorted({node.op_type for node in rest}):
        alike = [node for node in rest if node.op_type == op_type]
        yield UNKNOWN_COST.found(
            alike[0].id, f"{op_type} '{alike[0].id}'{_more(len(alike))}: {alike[0].reason}", len(alike)
        )


def _not_finite(layers: Sequence[Layer]) -> Iterator[Finding]:
    for layer in layers:
        metrics = layer.weight_metrics
        if metrics and metrics.nan + metrics.inf:
            message = f"layer '{layer.id}' has {metrics.nan:,} NaN and {metrics.inf:,} infinite weights"
            yield NOT_FINITE.found(layer.id, message, metrics.nan + metrics.inf, 0)


def _shares(totals: Totals, layers: Sequence[Layer], nodes: Sequence[Node]) -> Iterator[Finding]:
    """The few layers that hold most of the MACs, and those that hold most of the parameters and are not among them."""
    if len(layers) < _FEWEST_LAYERS:
        return
    outside = {node.id for node in nodes if not node.in_total}
    macs = _parts(
        [(0 if layer.id in outside else layer.macs or 0, layer.id) for layer in layers], totals.macs
    )
    sizes = _parts([(layer.parameters, layer.id) for layer in layers], totals.parameters)
    for layer_id, (count, share) in macs.items():
        message = f"layer '{layer_id}' has {percent(share)} of the MACs ({si(count)})"
        if layer_id in sizes:
            message += f" and {percent(sizes[layer_id][1])} of the parameters ({si(sizes[layer_id][0])})"
        yield HOTSPOTS.found(layer_id, message, share, _SHARE)
    for layer_id, (count, share) in sizes.items():
        if layer_id not in macs:
            message = f"layer '{layer_id}' has {percent(share)} of the parameters ({si(count)})"
            yield PARAMETER_HOTSPOTS.found(layer_id, message, share, _SHARE)


def _parts(counts: Sequence[tuple[int, str]], total: int | None) -> dict[str, tuple[int, float]]:
    """Layers with at least a quarter of the total, largest first: their count and share."""
    order = sorted(counts, key=lambda pair: (-pair[0], pair[1]))
    return {name: (count, count / total) for count, name in order if total and count >= _SHARE * total}


def _statistics(graph: ModelGraph, layers: Sequence[Layer]) -> Iterator[Finding]:
    """Findings on importance where real data ran, else of plain |w|; a tied tensor is looked at once.

    Utilization is compared with its null: what random weights have too is no finding.
    """
    activations = fact(graph, ACTIVATIONS)
    real = activations is not None and not activations.synthetic
    for layer in layers:
        weights, measured = layer.weight_metrics, layer.metrics if real else None
        if layer.tied_to or weights is None or weights.count < _SMALL_LAYER:
            continue
        utilization, null = (
            (measured or weights).utilization,
            null_utilization(layer, of_importance=bool(measured)),
        )
        if utilization is not None and null is not None and utilization < NULL_SHARE * null:
            rule, of = (LOW_UTILIZATION, "importance") if measured else (LOW_WEIGHT_UTILIZATION, "|w|")
            message = (
                f"layer '{layer.id}' uses {percent(utilization)} of its weights by entropy of {of};"
                f" {percent(null)} without training"
            )
            yield rule.found(layer.id, message, utilization, NULL_SHARE * null)
        share = weights.sparsity["1e-3"] if weights.sparsity else 0.0
        if share > SPARSITY_THRESHOLD:
            message = f"layer '{layer.id}': {percent(share)} of the weights are below 0.001"
            yield SPARSE.found(layer.id, message, share, SPARSITY_THRESHOLD)


def _ties(layers: Sequence[Layer]) -> Iterator[Finding]:
    tied = [layer for layer in layers if layer.tied_to]
    if tied:
        message = f"layer '{tied[0].id}' shares its weights with '{tied[0].tied_to}'"
        if len(tied) > 1:
            message += f"; {len(tied) - 1:,} more like it"
        yield TIED.found(tied[0].id, message, len(tied))


def _activity(graph: ModelGraph, layers: Sequence[Layer]) -> Iterator[Finding]:
    """Findings on what the channels showed; nothing follows from synthetic inputs."""
    activations = fact(graph, ACTIVATIONS)
    if activations is None:
        return
    if activations.not_run:
        rule = NOT_RUN if activations.synthetic else replace(NOT_RUN, severity="error")
        yield rule.found(None, f"the model was not run: {activations.not_run}")
    if activations.synthetic:
        return
    for layer in layers:
        channels = layer.channels
        if channels is None or not channels.outputs:
            continue
        if channels.dead_outputs:
            message = (
                f"layer '{layer.id}': {channels.dead_outputs:,} of {channels.outputs:,} channels are never active"
                f" ({binary(channels.dead_output_bytes or 0)} of weights)"
            )
            yield DEAD_CHANNELS.found(layer.id, message, channels.dead_outputs, 0)
        if channels.constant_outputs:
            message = f"layer '{layer.id}': {channels.constant_outputs:,} channels are constant"
            yield CONSTANT_CHANNELS.found(layer.id, message, channels.constant_outputs, 0)
        if (channels.stranded_weight or 0) > STRANDED_THRESHOLD:
            share = channels.stranded_weight or 0.0
            message = f"layer '{layer.id}': {percent(share)} of its weight is on inputs that are always 0"
            yield STRANDED_WEIGHTS.found(layer.id, message, share, STRANDED_THRESHOLD)


def _batch_norms(graph: ModelGraph) -> Iterator[Finding]:
    unfolded = [node for node in graph if node.op_type == "BatchNormalization" and _after_conv(graph, node)]
    if unfolded:
        yield UNFOLDED_BATCHNORM.found(
            unfolded[0].id,
            f"{len(unfolded):,} BatchNormalization after a convolution not folded ('{unfolded[0].id}'"
            f"{_more(len(unfolded))})",
            len(unfolded),
        )


def _after_conv(graph: ModelGraph, node: OpNode) -> bool:
    maker = graph.producer(node.inputs[0]) if node.inputs else None
    if maker is None or maker.op_type not in {"Conv", "ConvTranspose"}:
        return False
    return len(graph.consumers(maker.outputs[0])) == 1 and maker.outputs[0] not in graph.outputs
