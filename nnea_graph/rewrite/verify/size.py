"""Size that a model takes: parameters, multiply-accumulates, bytes."""

from __future__ import annotations

from collections.abc import Mapping

from nnea_graph.engine import RunContext, run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.errors import OperatorError
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.report.schema.verification import ModelSize
from nnea_graph.static.cost_counting import count_work, total_work
from nnea_graph.static.dims import resolve
from nnea_graph.static.propagation import fit_of, infer

Shapes = Mapping[str, tuple[int, ...]]


def size_of(graph: ModelGraph, shapes: Shapes, file_bytes: int) -> ModelSize:
    """Size with inputs of these shapes. Weights are found first where nobody has; no other fact is written."""
    try:
        if any((node, WEIGHTS) not in graph for node in graph):
            passes = complete(parse("constants"), catalogue(), may_run=False)
            run_passes(graph, passes, RunContext(input_shapes=shapes))
        macs, reason = _macs(graph, shapes)
    except OperatorError as error:
        return ModelSize(None, None, str(error), file_bytes)
    return ModelSize(_parameters(graph), macs, reason, file_bytes)


def _parameters(graph: ModelGraph) -> int:
    return sum(weight.parameters for node in graph for weight in graph[node, WEIGHTS])


def _macs(graph: ModelGraph, shapes: Shapes) -> tuple[int, str]:
    found = infer(graph, resolve(graph, {}, shapes, lambda tried: fit_of(graph, tried)))
    works = count_work(graph, found)
    totals, _, _ = total_work(graph, works, found.trips)
    unknown = sorted({node.op_type for node in graph if works[node.id].status == "unknown"})
    return totals.macs, f"without {', '.join(unknown)}, whose cost is not known" if unknown else ""
