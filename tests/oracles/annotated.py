"""A model with the facts of passes on it, and nothing reported yet."""

from __future__ import annotations

from typing import Any

from nnea_graph.api.request import AnalysisRequest
from nnea_graph.graph import ModelGraph


def annotated(source: object, passes: str, **request: Any) -> ModelGraph:
    """The graph after passes of which none failed."""
    opened = AnalysisRequest(source=source, passes=passes, **request).open()
    results = opened.run()
    assert [(each.name, each.reason) for each in results if each.status != "ok"] == []
    return opened.graph
