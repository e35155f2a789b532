"""Findings from what weights in few bits lose: of the weights always, of the outputs on enough real data only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnea_graph.report.findings.rules import Rule
from nnea_graph.report.schema.analysis import Finding, Layer
from nnea_graph.report.schema.quantization import (
    KeptInFloat,
    LayerQuantization,
    ModelQuantization,
    OutputLoss,
    QuantizedModel,
)
from nnea_graph.report.units import binary, percent

QUANTIZABLE = Rule(
    "NNEA230",
    "note",
    "low-bit weights make a smaller file, and a faster model if it is memory-bound",
    "quantize the weights; if activations are quantized too, measure again: this is weight-only quantization",
)
KEEP_IN_FLOAT = Rule(
    "NNEA231",
    "note",
    "a few layers cause most of the quantization loss",
    "use mixed precision: exclude these layers (nodes_to_exclude of onnxruntime's quantizer)",
)
OVERFLOW = Rule(
    "NNEA232",
    "warning",
    "weights beyond 65504 overflow to infinity in float16",
    "keep this layer in float32 or bfloat16, or scale its weights",
)
SUBNORMAL = Rule(
    "NNEA233",
    "note",
    "many weights are subnormal in float16 and lose precision",
    "scale the layer's weights up and its output down, or keep it in float32",
)
ONE_SCALE = Rule(
    "NNEA234",
    "note",
    "outlier weights determine the per-tensor scale, which leaves few levels for the others",
    "quantize this layer per channel or per block",
)

SUBNORMAL_SHARE = 0.1
FEWEST_SUBNORMAL = 16
SCALE_GAP_DB = 12.0
"""Two bits: where a scale for each channel is worth that much, one for all is not enough."""

_MAIN = ("int8_channel", "int4_block32")
_WORDS = {"int8_channel": "int8 by channel", "int4_block32": "int4 in blocks of 32"}


def quantization_findings(found: ModelQuantization | None, layers: Sequence[Layer]) -> list[Finding]:
    """What follows; at the output nothing from made-up data or from fewer samples than the limit can be seen on."""
    if found is None:
        return []
    weights = [
        finding for layer in layers if layer.quantization for finding in _weights(layer, layer.quantization)
    ]
    if found.not_run or found.synthetic or found.samples * found.loss_limit < 1:
        return weights
    return [*weights, *_outputs(found)]


def _weights(layer: Layer, found: LayerQuantization) -> Iterator[Finding]:
    count = found.float16_overflow or 0
    if count:
        message = (
            f"layer '{layer.id}': {count:,} weight{'' if count == 1 else 's'} beyond the range of float16"
        )
        yield OVERFLOW.found(layer.id, message, count, 0)
    small = found.float16_subnormal or 0
    share = small / found.count if found.count else 0.0
    if share >= SUBNORMAL_SHARE and small >= FEWEST_SUBNORMAL:
        message = (
            f"layer '{layer.id}': {percent(share)} of the weights are below the normal numbers of float16"
        )
        yield SUBNORMAL.found(layer.id, message, share, SUBNORMAL_SHARE)
    sqnr = {each.format: each.sqnr_db for each in found.formats}
    one, many = sqnr.get("int8"), sqnr.get("int8_channel")
    if one is not None and many is not None and many - one >= SCALE_GAP_DB:
        message = (
            f"layer '{layer.id}': int8 keeps {one:.1f} dB with one scale, {many:.1f} dB with one for each channel"
            f" (crest factor {found.crest or 0.0:.1f})"
        )
        yield ONE_SCALE.found(layer.id, message, many - one, SCALE_GAP_DB)


def _outputs(found: ModelQuantization) -> Iterator[Finding]:
    whole = {each.format: each for each in found.formats}
    kept = {each.format: each for each in found.kept}
    for name in _MAIN:
        yield from _format(found, whole[name], kept.get(name))


def _format(found: ModelQuantization, whole: QuantizedModel, kept: KeptInFloat | None) -> Iterator[Finding]:
    loss = whole.output
    if loss is None or loss.loss is None:
        return
    name = _WORDS[whole.format]
    if loss.loss < found.loss_limit:
        message = f"all weights in {name} ({binary(found.bytes)} to {binary(whole.bytes)}) cost {_cost(found, loss)}"
        yield QUANTIZABLE.found(None, message, loss.loss, found.loss_limit)
    elif kept is not None and kept.layers:
        trial = next((each for each in kept.tried if each.kept == len(kept.layers)), None)
        names = ", ".join(f"'{layer}'" for layer in kept.layers[:_MOST_NAMES])
        more = len(kept.layers) - _MOST_NAMES
        others = f" and {more:,} more" if more > 0 else ""
        after = f"{_cost(found, trial.output)}" if trial else "nothing, as no layer is left"
        message = f"in {name} all weights cost {_cost(found, loss)}; with {names}{others} in float {after}"
        yield KEEP_IN_FLOAT.found(kept.layers[0], message, len(kept.layers), 0)


_MOST_NAMES = 5


def _cost(found: ModelQuantization, loss: OutputLoss) -> str:
    lost = loss.loss or 0.0
    if found.loss_of == "accuracy":
        points = round(100 * lost, 1)
        return (
            f"{abs(points):.1f} points of accuracy"
            if points >= 0
            else f"nothing ({-points:.1f} points gained)"
        )
    if found.loss_of == "agreement":
        return f"{percent(lost)} top-1 disagreement"
    return f"{percent(lost)} relative change of the outputs"
