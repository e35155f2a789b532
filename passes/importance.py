"""Importance |w| mean|a| of every weight: its distribution, its channels, and where it disagrees with |w|."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.layers import Meeting, meetings
from nnea_graph.engine import Pass
from nnea_graph.errors import UsageError
from nnea_graph.graph import Key, ModelGraph, OpNode
from nnea_graph.inference.constant_values import loaded
from nnea_graph.passes.activations import ACTIVATIONS, Activations
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.runtime.observe import ChannelStats
from nnea_graph.stats.accumulator import Accumulator
from nnea_graph.stats.channels import ChannelSums
from nnea_graph.stats.importance import WeightImportance, weigh
from nnea_graph.stats.metrics import Metrics, metrics

Floats = NDArray[np.float64]

_SPREAD = 1e-6
"""A channel whose standard deviation is below this share of its largest value is constant."""


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What the channels of a layer show.

    ``inputs`` and ``outputs`` are sums of x by channel. ``dead_inputs`` never carry anything and ``stranded`` is
    the share of sum |w| that meets them; ``dead_outputs`` are never active after the activation function,
    ``constant_outputs`` always the same. None is not known.
    """

    inputs: Floats
    outputs: Floats | None
    dead_inputs: int
    stranded: float | None
    dead_outputs: int | None
    constant_outputs: int | None
    output_channels: int | None


@dataclass(frozen=True, slots=True)
class Importance:
    """Importance of an operator's weights; ``metrics`` are None where ``reason`` says why.

    ``sums`` answer for the entropy at other activations without reading the weights again.
    """

    metrics: Metrics | None
    reason: str = ""
    channels: ChannelFacts | None = None
    sums: tuple[ChannelSums, ...] = ()


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

    def run(self, graph: ModelGraph) -> None:
        """Read every weight once."""
        if self.side not in {"input", "output"}:
            raise UsageError(f"-p: option 'side' of pass 'importance' is input or output, not '{self.side}'")
        whole = Accumulator()
        activations = graph[ACTIVATIONS]
        for node in graph:
            graph[node, IMPORTANCE] = self._layer(graph, node, activations, whole)
        reason = activations.not_run
        graph[MODEL_IMPORTANCE] = Importance(None if reason else metrics(whole), reason)

    def _layer(
        self, graph: ModelGraph, node: OpNode, activations: Activations, whole: Accumulator
    ) -> Importance:
        weights = graph[node, WEIGHTS]
        if activations.not_run:
            return Importance(None, activations.not_run)
        found = list(meetings(graph, graph[SHAPES], node, weights, self.side)) if weights else []
        if not found:
            return Importance(None, "no weights")
        tied = {weight.tensor for weight in weights if weight.tied_to}
        parts: list[WeightImportance] = []
        for meeting in found:
            seen = meeting if isinstance(meeting, str) else mean_activations(meeting, activations)
            if isinstance(meeting, str) or isinstance(seen, str):
                return Importance(None, str(seen))
            part = weigh(loaded(meeting.constant), meeting.layout, seen)
            parts.append(part)
            if meeting.constant.name not in tied:
                whole.merge(part.distribution)
        layer = Accumulator()
        for part in parts:
            layer.merge(part.distribution)
        channels = _channels(parts[0], activations.leaving.get(node.id), activations)
        return Importance(metrics(layer), "", channels, tuple(part.sums for part in parts))


def mean_activations(meeting: Meeting, activations: Activations) -> Floats | str:
    """Mean |a| of each channel that a weight meets (of a table: the share of look-ups of each row), or why not."""
    shape = meeting.constant.shape
    if meeting.layout.rows:
        uses = activations.rows.get(meeting.tensor)
        if uses is None:
            return f"the uses of rows by '{meeting.tensor}' were not observed"
        return uses / max(int(uses.sum()), 1)
    place = (meeting.tensor, meeting.axis)
    stats = activations.seen.get(place)
    if stats is None:
        return activations.refused.get(place, f"'{meeting.tensor}' was never computed with these data")
    needed = meeting.layout.channels(shape)
    if len(stats.mean_abs) == needed:
        return stats.mean_abs
    if needed == 1:
        return np.array([stats.sum_abs.sum() / max(int(stats.count.sum()), 1)])
    return f"'{meeting.tensor}' has {len(stats.mean_abs)} channels and the weight meets {needed}"


def _channels(
    part: WeightImportance, place: tuple[str, int] | None, activations: Activations
) -> ChannelFacts:
    stats = activations.seen.get(place) if place else None
    dead = part.inputs == 0
    dead_inputs = int(np.count_nonzero(dead & (part.sums.s > 0)))
    total = float(part.sums.s.sum())
    return ChannelFacts(
        part.inputs,
        part.outputs,
        dead_inputs,
        float(part.sums.s[dead].sum()) / total if total else None,
        None if stats is None else int(np.count_nonzero(stats.sum_abs == 0)),
        None if stats is None else constant_channels(stats),
        None if stats is None else len(stats.sum_abs),
    )


def constant_channels(stats: ChannelStats) -> int | None:
    """Channels that carry one number other than 0, always; None where it was not observed."""
    if stats.sum is None or stats.sum_sq is None or stats.max_abs is None:
        return None
    count = np.maximum(stats.count, 1)
    variance = stats.sum_sq / count - (stats.sum / count) ** 2
    return int(np.count_nonzero((variance <= (_SPREAD * stats.max_abs) ** 2) & (stats.max_abs > 0)))
