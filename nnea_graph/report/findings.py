"""Findings: what the facts mean for the reader, by rules with stable ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nnea_graph.engine import PassResult
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.passes.activations import ACTIVATIONS
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.report.facts import fact
from nnea_graph.report.schema import Finding, Layer, Node, Totals
from nnea_graph.report.units import binary, percent, si

_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding. The id never changes its meaning."""

    id: str
    severity: str
    hazard: str
    mitigation: str

    def found(
        self, node: str | None, message: str, value: float | None = None, threshold: float | None = None
    ) -> Finding:
        """A finding of this kind."""
        return Finding(self.id, self.severity, node, message, self.hazard, self.mitigation, value, threshold)


UNSORTED = Rule(
    "NNEA101",
    "note",
    "onnx.checker and other tools refuse such a file, though onnxruntime runs it",
    "sort it when exporting: onnx-graphsurgeon's toposort() does",
)
RENAMED = Rule(
    "NNEA102",
    "note",
    "a name that two operators share is ambiguous in every tool",
    "give operators names of their own; here the later ones end in _2, _3 …",
)
UNKNOWN_COST = Rule(
    "NNEA103",
    "warning",
    "the totals are without these operators",
    "read the reason at each node in the JSON report",
)
UNFIT_DIMS = Rule(
    "NNEA104",
    "warning",
    "shapes, and what depends on them, are unknown where the operators contradict the assumed dims",
    "give the real dims: --dim name=number or --input-shape input:1,3,224,224",
)
FAILED_PASS = Rule(
    "NNEA105",
    "error",
    "its facts are missing from this report, and those of passes that need it",
    "report it to whoever wrote the pass, with this line",
)
NOT_FINITE = Rule(
    "NNEA106",
    "error",
    "NaN and infinite weights make the model's outputs useless; statistics leave them out",
    "find where training diverged, or where a conversion overflowed",
)
UNKNOWN_LOOP = Rule(
    "NNEA107",
    "warning",
    "the totals are without the body of this loop",
    "multiply 'macs_per_trip' of its branch in the JSON report by the trips that you expect",
)
NOT_RUN = Rule(
    "NNEA108",
    "warning",
    "activations, importance and what rests on them are not known",
    "give data that the model takes: --data, or real dims: --dim, --input-shape; or --no-run to leave it out",
)
DEARER_LAYERS = Rule(
    "NNEA201",
    "note",
    "this is where time goes: work elsewhere is nearly free",
    "try fewer channels here first, or a factorized form (depthwise and pointwise, low rank)",
)
LARGER_LAYERS = Rule(
    "NNEA202",
    "note",
    "this is where the size is: work elsewhere hardly makes the file smaller",
    "try fewer units here first, a low-rank factorization, or weights of fewer bits",
)
LOW_UTILIZATION = Rule(
    "NNEA203",
    "warning",
    "few weights carry most of the magnitude, which hints at an oversized layer; it does not prove it",
    "prune it and measure the loss: the statistic is of weights alone",
)
SPARSE = Rule(
    "NNEA204",
    "warning",
    "weights that do (nearly) nothing are stored and multiplied all the same",
    "remove whole channels, or train the layer smaller: runtimes gain nothing from scattered zeros",
)
TIED = Rule(
    "NNEA205",
    "note",
    "its parameters are counted once, at the layer named",
    "nothing; a change to one layer changes the other",
)
UNFOLDED_BATCHNORM = Rule(
    "NNEA206",
    "note",
    "a normalization that could be part of the convolution before it costs a pass over the activations",
    "fold it when exporting, if your runtime does not (onnxruntime does while loading)",
)

DEAD_CHANNELS = Rule(
    "NNEA207",
    "warning",
    "units that are never active on the data take memory and time for nothing",
    "remove these channels with all that belongs to them; check on data that show every class first",
)
CONSTANT_CHANNELS = Rule(
    "NNEA208",
    "note",
    "units that always give the same number could be part of the next bias",
    "fold them into the next layer's bias and remove them",
)
STRANDED_WEIGHTS = Rule(
    "NNEA209",
    "note",
    "weights that meet inputs which are always 0 have no effect on the data",
    "they go with the dead channels before them, or with inputs that never carry anything",
)

UTILIZATION_THRESHOLD = 0.5
STRANDED_THRESHOLD = 0.05
SPARSITY_THRESHOLD = 0.5
_SHARE = 0.1
_MOST_NAMED = 3
_SMALL_LAYER = 256
"""Weights below which a layer's statistics say little."""

_NOTES = {"unsorted-graph": UNSORTED, "renamed-node": RENAMED}


def findings_of(  # noqa: PLR0913 - the parts of a report, and findings made elsewhere
    graph: ModelGraph,
    totals: Totals,
    layers: Sequence[Layer],
    nodes: Sequence[Node],
    results: Sequence[PassResult],
    *,
    more: Sequence[Finding] = (),
) -> list[Finding]:
    """All findings, errors first, each kind in the order of the graph; ``more`` come after those of their severity."""
    found = [
        *_failures(results),
        *_structure(graph),
        *_unfit(graph),
        *_unknown(graph, nodes),
        *_not_finite(layers),
        *_shares(totals, layers, nodes),
        *_statistics(layers),
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
        yield UNKNOWN_LOOP.found(body, f"body '{body}' runs an unknown number of times: {reason}")
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
    """The few layers that hold most of the MACs, and most of the parameters."""
    outside = {node.id for node in nodes if not node.in_total}
    macs = [(0 if layer.id in outside else layer.macs or 0, layer.id) for layer in layers]
    for rule, total, word, counts in (
        (DEARER_LAYERS, totals.macs, "MACs", macs),
        (LARGER_LAYERS, totals.parameters, "parameters", [(layer.parameters, layer.id) for layer in layers]),
    ):
        if not total or len(layers) < 2:
            continue
        top = sorted(counts, key=lambda pair: (-pair[0], pair[1]))[:_MOST_NAMED]
        top = [pair for pair in top if pair[0] >= _SHARE * total]
        for count, layer_id in top:
            share = count / total
            yield rule.found(
                layer_id,
                f"layer '{layer_id}' has {percent(share)} of the {word} ({si(count)})",
                share,
                _SHARE,
            )


def _statistics(layers: Sequence[Layer]) -> Iterator[Finding]:
    for layer in layers:
        metrics = layer.weight_metrics
        if metrics is None or metrics.count < _SMALL_LAYER:
            continue
        if metrics.utilization is not None and metrics.utilization < UTILIZATION_THRESHOLD:
            yield LOW_UTILIZATION.found(
                layer.id,
                f"layer '{layer.id}' uses {percent(metrics.utilization)} of its weights by entropy",
                metrics.utilization,
                UTILIZATION_THRESHOLD,
            )
        share = metrics.sparsity["1e-3"] if metrics.sparsity else 0.0
        if share > SPARSITY_THRESHOLD:
            yield SPARSE.found(
                layer.id,
                f"layer '{layer.id}': {percent(share)} of the weights are below 0.001",
                share,
                SPARSITY_THRESHOLD,
            )


def _ties(layers: Sequence[Layer]) -> Iterator[Finding]:
    for layer in layers:
        if layer.tied_to:
            yield TIED.found(layer.id, f"layer '{layer.id}' shares its weights with '{layer.tied_to}'")


def _activity(graph: ModelGraph, layers: Sequence[Layer]) -> Iterator[Finding]:
    """What the channels showed; of made-up data nothing follows."""
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
            message = f"layer '{layer.id}': {percent(share)} of its weight meets inputs that are always 0"
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
