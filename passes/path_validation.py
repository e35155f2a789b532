"""Runs the model without the units on the best paths, and with them alone, against other units of the same layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.ablation.baselines import Chosen, drawn, largest, units_on_paths
from nnea_graph.channels.ablation.units import AblatedUnits, read_strengths, removals
from nnea_graph.engine import Pass, RunContext
from nnea_graph.engine.data import Data
from nnea_graph.errors import RunError, UsageError
from nnea_graph.graph import Key, ModelGraph
from nnea_graph.passes.activations import ACTIVATIONS, fitting_batch, limits_apart
from nnea_graph.passes.channels import CHANNELS
from nnea_graph.passes.cost import MODEL_COST
from nnea_graph.passes.memory import MEMORY
from nnea_graph.passes.pathways import MARGINALS, PATHWAYS
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.runtime.perturb.work_budget import OPERATIONS_PER_SECOND, hang_seconds
from nnea_graph.stats.output_change import OutputChange

_GROWTH = 3
"""How often a process may hold a weight: mapped, packed for speed, and folded into another one."""
_RANDOM = "random"
_WHOLE_LAYER = "all its units are on the paths"


@dataclass(frozen=True, slots=True)
class Trials:
    """What happened with the units on the paths and with as many others of each layer: ``random`` is one a draw."""

    paths: OutputChange
    importance: OutputChange
    marginal: OutputChange
    random: tuple[OutputChange, ...]


@dataclass(frozen=True, slots=True)
class TriedLayerFact:
    """``units`` of the ``channels`` of a tensor are on the paths; they are set to 0 in ``place``."""

    tensor: str
    place: str
    units: int
    channels: int


@dataclass(frozen=True, slots=True)
class PathValidationFact:
    """``removed`` is without the chosen units, ``kept`` with them alone; ``not_validated`` says why there is neither.

    ``accuracy`` is that of the whole model. ``output`` is the tensor that is compared. ``left_out`` are tensors on
    the paths whose units stay as they are, with the reason. ``complete`` is False where the time was up.
    """

    not_validated: str = ""
    source: str = ""
    output: str = ""
    samples: int = 0
    complete: bool = False
    layers: tuple[TriedLayerFact, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    accuracy: float | None = None
    removed: Trials | None = None
    kept: Trials | None = None


PATH_VALIDATION = Key[PathValidationFact]("path_validation")


@dataclass(frozen=True)
class PathValidationPass(Pass):
    """Tells whether the units on the best paths matter more than others, by running the model; needs real data.

    ``repeats`` random choices are drawn for each layer. After ``seconds`` of work, counted at 10 billion operations
    each and not by the clock, the samples so far are what counts.
    What had to be run in another process is so here as well.
    """

    name = "path_validation"
    requires = (SHAPES, MEMORY, MODEL_COST, ACTIVATIONS, CHANNELS, PATHWAYS, MARGINALS)
    provides = (PATH_VALIDATION,)
    runs_model = True

    repeats: int = 5
    seconds: float = 60.0

    def run(self, graph: ModelGraph, context: RunContext) -> None:
        """Say why not, or try."""
        if self.repeats < 1:
            raise UsageError(f"path_validation: repeats={self.repeats}; draw at least 1 random choice")
        reason, data = _reason(graph, context), context.data
        if reason or data is None:
            graph[PATH_VALIDATION] = PathValidationFact(reason)
            return
        found = _layers(graph)
        try:
            graph[PATH_VALIDATION] = replace(self._tried(graph, context, data, found), source=data.source)
        except RunError as error:
            graph[PATH_VALIDATION] = PathValidationFact(str(error), data.source)

    def _tried(
        self, graph: ModelGraph, context: RunContext, data: Data, found: _Layers
    ) -> PathValidationFact:
        from nnea_graph.runtime.perturb.ablation_trials import Setting, TrialBudget, run_trials  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.perturb.channel_mask import Maskable, MaskedSession  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.session.session import Settings  # noqa: PLC0415 - start-up

        tensors, cost = graph[CHANNELS].tensors, graph[MODEL_COST].totals
        seconds = context.seconds(hang_seconds(self.seconds)) if self.seconds > 0 else 0.0
        budget = TrialBudget(self.seconds * OPERATIONS_PER_SECOND, cost.macs + cost.other_flops, seconds)
        places = [tensors[layer.place] for layer in found.tried]
        session = MaskedSession(
            graph,
            [Maskable(each.name, each.axes, each.dims) for each in places],
            graph[SHAPES].types,
            Settings(apart=limits_apart(graph, context, seconds, _GROWTH)),
        )
        with closing(session):
            found = found.without(session.refused)
            if not found.tried:
                return _nothing_tried(found.left_out)
            output, axes = _output(graph)
            trials = _trials(graph, found.tried, self._choices(graph, found.tried, context.seed))
            batches = data.batches(fitting_batch(graph, context))
            outcome = run_trials(Setting(session, trials, output, axes), batches, budget)
        return PathValidationFact(
            output=output,
            samples=outcome.samples,
            complete=outcome.complete,
            layers=tuple(_described(graph, layer) for layer in found.tried),
            left_out=found.left_out,
            accuracy=outcome.whole.accuracy,
            removed=_of_mode("removed", outcome.changes),
            kept=_of_mode("kept", outcome.changes),
        )

    def _choices(self, graph: ModelGraph, layers: Sequence[AblatedUnits], seed: int) -> dict[str, Chosen]:
        """Units by the way in which they are chosen."""
        counts = {layer.tensor: _count(graph, layer) for layer in layers}
        random = {
            f"{_RANDOM} {repeat}": drawn(layers, counts, seed, repeat) for repeat in range(self.repeats)
        }
        return {
            "paths": units_on_paths(layers),
            "importance": largest(layers, read_strengths(graph[CHANNELS])),
            "marginal": largest(layers, graph[MARGINALS]),
            **random,
        }


def _reason(graph: ModelGraph, context: RunContext) -> str:
    """Reason why nothing can be tried; "" if it can."""
    if context.data is None:
        return "there are no data: give --data"
    if context.data.synthetic:
        return "the data are made up: give --data"
    if not graph[PATHWAYS].paths:
        return "there are no paths"
    if graph[ACTIVATIONS].not_run:
        return graph[ACTIVATIONS].not_run
    return ""


@dataclass(frozen=True, slots=True)
class _Layers:
    """The layers on the paths; ``left_out`` by tensor with the reason."""

    tried: tuple[AblatedUnits, ...]
    left_out: Mapping[str, str]

    def without(self, refused: Mapping[str, str]) -> _Layers:
        """Less those whose places cannot be masked."""
        more = {layer.tensor: refused[layer.place] for layer in self.tried if layer.place in refused}
        return _Layers(
            tuple(layer for layer in self.tried if layer.tensor not in more), {**self.left_out, **more}
        )


def _nothing_tried(left_out: Mapping[str, str]) -> PathValidationFact:
    reason = next(iter(left_out.values()), "there are none between the ends")
    return PathValidationFact(f"no unit on the paths can be compared: {reason}", left_out=left_out)


def _layers(graph: ModelGraph) -> _Layers:
    found = removals(graph, graph[CHANNELS], graph[PATHWAYS].paths)
    whole = {layer.tensor: _WHOLE_LAYER for layer in found if layer.units.size == _count(graph, layer)}
    return _Layers(tuple(layer for layer in found if layer.tensor not in whole), whole)


def _count(graph: ModelGraph, layer: AblatedUnits) -> int:
    return graph[CHANNELS].tensors[layer.tensor].count


def _described(graph: ModelGraph, layer: AblatedUnits) -> TriedLayerFact:
    return TriedLayerFact(layer.tensor, layer.place, layer.units.size, _count(graph, layer))


def _output(graph: ModelGraph) -> tuple[str, tuple[int, ...]]:
    """The output that the best path ends in, else the first, and the axes of its channels."""
    channels = graph[CHANNELS].tensors
    ends = (path.units[-1].tensor for path in graph[PATHWAYS].paths)
    name = next((tensor for tensor in ends if tensor in graph.outputs), graph.outputs[0])
    return name, channels[name].axes if name in channels else ()


def _trials(
    graph: ModelGraph, layers: Sequence[AblatedUnits], choices: Mapping[str, Chosen]
) -> dict[tuple[str, str], dict[str, NDArray[np.bool_]]]:
    """Channels that stay, by place, for each mode and way."""
    trials = {}
    for way, chosen in choices.items():
        marked = {layer.place: _marked(_count(graph, layer), chosen[layer.tensor]) for layer in layers}
        trials["removed", way] = {place: ~units for place, units in marked.items()}
        trials["kept", way] = marked
    return trials


def _marked(count: int, units: NDArray[np.int64]) -> NDArray[np.bool_]:
    marks = np.zeros(count, np.bool_)
    marks[units] = True
    return marks


def _of_mode(mode: str, changes: Mapping[tuple[str, str], OutputChange]) -> Trials:
    random = tuple(change for (of, way), change in changes.items() if of == mode and way.startswith(_RANDOM))
    return Trials(changes[mode, "paths"], changes[mode, "importance"], changes[mode, "marginal"], random)
