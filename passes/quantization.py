"""Measures what weights in int8, int4 and float16 lose: in themselves, and in the output by running the model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.quantizable import roundable
from nnea_graph.engine import Pass, RunContext
from nnea_graph.errors import DataError, PipelineError, RunError
from nnea_graph.graph import Constant, Key, ModelGraph
from nnea_graph.graph.dtypes import storage
from nnea_graph.passes.activations import (
    ACTIVATIONS,
    data_of,
    fitting_batch,
    limits_apart,
)
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.cost import COST, MODEL_COST
from nnea_graph.passes.memory import MEMORY
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.runtime.perturb.work_budget import (
    WorkBudget,
    fitting_samples,
    hang_seconds,
    sample_operations,
)
from nnea_graph.static.constant_folding import loaded
from nnea_graph.stats.fake_quantize import FORMATS, Format, distance, matrix_shape, rounded
from nnea_graph.stats.measurement import Measured
from nnea_graph.stats.outliers import CrestFactor, spread
from nnea_graph.stats.output_change import OutputChange, OutputComparison
from nnea_graph.stats.quantizable import QuantizableWeights

if TYPE_CHECKING:
    from nnea_graph.runtime.perturb.quantized_runs import KeptFloat, QuantizedRun, RoundedRuns


@dataclass(frozen=True, slots=True)
class RoundedWeights:
    """A layer's weights in a format: how far they move, and what they take with their scales."""

    form: Format
    change: OutputChange
    bytes: int


@dataclass(frozen=True, slots=True)
class LayerQuantizationFact:
    """``weights`` are by format; ``outputs``, by the format's name, what the model loses with this layer alone in it.

    ``reason`` says why there is nothing, ``not_run`` why nothing was measured at the output.
    """

    spread: CrestFactor | None = None
    bytes: int = 0
    weights: tuple[RoundedWeights, ...] = ()
    outputs: Mapping[str, QuantizedRun] = field(default_factory=dict)
    reason: str = ""
    not_run: str = ""


@dataclass(frozen=True, slots=True)
class ModelQuantizationFact(Measured):
    """Loss that all layers together lose by format, and which must stay in floats."""

    whole: Mapping[str, QuantizedRun] = field(default_factory=dict)
    kept: tuple[KeptFloat, ...] = ()


QUANTIZATION = Key[LayerQuantizationFact]("quantization")
MODEL_QUANTIZATION = Key[ModelQuantizationFact]("model_quantization")


@dataclass(frozen=True)
class QuantizationPass(Pass):
    """Rounds weights as onnxruntime's tools do, and runs the data with all layers and with each alone rounded.

    ``seconds`` of work, counted at 10 billion operations each and not by the clock, bound the running: what does
    not fit is left out, the most telling comes first. ``loss`` is what quantization may cost:
    points of accuracy (0.01 is one point) with labels, else the share of samples whose
    class changes, else relative L2. Activations stay as they are: this is what the weights lose.
    """

    name = "quantization"
    requires = (DIMS, SHAPES, WEIGHTS, MEMORY, COST, MODEL_COST, ACTIVATIONS)
    provides = (QUANTIZATION, MODEL_QUANTIZATION)
    default = False
    runs_model = True

    seconds: float = 60.0
    loss: float = 0.01

    def run(self, graph: ModelGraph, context: RunContext) -> None:
        """Round every weight once, then run as far as the model and the budget allow."""
        for name, value in (("seconds", self.seconds), ("loss", self.loss)):
            if not value > 0:
                raise PipelineError(f"option '{name}' of pass 'quantization' is above 0, not {value}")
        layers: dict[str, QuantizableWeights] = {}
        for node in graph:
            macs = graph[node, COST].work.count("macs")
            weights = graph[node, WEIGHTS]
            found = roundable(graph[SHAPES], node, weights, macs)
            graph[node, QUANTIZATION] = weights_rounded(found)
            if isinstance(found, QuantizableWeights) and not graph[node, QUANTIZATION].reason:
                layers[node.id] = found
        model, runs = self._measured(graph, context, layers)
        graph[MODEL_QUANTIZATION] = model
        for name in layers:
            node = graph.node(name)
            outputs = runs.alone.get(name, {}) if runs else {}
            graph[node, QUANTIZATION] = replace(
                graph[node, QUANTIZATION], outputs=outputs, not_run=model.not_run
            )

    def _measured(
        self, graph: ModelGraph, context: RunContext, layers: dict[str, QuantizableWeights]
    ) -> tuple[ModelQuantizationFact, RoundedRuns | None]:
        from nnea_graph.runtime.perturb.quantized_runs import RoundedRuns  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.perturb.repeated_runs import Bounds, Rerun  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.perturb.weight_override import ALTERABLE, WeightOverrideSession  # noqa: PLC0415 - start-up
        from nnea_graph.runtime.session.session import Settings  # noqa: PLC0415 - start-up

        activations, totals = graph[ACTIVATIONS], graph[MODEL_COST].totals
        hang, batch_size = context.seconds(hang_seconds(self.seconds)), fitting_batch(graph, context)
        sample = sample_operations(totals.macs + totals.other_flops, len(graph), batch_size)
        budget = WorkBudget(self.seconds, sample, hang)
        nothing = ModelQuantizationFact(activations.source, activations.synthetic, self.loss)
        constants = {part.slot: part.constant for each in layers.values() for part in each.parts}
        foreign = {each.dtype.name for each in constants.values()} - ALTERABLE
        reason = activations.not_run or _nothing_to_run(layers, foreign)
        if reason:
            return replace(nothing, not_run=reason), None
        settings = Settings(apart=limits_apart(graph, context, hang, _GROWTH))
        try:
            data = data_of(graph, context)
            with closing(WeightOverrideSession(graph, constants, settings)) as session:
                first = fitting_samples(self.seconds * _FIRST_SHARE, sample)
                bounds = Bounds(first, stop=budget.stop if activations.apart else None)
                rerun = Rerun(session, data, batch_size, bounds)
                runs = RoundedRuns(layers, session, rerun, budget, self.loss, context.progress)
                return _described(nothing, runs, runs.measure()), runs
        except (RunError, DataError) as error:
            if isinstance(error, DataError) and context.data is not None:
                raise
            return replace(nothing, not_run=str(error)), None


_FIRST_SHARE = 0.05
"""Of the work, at most, for the first run of the samples."""
_GROWTH = 5
"""How often a process may hold a weight: mapped, packed, folded into another one, and rounded twice."""


def _nothing_to_run(layers: Mapping[str, QuantizableWeights], foreign: set[str]) -> str:
    if not layers:
        return "no layer has weights that a quantizer takes"
    return f"weights of type {min(foreign)} cannot be altered here" if foreign else ""


def _described(nothing: ModelQuantizationFact, runs: RoundedRuns, not_run: str) -> ModelQuantizationFact:
    if not_run:
        return replace(nothing, not_run=not_run)
    return replace(
        nothing,
        samples=runs.rerun.samples,
        offered=runs.rerun.total,
        unaltered=runs.unaltered,
        loss_of=runs.loss_of,
        planned=runs.planned,
        measured=runs.measured,
        whole=runs.whole,
        kept=tuple(runs.kept),
    )


# Weights alone


def weights_rounded(found: QuantizableWeights | str) -> LayerQuantizationFact:
    """A layer's weights in every format, read once; its largest weight says how they are spread."""
    if isinstance(found, str):
        return LayerQuantizationFact(reason=found)
    sums = {form: OutputComparison(()) for form in FORMATS}
    spreads: list[CrestFactor] = []
    for part in found.parts:
        values = _values(part.constant)
        if not np.isfinite(values).all():
            return LayerQuantizationFact(reason="it has NaN or infinite weights")
        spreads.append(spread(values))
        for form, comparison in sums.items():
            comparison.merge(distance(values, rounded(values, part.out_axis, form)))
    weights = tuple(RoundedWeights(form, sums[form].change(), _bytes(found, form)) for form in FORMATS)
    stored = sum(part.constant.dtype.nbytes(part.constant.size) for part in found.parts)
    return LayerQuantizationFact(max(spreads, key=lambda each: each.count), stored, weights)


def _values(constant: Constant) -> NDArray[Any]:
    """Values in the type in which they are stored, where numpy has it: scales are of that type too."""
    wanted = storage(constant.dtype) if constant.dtype.name == "float16" else None
    return np.ascontiguousarray(loaded(constant).array(), wanted)


def _bytes(found: QuantizableWeights, form: Format) -> int:
    return sum(form.bytes(*matrix_shape(part.constant.shape, part.out_axis)) for part in found.parts)
