"""Facts of a report as columns: what the page's script draws, in as few bytes as it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nnea_graph.render.page import Page
from nnea_graph.render.sanitize import inert
from nnea_graph.report.glossary.lookup import find_terms
from nnea_graph.report.schema.analysis import Layer, Report
from nnea_graph.report.views.layer_rows import metrics_of

_DIGITS = 4
_CURVE = 5
"""Every fifth of the 101 points of a Lorenz curve."""

Column = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NodeFact:
    """A fact of operators; ``size`` and ``shade`` say whether areas and colors can show it."""

    column: str
    title: str
    format: str
    size: bool = False
    shade: bool = True


NODE_FACTS = (
    NodeFact("macs", "MACs", "count", size=True),
    NodeFact("parameters", "parameters", "count", size=True),
    NodeFact("bytes", "bytes moved", "bytes", size=True),
    NodeFact("flops", "FLOPs", "count"),
    NodeFact("training", "training FLOPs", "count"),
    NodeFact("live", "live activations", "bytes"),
    NodeFact("utilization", "utilization", "share"),
    NodeFact("sensitivity", "change without half of the weights", "number"),
    NodeFact("status", "status of the cost", "text", shade=False),
)


def rounded(value: float | None) -> float | int | None:
    """Four significant digits of a float; whole numbers as they are."""
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def node_columns(page: Page) -> dict[str, list[Any]]:
    """Every operator's names, facts and the operators that it reads from, by place."""
    report = page.report
    layers = {layer.id: layer for layer in report.layers}
    places = {tensor: place for place, node in enumerate(report.nodes) for tensor in node.outputs if tensor}
    mine = [layers.get(node.id) for node in report.nodes]
    return {
        "name": [page.called(node.id) for node in report.nodes],
        "id": [inert(node.id) for node in report.nodes],
        "op": [inert(node.op_type) for node in report.nodes],
        "scope": [inert(node.scope) for node in report.nodes],
        "shape": [_shape(node.shapes[0]) if node.shapes else None for node in report.nodes],
        "dtype": [node.dtypes[0] if node.dtypes else None for node in report.nodes],
        "before": [
            sorted({places[name] for name in node.inputs if name in places and places[name] != place})
            for place, node in enumerate(report.nodes)
        ],
        "counted": [int(node.in_total) for node in report.nodes],
        "macs": [node.macs for node in report.nodes],
        "flops": [node.flops for node in report.nodes],
        "training": [node.training_flops for node in report.nodes],
        "bytes": [node.bytes for node in report.nodes],
        "live": [node.live_bytes for node in report.nodes],
        "parameters": [layer.parameters if layer else 0 for layer in mine],
        "utilization": [_utilization(report, layer) if layer else None for layer in mine],
        "sensitivity": [rounded(_half_change(layer)) if layer else None for layer in mine],
        "status": [node.status for node in report.nodes],
        "reason": [inert(node.reason) for node in report.nodes],
    }


def _shape(dims: Sequence[Any] | None) -> str | None:
    return (
        None
        if dims is None
        else "×".join("?" if dim is None else inert(str(dim)) for dim in dims) or "scalar"
    )


def _utilization(report: Report, layer: Layer) -> float | None:
    metrics = metrics_of(report, layer)
    return None if metrics is None else rounded(metrics.utilization)


def _half_change(layer: Layer) -> float | None:
    return layer.sensitivity.half_change if layer.sensitivity else None


def layer_columns(page: Page) -> list[Column]:
    """The columns of the table of layers."""
    report = page.report
    whole = report.totals.macs
    metrics = [metrics_of(report, layer) for layer in report.layers]

    def of(get: Callable[[Layer], Any]) -> list[Any]:
        return [rounded(get(layer)) for layer in report.layers]

    def metric(get: Callable[[Any], Any]) -> list[Any]:
        return [None if each is None else rounded(get(each)) for each in metrics]

    return [
        _column("layer", "layer", "text", [page.row_name(layer) for layer in report.layers]),
        _column("op_type", "operator", "text", of(lambda each: inert(each.op_type))),
        _column("weight", "weight", "text", [_shape(layer.weight_shape) for layer in report.layers]),
        _column("parameters", "parameters", "count", of(lambda each: each.parameters)),
        _column("macs", "MACs", "count", of(lambda each: each.macs)),
        _column(
            "macs_share",
            "MACs %",
            "share",
            of(lambda each: each.macs / whole if whole and each.macs is not None else None),
        ),
        _column(
            "training_flops", "training FLOPs", "count", of(lambda each: each.training_flops), shown=False
        ),
        _column("utilization", "utilization", "share", metric(lambda each: each.utilization)),
        _column("redundancy", "redundancy", "share", metric(lambda each: each.redundancy)),
        _column("gini", "Gini", "number", metric(lambda each: each.gini)),
        _column("entropy", "entropy", "number", metric(lambda each: each.entropy), shown=False),
        _column(
            "effective",
            "effective weights",
            "count",
            metric(lambda each: each.effective_weights),
            shown=False,
        ),
        _column("sparsity", "|w| < 0.001", "share", metric(lambda each: (each.sparsity or {}).get("1e-3"))),
        _column("lorenz", "Lorenz", "lorenz", [_lorenz(each) for each in metrics]),
        _column("importance", "importance", "count", of(lambda each: each.importance), shown=False),
        _column("flow", "flow", "share", of(lambda each: each.flow), shown=False),
        _column(
            "half_change",
            "half removed: change",
            "number",
            of(_half_change),
            shown=report.sensitivity is not None,
        ),
        _column("id", "node", "text", of(lambda each: inert(each.id)), shown=False),
    ]


def _lorenz(metrics: Any) -> list[float] | None:
    return (
        None
        if metrics is None or not metrics.lorenz
        else [round(each, 3) for each in metrics.lorenz[::_CURVE]]
    )


def _column(key: str, title: str, form: str, values: list[Any], *, shown: bool = True) -> Column:
    known = any(value is not None for value in values)
    return {
        "key": key,
        "title": title,
        "format": form,
        "values": values,
        "shown": shown and known,
        "about": _about(title),
    }


def _about(title: str) -> str:
    """The definition of a column, where the glossary has it."""
    found = find_terms(title)
    return found[0].definition if found else ""
