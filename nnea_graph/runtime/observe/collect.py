"""Runs a model on batches as they come and sums up what is seen: memory does not grow with the samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from nnea_graph.errors import RunError
from nnea_graph.graph import ModelGraph, TensorInfo
from nnea_graph.runtime.observe.observations import Collected, Observation, Types
from nnea_graph.runtime.observe.observing_session import Observer
from nnea_graph.runtime.session.session import Settings

TypesAt = Callable[[Types], Types]
"""The types of all tensors when the inputs have these: shape inference."""

_REMEMBERED = 16


def collect(  # noqa: PLR0913 - what, of what, on what, and three options
    graph: ModelGraph,
    observations: Sequence[Observation],
    feeds: Iterable[Mapping[str, NDArray[Any]]],
    types_at: TypesAt,
    *,
    settings: Settings | None = None,
    seconds: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Collected:
    """Observations of what is seen of the tensors over all batches; ``progress`` is told how many have been run.

    Raises:
        RunError: onnxruntime cannot load or run the model, or more than ``seconds`` have passed.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    total = Collected()
    observer: Observer | None = None
    inference = _Inference(graph, types_at)
    try:
        for batch in feeds:
            if observer is None:
                observer = Observer(graph, observations, inference.types(batch), settings or Settings())
            types = inference.types(batch) if observer.inferred else {}
            total.merge(observer.run(batch, types, _remaining(deadline)))
            if progress:
                progress(total.batches)
    finally:
        if observer:
            observer.close()
    return total


def _remaining(deadline: float | None) -> float | None:
    """Seconds until then."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise RunError("the time for running the model is up; raise the limit or give fewer samples")
    return left


class _Inference:
    """Shape inference once for batches of the same shapes."""

    def __init__(self, graph: ModelGraph, types_at: TypesAt) -> None:
        self._graph = graph
        self._types_at = types_at
        self._known: dict[tuple[tuple[int, ...], ...], Types] = {}

    def types(self, batch: Mapping[str, NDArray[Any]]) -> Types:
        arrays = {name: batch[name] for name in self._graph.inputs if hasattr(batch.get(name), "shape")}
        key = tuple(array.shape for array in arrays.values())
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            declared = self._graph.tensors
            inputs = {name: TensorInfo(declared[name].dtype, array.shape) for name, array in arrays.items()}
            self._known[key] = self._types_at(inputs)
        return self._known[key]
