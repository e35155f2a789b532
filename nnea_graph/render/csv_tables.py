"""CSV tables of a report: layers, operators, findings (RFC 4180, UTF-8, LF, empty for unknown)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from nnea_graph.report.schema.analysis import Report

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that a spreadsheet takes for a formula."""

_LAYER = (
    "id",
    "scope",
    "op_type",
    "parameters",
    "macs",
    "flops",
    "training_flops",
    "status",
    "flow",
    "importance",
)
_METRICS = ("utilization", "redundancy", "gini", "entropy", "effective_weights", "mean", "std", "max")
_NODE = (
    "id",
    "op_type",
    "domain",
    "scope",
    "body",
    "macs",
    "flops",
    "other_flops",
    "bytes",
    "live_bytes",
    "status",
    "reason",
)


def layer_table(report: Report) -> str:
    """One line a layer: costs, and statistics of |w| (``weight_``) and of importance."""
    heads = (*_LAYER, *(f"weight_{name}" for name in _METRICS), *(f"importance_{name}" for name in _METRICS))
    rows = [
        [
            *(getattr(layer, name) for name in _LAYER),
            *(getattr(layer.weight_metrics, name, None) for name in _METRICS),
            *(getattr(layer.metrics, name, None) for name in _METRICS),
        ]
        for layer in report.layers
    ]
    return _csv(heads, rows)


def operator_table(report: Report) -> str:
    """One line an operator."""
    return _csv(_NODE, [[getattr(node, name) for name in _NODE] for node in report.nodes])


def _csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([_cell(each) for each in row] for row in rows)
    return file.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    guarded = f"'{value}" if value.startswith(_FORMULA) else value
    return guarded.encode("utf-8", "backslashreplace").decode()
