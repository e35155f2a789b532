"""Operators that change with each family of channels: the operators that make, read, normalize, shift or count them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.ops.weight_layout import layouts
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.report.schema.pruning_plan import FamilyParts
from nnea_graph.rewrite.coupling.groups import Coupling, Family
from nnea_graph.rewrite.coupling.index_space import Axis
from nnea_graph.rewrite.surgery.edit import Kept
from nnea_graph.rewrite.surgery.prune_indices import edited
from nnea_graph.static.result import call_of

Axes = AbstractSet[Axis]

_CONSUMERS, _NORMALIZATIONS, _BIASES, _CONSTANTS = "consumers", "normalizations", "biases", "constants"


def axes_by_family(coupling: Coupling) -> Mapping[str, Axes]:
    """The axes of all tensors along which a family's channels lie."""
    owners = np.full(int(coupling.groups.max(initial=-1)) + 2, -1)
    for number, family in enumerate(coupling.families):
        owners[list(family.groups)] = number
    slots = np.flatnonzero(coupling.groups >= 0)
    pairs = np.stack([owners[coupling.groups[slots]], coupling.slots.axis_of(slots)], 1)
    found: dict[str, set[Axis]] = {family.name: set() for family in coupling.families}
    for number, place in np.unique(pairs, axis=0).tolist():
        found[coupling.families[number].name].add(coupling.slots.axes[place])
    return found


def parts_of(graph: ModelGraph, family: Family, axes: Axes, kept: Kept) -> FamilyParts:
    """Operators that change where only ``kept`` stays of a family, whose channels lie along ``axes``."""
    found: dict[str, list[str]] = {}
    tensors = {tensor for tensor, _ in axes}
    for node in graph:
        if tensors.isdisjoint(node.inputs):
            continue
        for kind in dict.fromkeys(_changes(graph, node, axes)):
            found.setdefault(kind, []).append(node.id)
    shifted = [name for name in found.get(_BIASES, ()) if name not in family.layers]
    return FamilyParts(
        producers=family.layers,
        consumers=_all(found, _CONSUMERS),
        normalizations=_all(found, _NORMALIZATIONS),
        biases=tuple(shifted),
        constants=_all(found, _CONSTANTS),
        sizes=edited(graph, kept),
    )


def _all(found: Mapping[str, Sequence[str]], kind: str) -> tuple[str, ...]:
    return tuple(found.get(kind, ()))


def _changes(graph: ModelGraph, node: OpNode, axes: Axes) -> Iterator[str]:
    """Tells how the constants that an operator reads change."""
    roles, constant = {weight.tensor: weight.role for weight in graph[node, WEIGHTS]}, graph[SHAPES].constant
    hands_on = all(name in constant for name in node.outputs)
    for place, tensor in enumerate(node.inputs):
        lost = {axis for name, axis in axes if name == tensor}
        if not lost or tensor not in constant or (hands_on and place == 0):
            continue
        role = roles.get(tensor)
        if "Norm" in node.op_type:
            yield _NORMALIZATIONS
        elif role is Role.WEIGHT and (reading := _reading(graph, node, place)) is not None:
            # What it makes stands among the layers of the family.
            yield from [_CONSUMERS] * (reading in lost)
        else:
            yield _BIASES if role is Role.BIAS else _CONSTANTS


def _reading(graph: ModelGraph, node: OpNode, place: int) -> int | None:
    """The axis of a weight along which the channels lie that it reads, -1 for none; None: it is no layer's weight."""
    info = graph[SHAPES].types.get(node.inputs[place])
    for layout in layouts(call_of(node, graph[SHAPES])):
        if layout.weight == place and info is not None and info.shape is not None:
            in_axis = layout.in_axis
            if in_axis is None or layout.rows or in_axis == layout.out_axis:  # a table, or a slope
                return -1
            return in_axis % len(info.shape)
    return None
