"""Measures what really happens to the output when the least important weights or channels go, by running it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nnea_graph.channels.ablation.schedule import WHOLE, concerned, ordered_cuts
from nnea_graph.channels.ablation.weights_and_channels import (
    CRITERIA,
    UNITS,
    Ablation,
    Array,
    Removable,
    Slot,
    removable,
    removed,
    zeroed,
)
from nnea_graph.channels.output_channels import last_layers
from nnea_graph.engine import Pass, RunContext
from nnea_graph.errors import DataError, PipelineError, RunError
from nnea_graph.graph import Key, ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.passes.activations import (
    ACTIVATIONS,
    data_of,
    fitting_batch,
    limits_apart,
)
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.cost import MODEL_COST
from nnea_graph.passes.importance import mean_activations
from nnea_graph.passes.memory import MEMORY
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.runtime.perturb.work_budget import (
    WorkBudget,
    fitting_samples,
    hang_seconds,
    sample_operations,
)
from nnea_graph.static.constant_folding import UnpackedPayload
from nnea_graph.stats.measurement import Measured
from nnea_graph.stats.output_change import OutputChange, loss, loss_kind

if TYPE_CHECKING:
    from nnea_graph.runtime.perturb.repeated_runs import Rerun
    from nnea_graph.runtime.perturb.weight_override import WeightOverrideSession


@dataclass(frozen=True, slots=True)
class AblationPoint:
    """One measurement: so many were set to zero, and what that changed. ``loss`` is as ``loss_of`` says."""

    cut: Ablation
    removed: int
    change: OutputChange
    loss: float | None


@dataclass(frozen=True, slots=True)
class LayerSensitivityFact:
    """What was measured of an operator's weights; ``reason`` says why nothing, ``no_channels`` why none of those."""

    points: tuple[AblationPoint, ...] = ()
    reason: str = ""
    no_channels: str = ""


@dataclass(frozen=True, slots=True)
class ModelSensitivityFact(Measured):
    """Measurements: what was measured of all layers at once, and on what."""

    points: tuple[AblationPoint, ...] = ()


SENSITIVITY = Key[LayerSensitivityFact]("sensitivity")
MODEL_SENSITIVITY = Key[ModelSensitivityFact]("model_sensitivity")


@dataclass(frozen=True)
class SensitivityPass(Pass):
    """Zeroes 10 to 90 % of each layer's and of all weights or channels, the least first, and runs the data.

    ``seconds`` of work, counted at 10 billion operations each and not by the clock, bound the measuring: what does
    not fit is left out, the most telling comes first. ``loss`` is what a removal may cost
    to count as harmless: points of accuracy (0.01 is one point) with labels, else the share
    of samples whose class changes, else relative L2. ``units`` are ``weights`` and ``channels``.
    """

    name = "sensitivity"
    requires = (DIMS, SHAPES, WEIGHTS, MEMORY, MODEL_COST, ACTIVATIONS)
    provides = (SENSITIVITY, MODEL_SENSITIVITY)
    default = False
    runs_model = True

    seconds: float = 60.0
    loss: float = 0.01
    units: tuple[str, ...] = UNITS

    def run(self, graph: ModelGraph, context: RunContext) -> None:
        """Measure, as far as the model and the budget allow."""
        self._check()
        found = {node.id: removable_of(graph, node) for node in graph}
        layers = {node: each for node, each in found.items() if isinstance(each, Removable)}
        last = last_layers(graph, layers)
        layers = {node: _kept_outputs(each) if node in last else each for node, each in layers.items()}
        model, points = self._measured(graph, context, layers)
        graph[MODEL_SENSITIVITY] = replace(model, points=tuple(points.get(WHOLE, ())))
        for node in graph:
            each = layers.get(node.id)
            if each is None:
                graph[node, SENSITIVITY] = LayerSensitivityFact(reason=str(found[node.id]))
            else:
                graph[node, SENSITIVITY] = LayerSensitivityFact(
                    tuple(points.get(node.id, ())), model.not_run, each.no_channels
                )

    def _check(self) -> None:
        unknown = [unit for unit in self.units if unit not in UNITS]
        if unknown or not self.units:
            raise PipelineError(
                f"option 'units' of pass 'sensitivity' is weights, channels or weights|channels,"
                f" not '{'|'.join(self.units)}'"
            )
        for name, value in (("seconds", self.seconds), ("loss", self.loss)):
            if not value > 0:
                raise PipelineError(f"option '{name}' of pass 'sensitivity' is above 0, not {value}")

    def _measured(
        self, graph: ModelGraph, context: RunContext, layers: dict[str, Removable]
    ) -> tuple[ModelSensitivityFact, dict[str, list[AblationPoint]]]:
        """The facts of the model but for its points, and points by layer."""
        from nnea_graph.runtime.perturb.repeated_runs import Bounds, Rerun  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.perturb.weight_override import WeightOverrideSession  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.session.session import Settings  # noqa: PLC0415 - start-up

        activations, totals = graph[ACTIVATIONS], graph[MODEL_COST].totals
        hang, batch_size = context.seconds(hang_seconds(self.seconds)), fitting_batch(graph, context)
        sample = sample_operations(totals.macs + totals.other_flops, len(graph), batch_size)
        budget = WorkBudget(self.seconds, sample, hang)
        settings = Settings(apart=limits_apart(graph, context, hang, _GROWTH))
        nothing = ModelSensitivityFact(activations.source, activations.synthetic, self.loss)
        if activations.not_run or not layers:
            return replace(nothing, not_run=activations.not_run or "no layer's weights can be altered"), {}
        try:
            data = data_of(graph, context)
            weights = {
                slot: constant for each in layers.values() for slot, constant in each.constants().items()
            }
            with closing(WeightOverrideSession(graph, weights, settings)) as session:
                first = fitting_samples(self.seconds * _FIRST_SHARE, sample)
                bounds = Bounds(first, stop=budget.stop if activations.apart else None)
                rerun = Rerun(session, data, batch_size, bounds)
                return _Measuring(self, context, layers, session, rerun, budget).all(nothing)
        except (RunError, DataError) as error:
            if isinstance(error, DataError) and context.data is not None:
                raise
            return replace(nothing, not_run=str(error)), {}


_FIRST_SHARE = 0.05
"""Of the work, at most, for the first run of the samples."""
_GROWTH = 4
"""How often a process may hold a weight: mapped, packed, folded into another one, and replaced."""


@dataclass(slots=True)
class _Measuring:
    """All points of a model, as far as the budget goes."""

    wanted: SensitivityPass
    context: RunContext
    layers: dict[str, Removable]
    session: WeightOverrideSession
    rerun: Rerun
    budget: WorkBudget
    loss_of: str = ""
    unaltered: OutputChange = field(default_factory=lambda: OutputChange(None, None, None, None))

    def all(
        self, nothing: ModelSensitivityFact
    ) -> tuple[ModelSensitivityFact, dict[str, list[AblationPoint]]]:
        self.budget.take_samples(self.rerun.samples)
        self.unaltered = self.rerun.change({}) or self.unaltered
        if self.unaltered.relative_l2 is None:
            reason = self.unaltered.reason or "the model has no output of real numbers other than zero"
            return replace(nothing, not_run=reason), {}
        self.loss_of = loss_kind(self.unaltered)
        plan = ordered_cuts(list(self.layers.values()), self.wanted.units)
        points = self._points(plan)
        model = replace(
            nothing,
            samples=self.rerun.samples,
            offered=self.rerun.total,
            unaltered=self.unaltered,
            loss_of=self.loss_of,
            planned=len(plan),
            measured=sum(map(len, points.values())),
        )
        return model, {name: sorted(found, key=_place) for name, found in points.items()}

    def _points(self, plan: Sequence[tuple[str, Ablation]]) -> dict[str, list[AblationPoint]]:
        points: dict[str, list[AblationPoint]] = {}
        sizes = [self._weights(name, cut) for name, cut in plan]
        left, measured = sum(sizes), 0
        for place, ((name, cut), weights) in enumerate(zip(plan, sizes, strict=True)):
            seconds = round(self.budget.left(left, len(plan) - place))
            self.context.progress(f"{measured}/{len(plan)}, {seconds // 60}:{seconds % 60:02} left")
            left -= weights
            point = self._point(name, cut, weights) if self.budget.fits(weights) else None
            if point is not None:
                points.setdefault(name, []).append(point)
                measured += 1
        return points

    def _weights(self, name: str, cut: Ablation) -> int:
        return sum(layer.size("weights") for layer in concerned(self.layers, name, cut))

    def _point(self, name: str, cut: Ablation, weights: int) -> AblationPoint | None:
        """None where it is taken to hang."""
        from nnea_graph.runtime.perturb.repeated_runs import measured  # noqa: PLC0415 - start-up

        concerns = list(concerned(self.layers, name, cut))
        change = measured(self.rerun, self.budget, weights, lambda: self._zeroed(concerns, cut))
        if change is None:
            return None
        count = sum(removed(layer, cut) for layer in concerns)
        return AblationPoint(cut, count, change, loss(self.loss_of, self.unaltered, change))

    def _zeroed(self, layers: Sequence[Removable], cut: Ablation) -> dict[Slot, Array]:
        return {
            slot: values
            for layer in layers
            for slot, values in zeroed(layer, self.session.originals, cut, self.context.seed).items()
        }


def _place(point: AblationPoint) -> tuple[int, int, float]:
    """Place in a table."""
    return UNITS.index(point.cut.unit), CRITERIA.index(point.cut.criterion), point.cut.fraction


def _kept_outputs(layer: Removable) -> Removable:
    return replace(layer, channels=0, no_channels="its channels are outputs of the model")


def removable_of(graph: ModelGraph, node: OpNode) -> Removable | str:
    """Parts that can go from an operator, or why nothing is measured of it."""
    from nnea_graph.runtime.perturb.weight_override import ALTERABLE  # noqa: PLC0415 - start-up

    weights = graph[node, WEIGHTS]
    measured = [weight for weight in weights if weight.role is Role.WEIGHT]
    if not measured:
        return "it has no weights but scales and biases" if weights else "no weights"
    if any(isinstance(weight.constant.payload, UnpackedPayload) for weight in measured):
        return f"{node.op_type} unpacks its weights by itself; they cannot be altered here"
    foreign = [weight for weight in measured if weight.constant.dtype.name not in ALTERABLE]
    if foreign:
        return f"weights of type {foreign[0].constant.dtype.name} cannot be altered here"
    activations = graph[ACTIVATIONS]
    alterable = [weight for weight in weights if weight.constant.dtype.name in ALTERABLE]
    return removable(
        graph, graph[SHAPES], node, alterable, lambda meeting: mean_activations(meeting, activations)
    )
