"""Gathers the facts on a graph into a report; whatever was not computed is None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import PurePath

from nnea_graph import __version__
from nnea_graph.engine import PassResult
from nnea_graph.graph import ModelGraph, OpNode, TensorInfo
from nnea_graph.ops.input_roles import Role
from nnea_graph.ops.int8_products import is_quantized
from nnea_graph.passes.activations import ACTIVATIONS, Activations
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.cost import MODEL_COST
from nnea_graph.passes.importance import MODEL_IMPORTANCE
from nnea_graph.passes.memory import MEMORY
from nnea_graph.passes.observed_cost import OBSERVED_COST, ObservedCost
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.passes.weight_statistics import MODEL_STATISTICS
from nnea_graph.report.assembly.optional_sections import parts_of
from nnea_graph.report.conventions import conventions
from nnea_graph.report.facts import cost_of, count, fact
from nnea_graph.report.findings.general import findings_of
from nnea_graph.report.formula import exact, note, short
from nnea_graph.report.schema import analysis as schema
from nnea_graph.report.sections.constants import constants_of
from nnea_graph.report.sections.cost_totals import cost_totals
from nnea_graph.report.sections.layers import layers_of
from nnea_graph.report.sections.modules import modules_of
from nnea_graph.report.sections.nulls import model_importance_null, model_weight_null
from nnea_graph.report.sections.statistics import NO_STATISTICS, statistic_totals
from nnea_graph.static.dims import Dims
from nnea_graph.static.result import StaticFacts

_DEPENDENCIES = ("networkx", "numpy", "onnx")


def build_report(graph: ModelGraph, results: Sequence[PassResult], sha256: str) -> schema.Report:
    """Describe everything that the passes have found."""
    dims, ran = fact(graph, DIMS), fact(graph, ACTIVATIONS)
    parts = parts_of(graph, layers_of(graph))
    layers, paths = parts.layers, parts.pathways
    nodes, totals = [_node(graph, node) for node in graph], _totals(graph, layers)
    return schema.Report(
        schema_version=schema.SCHEMA_VERSION,
        tool=schema.Tool("nnea-graph", __version__, {name: version(name) for name in _DEPENDENCIES}),
        model=_model(graph, dims, sha256),
        conventions=conventions(
            fact(graph, MODEL_COST),
            totals.statistics_of,
            paths.score if paths else None,
            int8_ran=bool(ran and ran.samples) and is_quantized(graph),
        ),
        dims=dict(dims.values) if dims else {},
        assumed_dims=list(dims.assumed) if dims else [],
        totals=totals,
        layers=layers,
        nodes=nodes,
        branches=_branches(graph, layers),
        channels=parts.channels,
        pathways=paths,
        findings=findings_of(
            graph, totals, layers, nodes, results, first=parts.lossless, more=parts.findings
        ),
        passes=[schema.PassRun(each.name, each.status, each.reason) for each in results],
        data=_data(ran),
        modules=modules_of(graph, layers, nodes),
        sensitivity=parts.sensitivity,
        quantization=parts.quantization,
        redundancy=parts.redundancy,
        constants=constants_of(graph),
        extensions={each.name: each.section for each in results if each.section is not None},
    )


def _data(found: Activations | None) -> schema.DataUsed | None:
    if found is None:
        return None
    return schema.DataUsed(found.source, found.samples, found.synthetic, found.not_run)


# Model


def _model(graph: ModelGraph, dims: Dims | None, sha256: str) -> schema.Model:
    info = graph.info
    found = fact(graph, SHAPES)
    return schema.Model(
        path=PurePath(info.path).name,
        sha256=sha256,
        size_bytes=graph.file.size_bytes,
        format=info.format,
        producer=info.producer,
        ir_version=info.ir_version,
        opsets={domain or "ai.onnx": opset for domain, opset in sorted(info.opsets.items())},
        inputs=[_tensor(graph, name, dims, found) for name in graph.inputs],
        outputs=[_tensor(graph, name, dims, found) for name in graph.outputs],
        operators=len(graph),
        metadata=dict(info.metadata),
        external_data=list(info.external_data),
    )


def _tensor(graph: ModelGraph, name: str, dims: Dims | None, found: StaticFacts | None) -> schema.ModelTensor:
    declared = graph.tensors.get(name, TensorInfo(None, None))
    if dims and name in dims.symbolic:
        declared = dims.symbolic[name]
    actual = found.types.get(name) if found else None
    dtype = (actual.dtype if actual else None) or declared.dtype
    return schema.ModelTensor(
        name=name,
        dtype=dtype.name if dtype else None,
        declared=declared.shape,
        shape=actual.shape if actual else None,
    )


# Nodes


def _node(graph: ModelGraph, node: OpNode) -> schema.Node:
    found, cost, model_cost = fact(graph, SHAPES), cost_of(graph, node), fact(graph, MODEL_COST)
    outputs = [found.types.get(name) if found and name else None for name in node.outputs]
    observed = fact(graph, OBSERVED_COST)
    seen = observed.shapes if observed else {}
    work = cost.work if cost else None
    memory = fact(graph, MEMORY)
    moved = None if work is None or work.bytes_read is None else _sum(work.bytes_read, work.bytes_written)
    return schema.Node(
        id=node.id,
        op_type=node.op_type,
        domain=node.domain or "ai.onnx",
        scope=node.scope,
        body=node.body,
        inputs=list(node.inputs),
        outputs=list(node.outputs),
        shapes=[
            seen.get(name, info.shape if info else None)
            for name, info in zip(node.outputs, outputs, strict=True)
        ],
        dtypes=[info.dtype.name if info and info.dtype else None for info in outputs],
        shape_source="observed"
        if not seen.keys().isdisjoint(node.outputs)
        else found.sources.get(node.id, "unknown")
        if found
        else "unknown",
        macs=count(cost, "macs"),
        flops=count(cost, "flops"),
        other_flops=count(cost, "other_flops"),
        training_flops=cost.training_flops if cost else None,
        macs_formula=exact(cost.formula) if cost and cost.formula and cost.formula.terms else None,
        bytes=moved,
        live_bytes=memory.live.get(node.id) if memory else None,
        status=work.status if work else None,
        reason=work.reason if work else "",
        runs=work.runs if work else None,
        in_total=model_cost is None or node.body not in model_cost.left_out,
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


def _branches(graph: ModelGraph, layers: Sequence[schema.Layer]) -> list[schema.Branch]:
    cost, found = fact(graph, MODEL_COST), fact(graph, SHAPES)
    if cost is None or found is None:
        return []
    members: Counter[str] = Counter()
    parameters: Counter[str] = Counter()
    held = {layer.id: layer.parameters for layer in layers}
    open_bodies: set[str] = set()
    observed = fact(graph, OBSERVED_COST) or ObservedCost()
    runs, sums = observed.runs, observed.bodies or cost.bodies
    seen_on = f"observed on the first sample of {observed.source}"
    for node in graph:
        path = node.body
        found_cost = cost_of(graph, node)
        unknown = found_cost is None or found_cost.work.status == "unknown"
        while path:
            open_bodies |= {path} if unknown else set()
            members[path] += 1
            parameters[path] += held.get(node.id, 0)
            path = graph.bodies[path].outer
    return [
        schema.Branch(
            path=path,
            owner=body.owner,
            operators=members[path],
            parameters=parameters[path],
            macs=None if path in open_bodies else sums[path].macs,
            flops=None if path in open_bodies else sums[path].flops,
            macs_per_trip=cost.one_trip[path],
            runs=runs[path] if path in runs else found.trips[path].count if path in found.trips else None,
            reason=seen_on if path in runs else found.trips[path].reason if path in found.trips else "",
            in_total=path not in cost.left_out,
        )
        for path, body in graph.bodies.items()
    ]


# Totals


def _totals(graph: ModelGraph, layers: Sequence[schema.Layer]) -> schema.Totals:
    cost, memory = fact(graph, MODEL_COST), fact(graph, MEMORY)
    weights = statistic_totals(layers, fact(graph, MODEL_STATISTICS), "weight_metrics")
    importance = statistic_totals(layers, fact(graph, MODEL_IMPORTANCE), "metrics")
    chosen = importance if importance and not graph[ACTIVATIONS].synthetic else weights
    has_weights = all((node, WEIGHTS) in graph for node in graph)
    return schema.Totals(
        parameters=_parameters(graph, layers) if has_weights else None,
        trainable_parameters=graph.source.trainable if graph.source else None,
        buffers=_buffers(graph) if has_weights else None,
        constants=sum(each.elements for each in constants_of(graph)) if has_weights else None,
        weight_bytes=memory.weight_bytes if memory else None,
        **cost_totals(graph),
        macs_formula=exact(cost.formula) if cost and cost.formula else None,
        macs_formula_short=short(cost.formula) if cost and cost.formula else None,
        macs_formula_note=note(cost.formula, graph[DIMS].values, cost.formula_note) if cost else "",
        statistics_of=None if chosen is None else "weights" if chosen is weights else "importance",
        **asdict(chosen or NO_STATISTICS),
        weight_totals=weights,
        importance_totals=importance,
        weight_null=model_weight_null(layers),
        importance_null=model_importance_null(layers),
        peak_activation_bytes=memory.peak_bytes if memory else None,
        peak_node=memory.peak_node if memory else None,
        unsized_tensors=memory.unknown if memory else None,
        coverage=_coverage(graph) if cost else None,
    )


def _parameters(graph: ModelGraph, layers: Sequence[schema.Layer]) -> int:
    """Parameters as the source model counts them, if it is known; else those of the layers."""
    return graph.source.size if graph.source else sum(layer.parameters for layer in layers)


def _buffers(graph: ModelGraph) -> int:
    if graph.source:
        return sum(each.size for each in graph.source.buffers if not each.shared_with)
    buffers = {
        weight.source: weight.constant.size
        for node in graph
        for weight in graph[node, WEIGHTS]
        if weight.role is Role.BUFFER
    }
    return sum(buffers.values())


def _coverage(graph: ModelGraph) -> schema.Coverage:
    costs = [(node.op_type, cost_of(graph, node)) for node in graph]
    statuses = Counter(cost.work.status for _, cost in costs if cost)
    unknown = Counter(op_type for op_type, cost in costs if cost and cost.work.status == "unknown")
    return schema.Coverage(
        statuses["exact"],
        statuses["estimated"],
        statuses["observed"],
        statuses["unknown"],
        dict(sorted(unknown.items())),
    )
