"""Coupled channel groups: what goes together when a channel goes, what cannot go, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.call import BadCallError, UnknownFactError
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.coupling.constraints import CouplingConstraints
from nnea_graph.rewrite.coupling.families import OUTPUT, Family, Pin, families_of, pins_of
from nnea_graph.rewrite.coupling.grouped_kernels import grouped_kernels, listed
from nnea_graph.rewrite.coupling.index_space import Axis, Indices, Slots, slots_of
from nnea_graph.rewrite.coupling.op_context import COUPLING_RULES, CouplingContext, NotFollowedError
from nnea_graph.rewrite.coupling.shape_arithmetic import sizes_used
from nnea_graph.rewrite.coupling.solver import resolve
from nnea_graph.static.result import call_of

__all__ = ["Axis", "Coupling", "Family", "Pin", "couplings"]


@dataclass(frozen=True)
class Coupling:
    """A partition of the slots of a model (tensor, axis, index) into groups that can only go as a whole.

    ``families`` are the groups by the layer that makes their channels: every group is in exactly one of them and is
    known by its number, ``pinned`` the layers whose channels stay. ``groups[slot]`` is the number of a slot's group,
    -1 where it stays.

    Example::

        found = couplings(graph)
        family = found.families[0]
        kept = kept_slots(found, family.groups[:8])     # rewrite/surgery.py
        smaller = pruned(graph, kept)
    """

    slots: Slots
    groups: Indices
    families: tuple[Family, ...]
    pinned: tuple[Pin, ...]

    @cached_property
    def _order(self) -> Indices:
        return np.argsort(self.groups, kind="stable")

    def members(self, group: int) -> Mapping[Axis, Indices]:
        """What goes with a group: the indices along each axis of each tensor (group after group where they repeat)."""
        ordered = self.groups[self._order]
        low, high = np.searchsorted(ordered, [group, group + 1])
        slots = self._order[low:high]
        places = self.slots.axis_of(slots)
        return {
            self.slots.axes[place]: slots[places == place] - self.slots.starts[place]
            for place in np.unique(places).tolist()
        }

    def groups_of(self, tensor: str) -> Indices:
        """The groups that a tensor has a part in, ascending."""
        axes = self._axes.get(tensor, ())
        parts = [self.groups[self.slots.starts[place] : self.slots.starts[place + 1]] for place in axes]
        found = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
        return found[found >= 0]

    @cached_property
    def _axes(self) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, (tensor, _) in enumerate(self.slots.axes):
            found.setdefault(tensor, []).append(place)
        return found

    def family(self, group: int) -> Family:
        """The family of a group."""
        return self._families[group]

    @cached_property
    def _families(self) -> Mapping[int, Family]:
        return {group: family for family in self.families for group in family.groups}


def couplings(graph: ModelGraph) -> Coupling:
    """The groups of a model, by the facts of shape inference (``graph[SHAPES]`` must be there)."""
    draft = _drafted(graph)
    sets = resolve(draft)
    groups, families = families_of(draft, sets)
    return Coupling(draft.slots, groups, families, pins_of(draft, sets))


def _drafted(graph: ModelGraph) -> CouplingConstraints:
    found = graph[SHAPES]
    draft = CouplingConstraints(graph, found, slots_of(found.types, grouped_kernels(graph)))
    for name in graph.outputs:
        draft.pin_tensor(name, OUTPUT)
    for name in graph.inputs:
        draft.pin_tensor(name, "input of the model")
    for node in graph:
        _visit(draft, node)
    for axis, reader in sizes_used(graph, found):
        draft.pin(axis, f"'{reader}' computes with its length")
    return draft


def _visit(draft: CouplingConstraints, node: OpNode) -> None:
    """Visits by the operator's rule; what has none, or lies in a body, keeps its tensors whole."""
    rule = COUPLING_RULES.get(node.op_type, node.domain)
    reason = f"{node.op_type} is not followed"
    if node.body or node.bodies:
        reason, rule = "read or made in a body of a Loop, If or Scan", None
    if rule is not None:
        marks = len(draft.edges), len(draft.pins), len(draft.choices)
        try:
            rule(CouplingContext(draft, _as_used(draft, node), call_of(node, draft.found)))
        except (NotFollowedError, UnknownFactError, BadCallError) as error:
            reason = str(error)
            del draft.edges[marks[0] :], draft.pins[marks[1] :], draft.choices[marks[2] :]
        else:
            return
    for name in _tensors(draft.graph, node):
        draft.pin_tensor(name, reason)


def _as_used(draft: CouplingConstraints, node: OpNode) -> OpNode:
    """Without the outputs of unknown shape that nobody reads: an old Dropout's mask."""
    used = draft.graph.outputs

    def left_out(name: str) -> bool:
        return draft.dims(name) is None and name not in used and not draft.graph.consumers(name)

    return replace(node, outputs=tuple("" if left_out(name) else name for name in node.outputs))


def _tensors(graph: ModelGraph, node: OpNode) -> Iterator[str]:
    yield from graph.reads(node)
    yield from (name for name in node.outputs if name)


def kept_axes(coupling: Coupling, dropped: Iterable[int]) -> Iterator[tuple[Axis, Indices]]:
    """The indices that stay along every axis that loses some: a list, or one for each group of a kernel."""
    gone = np.isin(coupling.groups, np.fromiter(dropped, np.int64))
    losing = np.unique(coupling.slots.axis_of(np.flatnonzero(gone)))
    for place in losing.tolist():
        start, stop = coupling.slots.starts[place], coupling.slots.starts[place + 1]
        axis = coupling.slots.axes[place]
        stay = listed(~gone[start:stop], coupling.slots.repeats.get(axis, 1))
        if stay is not None:
            yield axis, stay
