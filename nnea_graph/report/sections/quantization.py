"""Quantization in the report: what few bits lose, layer by layer and of all, and what must stay in floats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nnea_graph.graph import ModelGraph
from nnea_graph.passes.quantization import MODEL_QUANTIZATION, QUANTIZATION
from nnea_graph.passes.quantization import LayerQuantizationFact as Found
from nnea_graph.report.facts import fact, measurement, node_fact
from nnea_graph.report.schema import quantization as schema
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.stats.fake_quantize import FORMATS, INT8_CHANNEL

_NOTHING = Found(reason="not computed (pass quantization)")

if TYPE_CHECKING:
    from nnea_graph.runtime.perturb.quantized_runs import KeptFloat, QuantizedRun


def with_quantization(graph: ModelGraph, layers: Sequence[Layer]) -> list[Layer]:
    """The layers with what was measured of them, ranked by what int8 by channel changes at the output."""
    if MODEL_QUANTIZATION not in graph:
        return list(layers)
    facts = [node_fact(graph, graph.node(layer.id), QUANTIZATION) or _NOTHING for layer in layers]
    changes = [_change(each) for each in facts]
    order = sorted((change for change in changes if change is not None), reverse=True)
    return [
        replace(layer, quantization=_layer(each, None if change is None else order.index(change) + 1))
        for layer, each, change in zip(layers, facts, changes, strict=True)
    ]


def _change(found: Found) -> float | None:
    run = found.outputs.get(INT8_CHANNEL.name)
    return run.change.relative_l2 if run else None


def _layer(found: Found, rank: int | None) -> schema.LayerQuantization:
    spread = found.spread
    return schema.LayerQuantization(
        rank=rank,
        bytes=found.bytes,
        count=spread.count if spread else None,
        crest=spread.crest if spread else None,
        outliers=spread.outliers if spread else None,
        dead_range=spread.dead_range if spread else None,
        float16_overflow=spread.overflowing if spread else None,
        float16_subnormal=spread.subnormal if spread else None,
        formats=[
            schema.QuantizedWeights(
                each.form.name,
                each.bytes,
                each.change.relative_l2,
                each.change.sqnr_db,
                _loss(found.outputs.get(each.form.name)),
            )
            for each in found.weights
        ],
        reason=found.reason or found.not_run,
    )


def _loss(run: QuantizedRun | None) -> schema.OutputLoss | None:
    if run is None:
        return None
    change = run.change
    return schema.OutputLoss(
        change.relative_l2, change.sqnr_db, change.agreement, change.accuracy, run.loss, change.reason
    )


def model_quantization(graph: ModelGraph) -> schema.ModelQuantization | None:
    """Quantization of all layers; None where the pass did not run."""
    found = fact(graph, MODEL_QUANTIZATION)
    if found is None:
        return None
    layers = {node.id: graph[node, QUANTIZATION] for node in graph if graph[node, QUANTIZATION].weights}
    sizes = {
        form.name: {
            name: each.bytes for name, layer in layers.items() for each in layer.weights if each.form == form
        }
        for form in FORMATS
    }
    floats = {name: layer.bytes for name, layer in layers.items()}
    return schema.ModelQuantization(
        **measurement(found),
        bytes=sum(floats.values()),
        formats=[
            schema.QuantizedModel(name, sum(own.values()), _loss(found.whole.get(name)))
            for name, own in sizes.items()
        ],
        kept=[_kept(each, sizes[each.form.name], floats) for each in found.kept],
        not_run=found.not_run,
    )


def _kept(found: KeptFloat, sizes: Mapping[str, int], floats: Mapping[str, int]) -> schema.KeptInFloat:
    tried = [(count, _loss(found.tried[count])) for count in sorted(found.tried)]
    kept = found.layers
    return schema.KeptInFloat(
        format=found.form.name,
        layers=None if kept is None else list(kept),
        bytes=None if kept is None else sum(floats[name] if name in kept else sizes[name] for name in sizes),
        tried=[schema.KeptTrial(count, loss) for count, loss in tried if loss is not None],
        reason=found.reason,
    )
