"""Model Explorer: a graph collection of our own, and node data for its ONNX adapter."""

from __future__ import annotations

import json
from typing import Any

from nnea_graph.report.schema.analysis import Node, Report

_METRICS = ("macs", "bytes", "live_bytes")
_GRADIENT = [{"stop": 0, "bgColor": "#fff5eb"}, {"stop": 1, "bgColor": "#d94801"}]
_UNKNOWN = {"value": "unknown", "bgColor": "#bdbdbd"}


def render_graph(report: Report) -> str:
    """The operators nested by module, with their facts as attributes (text, as the viewer wants)."""
    places = {
        tensor: (node.id, index)
        for node in report.nodes
        for index, tensor in enumerate(node.outputs)
        if tensor
    }
    nodes = [_node(node, places) for node in report.nodes]
    graph = {"id": report.model.path, "nodes": nodes}
    return json.dumps({"label": report.model.path, "graphs": [graph]}, indent=1, ensure_ascii=True) + "\n"


def _node(node: Node, places: dict[str, tuple[str, int]]) -> dict[str, Any]:
    edges = [
        {"sourceNodeId": source, "sourceNodeOutputId": str(index), "targetNodeInputId": str(place)}
        for place, name in enumerate(node.inputs)
        if name in places
        for source, index in [places[name]]
    ]
    facts = {
        name: getattr(node, name) for name in ("macs", "flops", "bytes", "live_bytes", "status", "reason")
    }
    shapes = ["unknown" if shape is None else "x".join(map(str, shape)) for shape in node.shapes]
    return {
        "id": node.id,
        "label": node.op_type,
        "namespace": node.scope.replace(".", "/"),
        "attrs": [
            {"key": name, "value": "unknown" if value is None else str(value)}
            for name, value in facts.items()
        ],
        "incomingEdges": edges,
        "outputsMetadata": [
            {
                "id": str(index),
                "attrs": [{"key": "tensor_name", "value": name}, {"key": "shape", "value": shapes[index]}],
            }
            for index, name in enumerate(node.outputs)
        ],
    }


def render_node_data(report: Report) -> str:
    """Values by operator for the graph that the viewer shows; keys are the operators' names.

    Operators of bodies lie in graphs of their own there and are left out; unknown is a text, never 0.
    """
    main = [node for node in report.nodes if not node.body]
    found = {}
    for metric in _METRICS:
        values = {node.id: getattr(node, metric) for node in main}
        results = {
            name: dict(_UNKNOWN) if value is None else {"value": value} for name, value in values.items()
        }
        differ = len({value for value in values.values() if value is not None}) > 1
        found[metric] = {"name": f"nnea {metric}", "results": results} | (
            {"gradient": _GRADIENT} if differ else {}
        )
    return json.dumps({"main_graph": found["macs"]}, indent=1, ensure_ascii=True) + "\n"
