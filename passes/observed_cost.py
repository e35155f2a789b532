"""Counts what inference cannot, by the shapes and trips that one run on the data shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nnea_graph.engine import Pass, RunContext
from nnea_graph.errors import DataError, OperatorError, PipelineError, RunError
from nnea_graph.graph import Key, ModelGraph, TensorInfo
from nnea_graph.passes.activations import ACTIVATIONS, data_of, limits_apart
from nnea_graph.passes.cost import COST, MODEL_COST, Cost
from nnea_graph.passes.memory import MEMORY
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.static.cost_counting import RunTotals, count_work, total_work
from nnea_graph.static.propagation import infer
from nnea_graph.static.training_cost import conventional_flops

if TYPE_CHECKING:
    from nnea_graph.runtime.observe.observe_sizes import ObservedSizes

_SECONDS = 600.0
_GROWTH = 3


@dataclass(frozen=True, slots=True)
class ObservedCost:
    """``costs`` of the operators that only a run tells the cost of, with status ``observed``.

    ``runs`` is the number of runs of each body, ``bodies`` are the totals of each; ``totals`` and ``training_flops``
    are of the whole model at what was seen, None where nothing was;
    ``unknown`` operators are still left out of them. ``reason`` is why nothing was observed, "" where all is known.
    """

    source: str = ""
    costs: Mapping[str, Cost] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    bodies: Mapping[str, RunTotals] = field(default_factory=dict)
    totals: RunTotals | None = None
    training_flops: int | None = None
    unknown: int = 0
    reason: str = ""


OBSERVED_COST = Key[ObservedCost]("observed_cost")


@dataclass(frozen=True)
class ObservedCostPass(Pass):
    """Observes the first sample where shapes end or trips depend on the data; all else is left as it is.

    The numbers hold for that sample, and say so: status ``observed``, with the data named.
    """

    name = "observed_cost"
    requires = (DIMS, SHAPES, MEMORY, COST, MODEL_COST, ACTIVATIONS)
    provides = (OBSERVED_COST,)
    runs_model = True

    seconds: float | None = None

    def run(self, graph: ModelGraph, context: RunContext) -> None:
        """Run one sample, if that can tell anything, and count at what it shows."""
        if self.seconds is not None and not self.seconds > 0:
            raise PipelineError(f"option 'seconds' of pass 'observed_cost' is above 0, not {self.seconds}")
        tensors, bodies = _open_tensors(graph), _open_bodies(graph)
        if not (tensors or bodies):
            graph[OBSERVED_COST] = ObservedCost()
            return
        if graph[ACTIVATIONS].not_run:
            graph[OBSERVED_COST] = ObservedCost(reason=graph[ACTIVATIONS].not_run)
            return
        try:
            seen, feeds = self._observe(graph, context, tensors, bodies)
            graph[OBSERVED_COST] = _counted(graph, seen, feeds, graph[ACTIVATIONS].source)
        except (DataError, RunError, OperatorError) as error:
            graph[OBSERVED_COST] = ObservedCost(reason=str(error))

    def _observe(
        self, graph: ModelGraph, context: RunContext, tensors: list[str], bodies: list[str]
    ) -> tuple[ObservedSizes, Mapping[str, NDArray[Any]]]:
        from nnea_graph.runtime.observe.observe_sizes import observe_sizes  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.session.session import Settings  # noqa: PLC0415 - start-up

        data = data_of(graph, context, 1)
        batch = next(islice(data.batches(1), 1), None)
        if batch is None:
            raise DataError("there are no data")
        seconds = context.seconds(self.seconds or _SECONDS)
        settings = Settings(apart=limits_apart(graph, context, seconds, _GROWTH))
        seen = observe_sizes(graph, (tensors, bodies), batch.feeds, settings, seconds)
        return seen, batch.feeds


def _open_tensors(graph: ModelGraph) -> list[str]:
    """Tensors of the main graph without a known shape."""
    types = graph[SHAPES].types
    made = [name for node in graph if not node.body for name in node.outputs if name]
    return [name for name in made if _is_open(types.get(name))]


def _is_open(info: TensorInfo | None) -> bool:
    """Tells whether it is a tensor, as far as that is known, whose dims are not all numbers."""
    return info is not None and info.dtype is not None and info.static is None


def _open_bodies(graph: ModelGraph) -> list[str]:
    trips = graph[SHAPES].trips
    return [
        path
        for path, body in graph.bodies.items()
        if not body.alternative and path in trips and (trips[path].count is None or trips[path].bound)
    ]


def _counted(
    graph: ModelGraph, seen: ObservedSizes, feeds: Mapping[str, NDArray[Any]], source: str
) -> ObservedCost:
    expected = {name: info.static for name, info in graph[DIMS].inputs.items()}
    for name, shape in expected.items():
        given = feeds.get(name)
        if shape is not None and given is not None and tuple(given.shape) != shape:
            return ObservedCost(
                reason=f"the first sample gives '{name}' the shape {list(given.shape)},"
                f" and the count is at {list(shape)}"
            )
    found = infer(graph, graph[DIMS], seen.shapes)
    works = count_work(graph, found, seen.runs)
    reason = f"observed on the first sample of {source}"
    gained = {}
    for node in graph:
        before, after = graph[node, COST].work, works[node.id]
        if after.status != "unknown" and (before.status == "unknown" or before.runs != after.runs):
            gained[node.id] = replace(after, status="observed", reason=reason)
    if not gained:
        return ObservedCost(source, reason="the run does not tell what these operators cost")
    works |= gained
    totals, bodies, left_out = total_work(graph, works, found.trips)
    by_convention = graph[MODEL_COST].training == "4x"
    training = conventional_flops(works) if by_convention else dict.fromkeys(works)
    spent = sum(training[node.id] or 0 for node in graph if node.body not in left_out)
    return ObservedCost(
        source,
        {name: Cost(work, training[name]) for name, work in gained.items()},
        seen.shapes,
        seen.runs,
        bodies,
        totals,
        spent if by_convention else None,
        sum(work.status == "unknown" for work in works.values()),
    )
