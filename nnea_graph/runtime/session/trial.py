"""A run of a model in another process, before this one runs it: what takes a process down takes down that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.session.isolated import IsolatedSession
from nnea_graph.runtime.session.session import IsolationLimits

_GROWTH = 4
"""Times the weights that onnxruntime may take while it makes a session."""


def try_run(graph: ModelGraph, feeds: Mapping[str, NDArray[Any]], memory_bytes: int, seconds: float) -> None:
    """Run it once on these inputs, its outputs thrown away; ``memory_bytes`` are of the activations.

    Raises:
        RunError: onnxruntime does not take the model, or it ends the process, or takes more than the limits.
    """
    weights = sum(constant.stored_bytes for constant in graph.constants.values())
    limits = IsolationLimits(memory_bytes + _GROWTH * weights, seconds)
    session = IsolatedSession(to_proto(graph), list(graph.outputs), 1, limits)
    try:
        session.run(feeds, [], seconds)
    finally:
        session.close()
