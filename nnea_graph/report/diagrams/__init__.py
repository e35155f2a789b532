"""Diagrams of a model as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from nnea_graph.graph import ModelGraph
from nnea_graph.report.diagrams.flow import flow_diagram
from nnea_graph.report.diagrams.model import FlowDiagram, OperatorDiagram, PathDiagram
from nnea_graph.report.diagrams.operators import operator_diagram
from nnea_graph.report.diagrams.pathways import path_diagram
from nnea_graph.report.schema.analysis import Report


@dataclass(frozen=True, slots=True)
class Diagrams:
    """None where there is nothing to draw: no paths were found or looked for, the model has no operators."""

    paths: PathDiagram | None
    flow: FlowDiagram | None
    operators: OperatorDiagram | None


def diagrams_of(graph: ModelGraph, report: Report) -> Diagrams:
    """Lay out what there is."""
    return Diagrams(
        path_diagram(graph), flow_diagram(graph, report), operator_diagram(report) if report.nodes else None
    )
