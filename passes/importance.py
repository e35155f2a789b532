"""Importance |w| mean|a| of every weight: its distribution, its channels, and where it disagrees with |w|."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnea_graph.engine import Pass, RunContext
from nnea_graph.errors import PipelineError
from nnea_graph.graph import Key, ModelGraph, OpNode
from nnea_graph.passes.activations import ACTIVATIONS, Activations, observation_of
from nnea_graph.passes.constants import WEIGHTS, Weight
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.static.constant_folding import loaded

if TYPE_CHECKING:
    from nnea_graph.channels.weight_inputs import WeightInput
    from nnea_graph.runtime.observe.observations import ChannelStats
    from nnea_graph.stats.accumulator import Accumulator
    from nnea_graph.stats.channel_sums import ChannelSums
    from nnea_graph.stats.importance import WeightImportance
    from nnea_graph.stats.metrics import DistributionMetrics
    from nnea_graph.stats.null_models import ImportanceNull

Floats = NDArray[np.float64]

_SPREAD = 1e-4
"""A channel whose mean is within this share of its largest value is constant: rounding alone makes 6e-5."""


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """Facts that the channels of a layer show.

    ``inputs`` and ``outputs`` are sums of x by channel. ``dead_inputs`` never carry anything and ``stranded`` is
    the share of sum |w| that meets them; ``dead_outputs`` are never active after the activation function,
    ``constant_outputs`` always the same. None is not known.
    """

    inputs: Floats | None
    outputs: Floats | None
    dead_inputs: int | None = None
    stranded: float | None = None
    dead_outputs: int | None = None
    constant_outputs: int | None = None
    output_channels: int | None = None


@dataclass(frozen=True, slots=True)
class Importance:
    """Importance of an operator's weights; ``metrics`` are None where ``reason`` says why, ``total`` is sum(x).

    ``sums`` answer for the entropy at other activations without reading the weights again; ``null`` is the
    utilization if weights and activations knew nothing of each other.
    """

    metrics: DistributionMetrics | None
    reason: str = ""
    total: float | None = None
    channels: ChannelFacts | None = None
    sums: tuple[ChannelSums, ...] = ()
    null: ImportanceNull | None = None


IMPORTANCE = Key[Importance]("importance")
MODEL_IMPORTANCE = Key[Importance]("model_importance")


@dataclass(frozen=True)
class ImportancePass(Pass):
    """Weighs each weight by the mean activation of the channel that it meets.

    ``side`` is ``input`` (what enters the operator) or ``output`` (what leaves it after its activation function).
    """

    name = "importance"
    requires = (SHAPES, WEIGHTS, ACTIVATIONS)
    provides = (IMPORTANCE, MODEL_IMPORTANCE)

    side: str = "input"

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Read every weight once."""
        if self.side not in {"input", "output"}:
            raise PipelineError(f"option 'side' of pass 'importance' is input or output, not '{self.side}'")
        from nnea_graph.stats.accumulator import Accumulator  # noqa: PLC0415 - start-up
        from nnea_graph.stats.metrics import metrics  # noqa: PLC0415 - start-up

        whole = Accumulator()
        activations = graph[ACTIVATIONS]
        for node in graph:
            graph[node, IMPORTANCE] = self._layer(graph, node, activations, whole)
        reason = activations.not_run
        graph[MODEL_IMPORTANCE] = Importance(None if reason else metrics(whole), reason)

    def _layer(
        self, graph: ModelGraph, node: OpNode, activations: Activations, whole: Accumulator
    ) -> Importance:
        from nnea_graph.channels.weight_inputs import meetings  # noqa: PLC0415 - start-up
        from nnea_graph.stats.accumulator import Accumulator  # noqa: PLC0415 - start-up
        from nnea_graph.stats.importance import weigh  # noqa: PLC0415 - start-up
        from nnea_graph.stats.metrics import metrics  # noqa: PLC0415 - start-up
        from nnea_graph.stats.null_models import importance_null  # noqa: PLC0415 - start-up

        weights = graph[node, WEIGHTS]
        found = list(meetings(graph, graph[SHAPES], node, weights, self.side)) if weights else []
        if activations.not_run or not found:
            return Importance(None, activations.not_run or _without(weights))
        means = [_means(meeting, activations) for meeting in found]
        reason = next((each for each in means if isinstance(each, str)), "")
        if reason:
            return Importance(None, reason)
        tied = {weight.tensor for weight in weights if weight.tied_to}
        layer, parts = Accumulator(), []
        for met in means:
            if isinstance(met, str):
                continue
            part = weigh(loaded(met.meeting.constant), met.meeting.layout, met.activations)
            layer.merge(part.distribution)
            if met.meeting.constant.name not in tied:
                whole.merge(part.distribution)
            parts.append((met, part))
        stats = activations.seen.get(activations.leaving.get(node.id, ("", 0)))
        channels = _with_leaving(_channels(*parts[0], self.side), stats)
        total = sum(float(part.inputs.sum()) for _, part in parts)
        sums = tuple(part.sums for _, part in parts)
        found_metrics = metrics(layer)
        means_met = [met.activations for met, _ in parts]
        null = importance_null(
            list(zip(sums, means_met, strict=True)), found_metrics.count, found_metrics.utilization
        )
        return Importance(found_metrics, "", total, channels, sums, null)


def _without(weights: Sequence[Weight]) -> str:
    """Reason why there is nothing to weigh."""
    return "a bias alone, which meets no channel" if weights else "no weights"


@dataclass(frozen=True, slots=True)
class _Met:
    """A weight and the mean activations of the channels that it meets; NaN where they are not known."""

    meeting: WeightInput
    activations: Floats


def _means(meeting: WeightInput | str, activations: Activations) -> _Met | str:
    if isinstance(meeting, str):
        return meeting
    means = mean_activations(meeting, activations)
    return means if isinstance(means, str) else _Met(meeting, means)


def mean_activations(meeting: WeightInput, activations: Activations) -> Floats | str:
    """Mean |a| of each channel that a weight meets (of a table: the share of look-ups of each row), or why not.

    NaN where a channel has shown nothing but NaN and infinities.
    """
    layout, needed = meeting.layout, meeting.layout.channels(meeting.constant.shape)
    wanted = observation_of(meeting)
    unseen = activations.refused.get(wanted, f"'{meeting.tensor}' was never computed with these data")
    if layout.rows:
        uses = activations.rows.get((meeting.tensor, needed))
        return unseen if uses is None else uses / max(int(uses.sum()), 1)
    stats = activations.seen.get((meeting.tensor, meeting.axis))
    if stats is None:
        return unseen
    means: Floats = np.where(stats.count > 0, stats.mean_abs, np.nan)
    spread = _spread(means, needed, meeting.layout.gates, stats)
    if spread is None:
        return f"'{meeting.tensor}' has {len(means)} channels and the weight meets {needed}"
    return spread


def _spread(means: Floats, needed: int, gates: int, stats: ChannelStats) -> Floats | None:
    """One mean for each channel of the weight; None where they do not match."""
    if len(means) == 1:  # broadcast: each weight meets the same channel
        return np.full(needed, means[0])
    if needed == 1:
        return np.array([stats.sum_abs.sum() / max(int(stats.count.sum()), 1)])
    if len(means) * gates == needed:
        return np.tile(means, gates)
    return means if len(means) == needed else None


def _channels(met: _Met, part: WeightImportance, side: str) -> ChannelFacts:
    """Facts from the weight's sums; which inputs are dead is only known where they were looked at."""
    if side == "output":
        return ChannelFacts(part.outputs, part.inputs)
    dead = met.activations == 0
    total = float(part.sums.s.sum())
    return ChannelFacts(
        part.inputs,
        part.outputs,
        dead_inputs=int(np.count_nonzero(dead & (part.sums.s > 0))),
        stranded=float(part.sums.s[dead].sum()) / total if total else None,
    )


def _with_leaving(facts: ChannelFacts, stats: ChannelStats | None) -> ChannelFacts:
    """And the channels of what leaves the layer; those that showed no number are neither dead nor constant."""
    if stats is None:
        return facts
    return replace(
        facts,
        dead_outputs=int(np.count_nonzero((stats.sum_abs == 0) & (stats.count > 0))),
        constant_outputs=constant_channels(stats),
        output_channels=len(stats.sum_abs),
    )


def constant_channels(stats: ChannelStats) -> int | None:
    """Channels that carry one number other than 0, always; None where it was not observed.

    Then, and only then, mean |a| is max |a|, and |mean a| as well. Variance would tell less: the sums it is the
    difference of have the rounding of float32.
    """
    if stats.sum is None or stats.max_abs is None or stats.zeros is None:
        return None
    least = (1 - _SPREAD) * stats.max_abs * stats.count
    same = (stats.sum_abs >= least) & (np.abs(stats.sum) >= least)
    return int(np.count_nonzero(same & (stats.max_abs > 0) & (stats.zeros == 0)))
