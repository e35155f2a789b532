"""nnea-graph: what a trained network really costs, as passes over its ONNX graph."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnea_graph.analyzer import NNEfficiencyAnalyzer, quick_analyze
    from nnea_graph.annotator import annotate
    from nnea_graph.api import analyze
    from nnea_graph.layer_analysis import LayerAnalysis
    from nnea_graph.pruner import prune, prune_plan
    from nnea_graph.render.plots import Visualizer
    from nnea_graph.report import Report

__version__ = "0.1.0"

__all__ = [
    "LayerAnalysis",
    "NNEfficiencyAnalyzer",
    "Report",
    "Visualizer",
    "analyze",
    "annotate",
    "prune",
    "prune_plan",
    "quick_analyze",
]

_HOMES = {
    "LayerAnalysis": "nnea_graph.layer_analysis",
    "NNEfficiencyAnalyzer": "nnea_graph.analyzer",
    "Report": "nnea_graph.report",
    "Visualizer": "nnea_graph.render.plots",
    "analyze": "nnea_graph.api",
    "annotate": "nnea_graph.annotator",
    "prune": "nnea_graph.pruner",
    "prune_plan": "nnea_graph.pruner",
    "quick_analyze": "nnea_graph.analyzer",
}


def __getattr__(name: str) -> Any:
    """Import the API when it is used: ``import nnea_graph`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nnea_graph' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
