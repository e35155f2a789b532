"""Runs a model on the same samples stage after stage: each operator once, while weights change in between."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.export.extract_subgraph import excerpt, frontier, makers
from nnea_graph.runtime.session.session import Settings, session_of

Array = NDArray[Any]
Tensors = Mapping[str, Array]

KEPT_BYTES = 1 << 30
"""What is kept from one stage to the next, at most."""


class Stages:
    """A stage gives some tensors for every batch, with the weights of that time.

    What the finished operators hand to the others is kept for all batches, up to ``kept_bytes`` (twice, while a
    stage runs); where it is more, the next stage begins with the samples again.
    """

    def __init__(
        self,
        graph: ModelGraph,
        feeds: Callable[[], Iterable[Tensors]],
        kept_bytes: int = KEPT_BYTES,
        settings: Settings | None = None,
    ) -> None:
        self._graph, self._feeds, self._limit = graph, feeds, kept_bytes
        self._settings = settings or Settings()
        self._past: set[str] = set()
        self._kept: list[Tensors] | None = None

    def run(
        self, seen: Sequence[str], finished: Collection[str], weights: Mapping[str, Array]
    ) -> Iterator[list[Array]]:
        """The tensors ``seen``, batch by batch; all batches must be taken.

        No weight that makes the tensors ``finished`` changes any more. ``weights`` are the values of stored
        constants by name, where they are not the model's own.

        Raises:
            RunError: onnxruntime does not take the part of the model, or cannot run it.
            DataError: the samples cannot be read.
        """
        before, past = self._kept, self._past | makers(self._graph, finished)
        handed = frontier(self._graph, past)
        given = before[0] if before else None
        there = set(self._graph.inputs) if given is None else set(given)
        made = [name for name in dict.fromkeys((*seen, *handed)) if name not in there]
        session = session_of(excerpt(self._graph, made, given, weights), self._settings) if made else None
        kept: list[Tensors] | None = []
        size = 0
        for place, feeds in enumerate(self._feeds() if before is None else before):
            run = session.run({name: feeds[name] for name in session.inputs}, made) if session else []
            found = {**feeds, **dict(zip(made, run, strict=True))}
            if before is not None:
                before[place] = {}
            if kept is not None:
                kept.append({name: found[name] for name in handed})
                size += sum(np.asarray(array).nbytes for array in kept[-1].values())
                kept = kept if size <= self._limit else None
            yield [found[name] for name in seen]
        self._kept, self._past = kept, past if kept is not None else set()
