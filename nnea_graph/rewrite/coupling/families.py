"""Groups by the layer that makes their channels, and the layers whose channels stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnea_graph.rewrite.coupling.constraints import CouplingConstraints
from nnea_graph.rewrite.coupling.index_space import Axis, Indices
from nnea_graph.rewrite.coupling.layer_axes import layer_axes
from nnea_graph.rewrite.coupling.solver import Sets

OUTPUT = "output of the model"
WITH_OUTPUT = f"goes with an {OUTPUT}"


@dataclass(frozen=True, slots=True)
class Family:
    """Groups that run through the same tensors: the output channels of a layer, one or several a group.

    ``name`` is the id of the first operator that makes them (with a number where it has several families),
    ``layers`` are all whose output channels they are. ``axis`` is the output of the first, and its channel axis;
    ``channels`` is how many of its channels a group has. ``groups`` are in the order of the channels.
    """

    name: str
    layers: tuple[str, ...]
    axis: Axis
    groups: tuple[int, ...]
    channels: int


@dataclass(frozen=True, slots=True)
class Pin:
    """So many output channels of a layer stay, for a reason."""

    layer: str
    channels: int
    reason: str


def families_of(draft: CouplingConstraints, sets: Sets) -> tuple[Indices, tuple[Family, ...]]:
    """The number of each slot's group (-1: none) and the families; groups are numbered in the order of the layers."""
    seen: dict[int, list[tuple[str, Axis, int]]] = {}
    for node, axis in layer_axes(draft):
        slots = draft.slots.of(axis)
        if slots is None:
            continue
        free = sets.labels[slots[~sets.pinned[slots]]]
        for label, count in Counter(free.tolist()).items():
            seen.setdefault(label, []).append((node.id, axis, count))
    numbers = {label: number for number, label in enumerate(seen)}
    table = np.full(draft.slots.count + 1, -1, np.int64)
    table[list(numbers)] = list(numbers.values())
    return table[sets.labels], tuple(_families(draft, sets, seen, numbers))


def _families(
    draft: CouplingConstraints,
    sets: Sets,
    seen: dict[int, list[tuple[str, Axis, int]]],
    numbers: dict[int, int],
) -> Iterator[Family]:
    """One for each set of axes that groups run through."""
    signatures = _signatures(draft, sets)
    members: dict[tuple[int, str], list[int]] = {}
    for label, places in seen.items():
        members.setdefault((int(signatures[label]), places[0][0]), []).append(label)
    taken: Counter[str] = Counter()
    for (_, first), labels in members.items():
        taken[first] += 1
        places = seen[labels[0]]
        yield Family(
            name=first if taken[first] == 1 else f"{first}#{taken[first]}",
            layers=tuple(dict.fromkeys(layer for layer, _, _ in places)),
            axis=places[0][1],
            groups=tuple(numbers[label] for label in labels),
            channels=places[0][2],
        )


def _signatures(draft: CouplingConstraints, sets: Sets) -> Indices:
    """Number, by set, for the axes that it lies in and how many of its slots are in each."""
    axes = draft.slots.axis_of(np.arange(draft.slots.count))
    random = np.random.default_rng(0).integers(1, 1 << 62, len(draft.slots.axes) + 1)
    found = np.zeros(draft.slots.count + 1, np.int64)
    np.add.at(found, sets.labels, random[axes])
    return found


def pins_of(draft: CouplingConstraints, sets: Sets) -> tuple[Pin, ...]:
    """Layers with channels that stay, by reason."""
    found: list[Pin] = []
    for node, axis in layer_axes(draft):
        slots = draft.slots.of(axis)
        if slots is None:
            continue
        counts = Counter(sets.reason[slots[sets.pinned[slots]]].tolist())
        reasons = {number: _told(draft, axis[0], sets.reasons[number]) for number in counts}
        found += [Pin(node.id, count, reasons[number]) for number, count in counts.items()]
    return tuple(dict.fromkeys(found))


def _told(draft: CouplingConstraints, tensor: str, reason: str) -> str:
    """Relation that a layer far from the outputs has to do with them: sums, for one, tie its channels to theirs."""
    return WITH_OUTPUT if reason == OUTPUT and not _put_out(draft, tensor) else reason


def _put_out(draft: CouplingConstraints, tensor: str) -> bool:
    """Tells whether a tensor is an output of the model, or all that is made of it alone in the end."""
    while tensor not in draft.graph.outputs:
        readers = draft.graph.consumers(tensor)
        varying = [
            name for node in readers for name in node.inputs if name and name not in draft.found.constant
        ]
        if varying != [tensor] or not readers[0].outputs[0]:
            return False
        tensor = readers[0].outputs[0]
    return True
