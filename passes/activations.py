"""Runs the model on data and sums up what is active: mean |a| and more, channel by channel, in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.layers import Meeting, leaving, meetings
from nnea_graph.engine import Pass
from nnea_graph.errors import DataError, RunError
from nnea_graph.graph import Key, ModelGraph
from nnea_graph.inference.dims import Dims
from nnea_graph.inference.walk import infer
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.memory import MEMORY
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.runtime.batch import Data
from nnea_graph.runtime.observe import ChannelStats, Collected, Kind, Observation

SYNTHETIC_SAMPLES = 8

Place = tuple[str, int]
"""A tensor and its channel axis, counted from the front."""


@dataclass(frozen=True, slots=True)
class Activations:
    """What was seen of each place; of tables, how often each row was used; ``refused`` says why it was not.

    ``leaving`` names, by operator with weights, what leaves it after its activation function.
    ``not_run`` is the reason where the model was not run at all, "" where it was.
    """

    source: str
    synthetic: bool
    samples: int
    seen: Mapping[Place, ChannelStats] = field(default_factory=dict)
    rows: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    refused: Mapping[Place, str] = field(default_factory=dict)
    leaving: Mapping[str, Place] = field(default_factory=dict)
    not_run: str = ""


ACTIVATIONS = Key[Activations]("activations")


@dataclass(frozen=True)
class ActivationsPass(Pass):
    """Sums |a|, a², max |a| and zeros inside the graph while it runs; only these leave it.

    ``data`` is what to run on, seeded random inputs where None; what cannot be run on those is no error.
    ``seconds`` and ``peak_bytes`` (of activations for one batch) bound the run.
    """

    name = "activations"
    requires = (DIMS, SHAPES, WEIGHTS, MEMORY)
    provides = (ACTIVATIONS,)
    runs_model = True

    data: Data | None = None
    batch_size: int = 8
    seed: int = 0
    seconds: float = 120.0
    peak_bytes: int = 8 << 30

    def run(self, graph: ModelGraph) -> None:
        """Observe all that enters and leaves operators with weights."""
        from nnea_graph.runtime.synthetic import synthetic_data  # noqa: PLC0415 - start-up

        places = _places(graph)
        if self.data is not None:
            graph[ACTIVATIONS] = self._on(graph, self.data, places)
            return
        try:
            data = synthetic_data(
                graph,
                graph[DIMS].inputs,
                samples=SYNTHETIC_SAMPLES,
                seed=self.seed,
                types=graph[SHAPES].types,
            )
            graph[ACTIVATIONS] = self._on(graph, data, places)
        except (DataError, RunError) as error:
            source = f"synthetic (seed {self.seed})"
            graph[ACTIVATIONS] = Activations(source, synthetic=True, samples=0, not_run=str(error))

    def _on(self, graph: ModelGraph, data: Data, places: _Places) -> Activations:
        """Run the batches, unless the model is known to take more memory than it may."""
        from nnea_graph.runtime.collect import collect  # noqa: PLC0415 - start-up

        memory = graph[MEMORY]
        needed = memory.peak_bytes * (1 if memory.unknown else self.batch_size)
        if memory.peak_bytes > self.peak_bytes:
            raise RunError(
                f"one run takes {memory.peak_bytes:,} bytes of activations at '{memory.peak_node}',"
                f" over {self.peak_bytes:,}; raise it: -p 'activations{{peak_bytes=N}}'"
            )
        size = self.batch_size if needed <= self.peak_bytes else 1
        counted = _Counted(data, size)
        found = collect(graph, places.observations, counted.feeds(), _types_at(graph), seconds=self.seconds)
        return _activations(data, counted.samples, found, places.leaving)


@dataclass(slots=True)
class _Counted:
    """Batches on their way, with the samples in them counted."""

    data: Data
    batch_size: int
    samples: int = 0

    def feeds(self) -> Iterator[Mapping[str, NDArray[Any]]]:
        for batch in self.data.batches(self.batch_size):
            yield batch.feeds
            self.samples += batch.samples


def _types_at(graph: ModelGraph) -> Any:
    """Shape inference at the shapes of a batch."""
    return lambda inputs: infer(graph, Dims({}, (), inputs, inputs, overridden=True)).types


@dataclass(frozen=True, slots=True)
class _Places:
    """What is to be observed, each tensor once."""

    observations: list[Observation]
    leaving: dict[str, Place]


def _places(graph: ModelGraph) -> _Places:
    found = graph[SHAPES]
    observations: dict[Observation, None] = {}
    outputs: dict[str, Place] = {}
    for node in graph:
        weights = graph[node, WEIGHTS]
        for side in ("input", "output") if weights else ():
            for meeting in meetings(graph, found, node, weights, side):
                if isinstance(meeting, str):
                    continue
                observations[observation_of(meeting)] = None
                if side == "output" and meeting.tensor == leaving(graph, node):
                    outputs[node.id] = (meeting.tensor, meeting.axis)
    return _Places(list(observations), outputs)


def observation_of(meeting: Meeting) -> Observation:
    """What to ask the runtime for."""
    if meeting.layout.rows:
        return Observation(meeting.tensor, None, Kind.ROWS, meeting.constant.shape[0])
    return Observation(meeting.tensor, meeting.axis, Kind.ALL)


def _activations(
    data: Data, samples: int, found: Collected, leaving_places: Mapping[str, Place]
) -> Activations:
    return Activations(
        data.source,
        data.synthetic,
        samples,
        seen={(each.tensor, each.axis or 0): stats for each, stats in found.stats.items()},
        rows={each.tensor: uses for each, uses in found.rows.items()},
        refused={(each.tensor, each.axis or 0): reason for each, reason in found.refused.items()},
        leaving=leaving_places,
    )
