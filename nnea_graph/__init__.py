"""nnea-graph: what a trained network really costs, as passes over its ONNX graph."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnea_graph.api.analyze import analyze, load
    from nnea_graph.api.analyzer import NNEfficiencyAnalyzer, quick_analyze
    from nnea_graph.api.annotate import annotate
    from nnea_graph.api.graphsurgeon import export_graphsurgeon, to_graphsurgeon
    from nnea_graph.api.layer_analysis import LayerAnalysis
    from nnea_graph.api.prune import prune, prune_plan
    from nnea_graph.render.plots.visualizer import Visualizer
    from nnea_graph.report import Report

__version__ = "0.1.0"

__all__ = [
    "LayerAnalysis",
    "NNEfficiencyAnalyzer",
    "Report",
    "Visualizer",
    "analyze",
    "annotate",
    "export_graphsurgeon",
    "load",
    "prune",
    "prune_plan",
    "quick_analyze",
    "to_graphsurgeon",
]

_HOMES = {
    "LayerAnalysis": "nnea_graph.api.layer_analysis",
    "NNEfficiencyAnalyzer": "nnea_graph.api.analyzer",
    "Report": "nnea_graph.report",
    "Visualizer": "nnea_graph.render.plots.visualizer",
    "analyze": "nnea_graph.api.analyze",
    "annotate": "nnea_graph.api.annotate",
    "export_graphsurgeon": "nnea_graph.api.graphsurgeon",
    "load": "nnea_graph.api.analyze",
    "prune": "nnea_graph.api.prune",
    "prune_plan": "nnea_graph.api.prune",
    "quick_analyze": "nnea_graph.api.analyzer",
    "to_graphsurgeon": "nnea_graph.api.graphsurgeon",
}


def __getattr__(name: str) -> Any:
    """Import the API when it is used: ``import nnea_graph`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nnea_graph' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
