"""nnea-graph: what a trained network really costs, as passes over its ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnea_graph.api import analyze
    from nnea_graph.report import Report

__version__ = "0.1.0"

__all__ = ["Report", "analyze"]


def __getattr__(name: str) -> Any:
    """Import the API when it is used: ``import nnea_graph`` costs nothing."""
    if name == "analyze":
        from nnea_graph.api import analyze  # noqa: PLC0415

        return analyze
    if name == "Report":
        from nnea_graph.report import Report  # noqa: PLC0415

        return Report
    raise AttributeError(f"module 'nnea_graph' has no attribute '{name}'")
