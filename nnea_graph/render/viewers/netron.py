"""A Netron attachment: metrics of the model and of its operators, opened after the model itself."""

from __future__ import annotations

import json
from typing import Any

from nnea_graph.report.schema.analysis import Report

_NODE_METRICS = ("macs", "flops", "training_flops", "bytes", "live_bytes")


def render_netron(report: Report) -> str:
    """The attachment; what is not known is left out, and operators are found by their names."""
    model = {"macs": report.totals.macs, "parameters": report.totals.parameters, "flops": report.totals.flops}
    metrics = [_entry("model", "", name, f"{value:,}") for name, value in model.items() if value is not None]
    metadata = []
    for node in report.nodes:
        for name in _NODE_METRICS:
            value = getattr(node, name)
            if value is not None:
                metrics.append(_entry("node", node.id, name, value))
        if node.status:
            metadata.append(_entry("node", node.id, "status", node.status))
    metrics += [
        _entry("node", layer.id, "utilization", round(layer.weight_metrics.utilization, 6))
        for layer in report.layers
        if layer.weight_metrics and layer.weight_metrics.utilization is not None
    ]
    document = {"signature": "netron:attachment", "metrics": metrics, "metadata": metadata}
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def _entry(kind: str, target: str, name: str, value: Any) -> dict[str, Any]:
    return {"kind": kind, "target": target, "name": f"nnea.{name}", "value": value}
