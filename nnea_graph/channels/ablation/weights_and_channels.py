"""Removable parts of a layer: its single weights, or its output channels with their bias, least important first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.output_channels import Numbers, bias_owners, weight_owners
from nnea_graph.channels.weight_inputs import WeightConstant, WeightInput, meetings
from nnea_graph.graph import Constant, ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.static.fused_bias import biased_operator
from nnea_graph.static.result import StaticFacts
from nnea_graph.stats.ranking import least

Slot = tuple[str, int]
"""An operator's id and the place of one of its inputs."""

Array = NDArray[Any]
Originals = Mapping[Slot, Array]

UNITS = ("weights", "channels")
CRITERIA = ("importance", "magnitude", "random")


@dataclass(frozen=True, slots=True)
class Ablation:
    """Removed part: a share of the ``weights`` or ``channels``, the least by a criterion."""

    unit: str
    criterion: str
    fraction: float


@dataclass(frozen=True, slots=True, eq=False)
class WeightSlice:
    """A weight: ``activations`` (mean |a| that each number meets) and ``owners`` broadcast against it."""

    slot: Slot
    constant: Constant
    activations: Array
    owners: Numbers | None


@dataclass(frozen=True, slots=True, eq=False)
class OwnedBias:
    """A bias and the output channel of each of its numbers."""

    slot: Slot
    constant: Constant
    owners: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Removable:
    """A layer. ``channels`` is 0 where it has none that can go, ``no_channels`` says why."""

    node: str
    parts: tuple[WeightSlice, ...]
    biases: tuple[OwnedBias, ...]
    channels: int
    no_channels: str = ""

    def size(self, unit: str) -> int:
        """Tells how many weights or channels there are."""
        return self.channels if unit == "channels" else sum(part.constant.size for part in self.parts)

    def constants(self) -> dict[Slot, Constant]:
        """All that may be altered."""
        return {each.slot: each.constant for each in self.members()}

    def members(self) -> tuple[WeightSlice | OwnedBias, ...]:
        """Weights and biases."""
        return (*self.parts, *self.biases)


def removable(
    graph: ModelGraph,
    found: StaticFacts,
    node: OpNode,
    weights: Sequence[WeightConstant],
    mean_activations: Callable[[WeightInput], Array | str],
) -> Removable | str:
    """An operator's weights as they can go, or why that is not known; its bias may be an Add of its own."""
    measured = [weight for weight in weights if weight.role is Role.WEIGHT]
    parts: list[WeightSlice] = []
    for meeting in meetings(graph, found, node, measured, "input"):
        seen = meeting if isinstance(meeting, str) else mean_activations(meeting)
        if isinstance(meeting, str) or isinstance(seen, str):
            return str(seen)
        shape = meeting.constant.shape
        parts.append(
            WeightSlice(
                (node.id, meeting.layout.weight),
                meeting.constant,
                meeting.layout.spread(shape, seen),
                weight_owners(node, meeting.layout, shape),
            )
        )
    owners = [part.owners for part in parts]
    if any(each is None for each in owners):
        return Removable(node.id, tuple(parts), (), 0, "its output channels are not known")
    channels = max(int(each.max(initial=-1)) + 1 for each in owners if each is not None)
    biases = tuple(_biases(graph, found, node, weights, channels))
    return Removable(node.id, tuple(parts), biases, channels)


def _biases(
    graph: ModelGraph, found: StaticFacts, node: OpNode, weights: Sequence[WeightConstant], channels: int
) -> Iterator[OwnedBias]:
    """Its own, and that which an exporter has written as an Add."""
    for weight in weights:
        owners = bias_owners(node, weight.constant.shape, channels) if weight.role is Role.BIAS else None
        if owners is not None:
            yield OwnedBias((node.id, node.inputs.index(weight.tensor)), weight.constant, owners)
    for reader in graph.consumers(node.outputs[0]):
        place = next((at for at, name in enumerate(reader.inputs) if name in graph.constants), None)
        if place is None or biased_operator(graph, found, reader) is not node:
            continue
        constant = graph.constants[reader.inputs[place]]
        owners = bias_owners(reader, constant.shape, channels)
        if owners is not None:
            yield OwnedBias((reader.id, place), constant, owners)


def zeroed(layer: Removable, originals: Originals, cut: Ablation, seed: int) -> dict[Slot, Array]:
    """The layer's weights with the least of them, or of its channels with their bias, set to zero.

    At random, a larger share holds a smaller one; the draw depends on the seed and the layer's name alone.
    """
    rng = np.random.default_rng([seed, crc32(layer.node.encode())])
    count = removed(layer, cut)
    if cut.unit == "channels":
        scores = _channel_scores(layer, originals, cut.criterion, rng)
        return _without_channels(layer, originals, least(scores, count))
    found = [_scores(part, originals[part.slot], cut.criterion, rng).reshape(-1) for part in layer.parts]
    chosen = least(np.concatenate(found) if len(found) > 1 else found[0], count)
    altered, start = {}, 0
    for part in layer.parts:
        mask = chosen[start : start + part.constant.size].reshape(part.constant.shape)
        altered[part.slot] = _cleared(originals[part.slot], mask)
        start += part.constant.size
    return altered


def removed(layer: Removable, cut: Ablation) -> int:
    """Tells how many weights or channels that is, to the nearest number."""
    return int(cut.fraction * layer.size(cut.unit) + 0.5)


def _scores(part: WeightSlice, values: Array, criterion: str, rng: np.random.Generator) -> Array:
    if criterion == "random":
        return rng.random(part.constant.shape, np.float32)
    size = np.abs(values).astype(np.float32, copy=False)
    return size if criterion == "magnitude" else size * part.activations.astype(np.float32)


def _channel_scores(
    layer: Removable, originals: Originals, criterion: str, rng: np.random.Generator
) -> Array:
    """Sums over the weights of each channel, or random numbers."""
    if criterion == "random":
        return rng.random(layer.channels)
    total = np.zeros(layer.channels)
    for part in layer.parts:
        if part.owners is None:
            continue
        scores = _scores(part, originals[part.slot], criterion, rng)
        others = tuple(axis for axis, dim in enumerate(part.owners.shape) if dim == 1)
        sums = scores.sum(others, dtype=np.float64, keepdims=True)
        total += np.bincount(part.owners.reshape(-1), sums.reshape(-1), layer.channels)
    return total


def _without_channels(layer: Removable, originals: Originals, chosen: NDArray[np.bool_]) -> dict[Slot, Array]:
    return {
        each.slot: _cleared(originals[each.slot], chosen[each.owners])
        for each in layer.members()
        if each.owners is not None
    }


def _cleared(values: Array, mask: NDArray[np.bool_]) -> Array:
    """A copy with zeros where the mask says; infinities and NaN go as well."""
    altered: Array = np.where(mask, values.dtype.type(0), values)
    return altered
