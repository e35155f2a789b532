"""Runs the model on data and sums up what is active: mean |a| and more, channel by channel, in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.engine import Pass, RunContext
from nnea_graph.engine.data import Data
from nnea_graph.errors import DataError, PipelineError, RunError
from nnea_graph.graph import Key, ModelGraph
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.cost import COST, MODEL_COST
from nnea_graph.passes.memory import MEMORY
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.static.dims import Dims
from nnea_graph.static.propagation import infer

if TYPE_CHECKING:
    from nnea_graph.channels.weight_inputs import WeightInput
    from nnea_graph.runtime.observe.observations import ChannelStats, Collected, Observation
    from nnea_graph.runtime.session.session import IsolationLimits

SYNTHETIC_SAMPLES = 8

_SYNTHETIC_WORK = 100_000_000_000
"""Operations of all made-up samples together, above which there are fewer: what some seconds are enough for."""

_SYNTHETIC_MOST = 1_000_000_000_000
"""Operations of one made-up sample above which it is not run unasked: minutes on a small machine."""

_ENDLESS_SECONDS = 10.0
"""For models whose end is not known. Where all work is counted, that decides; this only guards against hangs."""
_SECONDS = 3600.0

_GROWTH = 3
"""How often a process may hold a weight: mapped, packed for speed, and folded into another one."""

Place = tuple[str, int]
"""A tensor and its channel axis, counted from the front."""


@dataclass(frozen=True, slots=True)
class Activations:
    """Observations of what was seen of each place; ``refused`` says why something was not.

    ``rows`` is how often each row of a table was used, by the tensor that chooses them and how many there are.

    ``leaving`` names, by operator with weights, what leaves it after its activation function.
    ``not_run`` is the reason where the model was not run to the end, "" where it was; ``apart`` is why another
    process ran it, "" where this one did.
    """

    source: str
    synthetic: bool
    samples: int
    seen: Mapping[Place, ChannelStats] = field(default_factory=dict)
    rows: Mapping[tuple[str, int], NDArray[np.int64]] = field(default_factory=dict)
    refused: Mapping[Observation, str] = field(default_factory=dict)
    leaving: Mapping[str, Place] = field(default_factory=dict)
    not_run: str = ""
    apart: str = ""


ACTIVATIONS = Key[Activations]("activations")


@dataclass(frozen=True)
class ActivationsPass(Pass):
    """Sums |a|, a², max |a| and zeros inside the graph while it runs; only these leave it.

    ``seconds`` bound the run, 3600 where None, and 10 on random inputs where the work of a run cannot be counted.
    A model that cannot be run within them leaves its reason in place of activations; one without known bounds is
    run in another process.
    """

    name = "activations"
    requires = (DIMS, SHAPES, WEIGHTS, MEMORY, COST, MODEL_COST)
    provides = (ACTIVATIONS,)
    runs_model = True

    seconds: float | None = None

    def run(self, graph: ModelGraph, context: RunContext) -> None:
        """Observe all that enters and leaves operators with weights."""
        if self.seconds is not None and not self.seconds > 0:
            raise PipelineError(f"option 'seconds' of pass 'activations' is above 0, not {self.seconds}")
        source = context.data.source if context.data else f"synthetic (seed {context.seed})"
        try:
            _refuse(graph, context.memory_bytes)
            graph[ACTIVATIONS] = self._on(graph, context, data_of(graph, context, context.samples))
        except (DataError, RunError) as error:
            if context.data and isinstance(error, DataError):
                raise  # the user can mend it; a model that cannot run still has its static facts
            graph[ACTIVATIONS] = Activations(
                source, synthetic=context.data is None, samples=0, not_run=str(error)
            )

    def _on(self, graph: ModelGraph, context: RunContext, data: Data) -> Activations:
        """Run the batches, here or in another process."""
        from nnea_graph.runtime.observe.collect import collect  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.session.session import Settings  # noqa: PLC0415 - start-up

        places, size = _places(graph), fitting_batch(graph, context)
        if data.synthetic and self.seconds is None and context.samples is None:
            _refuse_long(graph)
        guard = _ENDLESS_SECONDS if data.synthetic and not _is_counted(graph) else _SECONDS
        seconds = context.seconds(self.seconds or guard)
        apart = doubt_of(graph, min(size, data.samples or size))
        settings = Settings(apart=_limits(graph, context, seconds, _GROWTH) if apart else None)
        counted = _Counted(data, size)
        found = collect(
            graph, places.observations, counted.feeds(), _types_at(graph), settings=settings, seconds=seconds
        )
        return _activations(data, counted.samples, found, places.leaving, apart)


def _refuse(graph: ModelGraph, most: int) -> None:
    """Refuse what is known to take too much, before anything is made for it."""
    from nnea_graph.runtime.export.to_onnx import too_many  # noqa: PLC0415 - start-up

    memory = graph[MEMORY]
    if reason := too_many(len(graph)):
        raise RunError(reason)
    if memory.peak_bytes > most:
        raise RunError(
            f"one run takes {memory.peak_bytes:,} bytes of activations at '{memory.peak_node}', over {most:,};"
            f" raise it: --limit activation_bytes=N"
        )


def _refuse_long(graph: ModelGraph) -> None:
    """Refuses by the work that is counted, so that the load of the machine decides nothing."""
    work = _work(graph)
    if work > _SYNTHETIC_MOST:
        raise RunError(
            f"one made-up sample takes {work:,} operations, over {_SYNTHETIC_MOST:,}; give data, or have it run all"
            " the same: -p '+activations{seconds=600}'"
        )


def _work(graph: ModelGraph) -> int:
    """Operations of one run, as far as they are known."""
    totals = graph[MODEL_COST].totals
    return totals.macs + totals.other_flops


def _is_counted(graph: ModelGraph) -> bool:
    """Tells whether the cost of every operator is known, and how often it runs: such a model comes to an end."""
    works = (graph[node, COST].work for node in graph)
    return all(
        work.runs is not None and None not in {work.count("macs"), work.count("other_flops")}
        for work in works
    )


def _limits(graph: ModelGraph, context: RunContext, seconds: float, growth: int) -> IsolationLimits:
    from nnea_graph.runtime.session.session import IsolationLimits  # noqa: PLC0415 - start-up

    return IsolationLimits(context.memory_bytes + growth * graph[MEMORY].weight_bytes, seconds)


def limits_apart(
    graph: ModelGraph, context: RunContext, seconds: float, growth: int
) -> IsolationLimits | None:
    """Those of another process, where the model had to be run in one; it may hold a weight ``growth`` times."""
    return _limits(graph, context, seconds, growth) if graph[ACTIVATIONS].apart else None


def fitting_batch(graph: ModelGraph, context: RunContext) -> int:
    """One sample where a batch would take too much memory."""
    size = context.batch_size
    return size if graph[MEMORY].peak_bytes * size <= context.memory_bytes else 1


def data_of(graph: ModelGraph, context: RunContext, samples: int | None = None) -> Data:
    """The data of the run; where there are none, so many seeded random samples, or as many as the model allows."""
    return context.data or made_up(graph, samples or synthetic_samples(graph), context.seed)


def made_up(graph: ModelGraph, samples: int, seed: int) -> Data:
    """Seeded random inputs."""
    from nnea_graph.runtime.synthetic.samples import synthetic_data  # noqa: PLC0415 - start-up

    return synthetic_data(graph, graph[DIMS].inputs, samples=samples, seed=seed, types=graph[SHAPES].types)


def synthetic_samples(graph: ModelGraph) -> int:
    """Tells how many samples to make up: fewer of a model that takes long."""
    return max(1, min(SYNTHETIC_SAMPLES, _SYNTHETIC_WORK // max(_work(graph), 1)))


def doubt_of(graph: ModelGraph, samples: int) -> str:
    """Reason why batches of so many samples should be run in another process; "" if in this one."""
    from nnea_graph.runtime.session.isolation_policy import doubt  # noqa: PLC0415 - start-up

    memory = graph[MEMORY]
    works = [graph[node, COST].work for node in graph]
    peak, unknown = memory.peak_bytes, memory.unknown
    return doubt(graph, graph[SHAPES], works, peak=peak, unknown=unknown, samples=samples)


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
class _ObservedTensors:
    """Tensors: what is to be observed, each tensor once."""

    observations: list[Observation]
    leaving: dict[str, Place]


def _places(graph: ModelGraph) -> _ObservedTensors:
    from nnea_graph.channels.weight_inputs import meetings  # noqa: PLC0415 - start-up

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
                if side == "output":
                    outputs.setdefault(node.id, (meeting.tensor, meeting.axis))
    return _ObservedTensors(list(observations), outputs)


def observation_of(meeting: WeightInput) -> Observation:
    """Observation: what to ask the runtime for."""
    from nnea_graph.runtime.observe.observations import Kind, Observation  # noqa: PLC0415 - start-up

    if meeting.layout.rows:
        return Observation(meeting.tensor, None, Kind.ROWS, meeting.layout.channels(meeting.constant.shape))
    return Observation(meeting.tensor, meeting.axis, Kind.ALL)


def _activations(
    data: Data, samples: int, found: Collected, leaving_places: Mapping[str, Place], apart: str
) -> Activations:
    return Activations(
        data.source,
        data.synthetic,
        samples,
        seen={(each.tensor, each.axis or 0): stats for each, stats in found.stats.items()},
        rows={(each.tensor, each.rows): uses for each, uses in found.rows.items()},
        refused=found.refused,
        leaving=leaving_places,
        apart=apart,
    )
