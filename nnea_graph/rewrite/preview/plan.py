"""Says what could go of a model: families, what changes with them, what each would save, measured where it may run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nnea_graph.engine.context import ACTIVATION_BYTES
from nnea_graph.engine.data import Data
from nnea_graph.errors import RunError
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.ops.weight_layout import layouts
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.cost import COST
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.report.display_names import called
from nnea_graph.report.schema.pruning_plan import NotPrunable, PlannedFamily, PruningPlan, SavedTime
from nnea_graph.rewrite.coupling.groups import Coupling, Family, couplings
from nnea_graph.rewrite.preview.affected_operators import Axes, axes_by_family, parts_of
from nnea_graph.rewrite.preview.savings import (
    KeptCounts,
    all_resources,
    saved_time,
    saving,
    unknown_time,
    whole,
)
from nnea_graph.rewrite.selection.consumers import layers_seen, readers_of
from nnea_graph.rewrite.selection.eligibility import (
    KEPT_ANYWAY,
    Readers,
    is_kept,
    stays_whole,
    steps_by_family,
)
from nnea_graph.rewrite.selection.resource_model import Resources
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned
from nnea_graph.rewrite.verify.speedup import speed_between
from nnea_graph.runtime.export.to_onnx import Written, to_proto
from nnea_graph.runtime.session.session import Session, Settings, session_of
from nnea_graph.runtime.session.trial import try_run
from nnea_graph.static.result import call_of

NOT_RUN = "not run: --no-run"
NOTHING = "none of them can go"
IN_BODY = "in a body of a Loop, If or Scan"
ONLY_ONE = "one channel only"
NOT_FOLLOWED = "the channels of the output are not followed"
_THREADS = 1
_SECONDS = 60.0
"""Of one run, above which the rounds of all families would not end."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """``keep`` and ``align`` as of a pruning; ``run_samples`` of the data are one run, timed ``rounds`` times."""

    keep: tuple[str, ...] = ()
    align: str = "auto"
    run_samples: int = 1
    rounds: int = 30
    memory_bytes: int = ACTIVATION_BYTES


def plan_graph(
    graph: ModelGraph, data: Data | None, options: PlanOptions, progress: Progress | None = None
) -> PruningPlan:
    """Plan for a model with the facts of cost and shape inference; without ``data`` nothing is run.

    Raises:
        UsageError: an option makes no sense.
        DataError: the data cannot be read.
        RunError: the model cannot be run on the user's own data.
    """
    return _Planning(graph, data, options, progress or (lambda _: None)).plan()


class _Planning:
    def __init__(
        self, graph: ModelGraph, data: Data | None, options: PlanOptions, progress: Progress
    ) -> None:
        self._graph, self._data, self._options, self._tell = graph, data, options, progress
        self._coupling: Coupling = couplings(graph)
        self._axes: Mapping[str, Axes] = axes_by_family(self._coupling)
        self._readers: Readers = readers_of(graph, self._coupling, layers_seen(graph))
        self._resources: Resources = all_resources(graph, self._coupling)

    def plan(self) -> PruningPlan:
        """All of it, family after family."""
        unmeasured = NOT_RUN if self._data is None and self._options.align == "auto" else ""
        align = "1" if unmeasured else self._options.align
        self._tell("channel blocks of the runtime")
        steps = steps_by_family(self._graph, self._coupling.families, self._readers, align)
        stopwatch = _stopwatch(self._graph, self._data, self._options)
        parameters, macs, stored = whole(self._resources)
        families = [self._family(each, steps[each.name], stopwatch) for each in self._coupling.families]
        pinned = list(_whole_layers(self._graph, self._coupling))
        named = [
            *(name for each in families for name in (each.family, *each.parts.operators)),
            *(each.layer for each in pinned),
        ]
        return PruningPlan(
            model=self._graph.info.path,
            dims=self._graph[DIMS].values,
            inputs={name: list(info.static or ()) for name, info in self._graph[DIMS].inputs.items()},
            parameters=parameters,
            macs=macs,
            macs_reason=_left_out(self._graph),
            bytes=stored,
            align=self._options.align,
            align_reason=unmeasured,
            data=self._data.source if self._data else "",
            synthetic=self._data is not None and self._data.synthetic,
            run_samples=stopwatch.samples,
            families=families,
            pinned=pinned,
            called=called(self._graph, named),
        )

    def _family(self, family: Family, step: int, stopwatch: _Stopwatch) -> PlannedFamily:
        steps = KeptCounts(len(family.groups), step)
        half = steps.after_half()
        kept = kept_slots(self._coupling, family.groups[half:] if half else ())
        self._tell(f"latency without half of {family.name}")
        return PlannedFamily(
            family=family.name,
            groups=len(family.groups),
            channels=family.channels,
            step=step,
            reason=self._why_whole(family),
            parts=parts_of(self._graph, family, self._axes[family.name], kept),
            one_step=saving(self._resources, family.name, steps.after_one()),
            half=saving(self._resources, family.name, half),
            half_time=stopwatch.time(lambda: Written(pruned(self._graph, kept)))
            if half
            else unknown_time(NOTHING),
        )

    def _why_whole(self, family: Family) -> str:
        if is_kept(self._graph, family, self._options.keep):
            return KEPT_ANYWAY
        return stays_whole(family, self._readers[family.name])


def _whole_layers(graph: ModelGraph, coupling: Coupling) -> Iterator[NotPrunable]:
    """Layers with channels that stay, and those that the coupling says nothing of."""
    known = {layer for family in coupling.families for layer in family.layers}
    for pin in coupling.pinned:
        known.add(pin.layer)
        yield NotPrunable(pin.layer, pin.channels, pin.reason)
    for node in graph:
        if node.id not in known and any(weight.role is Role.WEIGHT for weight in graph[node, WEIGHTS]):
            yield NotPrunable(node.id, None, IN_BODY if node.body else _why_unknown(graph, node))


def _why_unknown(graph: ModelGraph, node: OpNode) -> str:
    for layout in layouts(call_of(node, graph[SHAPES])):
        place, axis = layout.leads_to or (0, -1)
        dims = graph[SHAPES].types[node.outputs[place]].shape or ()
        if -len(dims) <= axis < len(dims) and dims[axis] == 1:
            return ONLY_ONE
    return NOT_FOLLOWED


def _left_out(graph: ModelGraph) -> str:
    unknown = sorted({node.op_type for node in graph if graph[node, COST].work.status == "unknown"})
    return f"without {', '.join(unknown)}, whose cost is not known" if unknown else ""


@dataclass(frozen=True, slots=True)
class _Stopwatch:
    """The original ready to run beside others, or why it is not."""

    session: Session | None
    feeds: Mapping[str, NDArray[Any]]
    samples: int | None
    rounds: int
    reason: str = ""

    def time(self, smaller: Callable[[], Written]) -> SavedTime:
        """Time that a run of a smaller model takes less."""
        if self.session is None:
            return unknown_time(self.reason)
        try:
            after = session_of(smaller(), Settings(_THREADS, native=True))
            return saved_time(speed_between(self.session, after, self.feeds, _THREADS, self.rounds))
        except RunError as error:
            return unknown_time(str(error))


def _stopwatch(graph: ModelGraph, data: Data | None, options: PlanOptions) -> _Stopwatch:
    if data is None:
        return _Stopwatch(None, {}, None, options.rounds, NOT_RUN)
    batch = next(iter(data.batches(options.run_samples)))
    try:
        try_run(graph, batch.feeds, options.memory_bytes, _SECONDS)
        session = session_of(to_proto(graph), Settings(_THREADS, native=True))
    except RunError as error:
        if not data.synthetic:
            raise
        return _Stopwatch(None, {}, None, options.rounds, f"not on made-up inputs: {error}")
    return _Stopwatch(session, batch.feeds, batch.samples, options.rounds)
