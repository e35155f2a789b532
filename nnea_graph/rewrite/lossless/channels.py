"""One look at a model for channels that can go: found, cut out, and what they leave put where it belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from onnx import ModelProto

from nnea_graph.graph import ModelGraph
from nnea_graph.passes.redundancy import known_channels
from nnea_graph.report.schema.lossless import ExactFamily
from nnea_graph.rewrite.coupling.groups import Coupling, couplings, kept_axes
from nnea_graph.rewrite.lossless.consumers import ends_of
from nnea_graph.rewrite.lossless.fold_into_consumers import folded
from nnea_graph.rewrite.lossless.selection import KINDS, LosslessSelection, chosen
from nnea_graph.rewrite.selection.eligibility import is_kept
from nnea_graph.rewrite.surgery.edit import Kept
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned


@dataclass(frozen=True, slots=True)
class LosslessStep:
    """A smaller model, the indices that are left of this one, and what went and was held by family."""

    model: ModelProto | None
    kept: Kept
    families: tuple[ExactFamily, ...]


def without_channels(graph: ModelGraph, patterns: Sequence[str]) -> LosslessStep:
    """Without all channels that change nothing, but those of layers named by ``patterns``; None where there are none.

    The facts of shapes, weights and channels must be there.
    """
    coupling = couplings(graph)
    stay = {
        group for family in coupling.families if is_kept(graph, family, patterns) for group in family.groups
    }
    groups = [group for family in coupling.families for group in family.groups]
    choice = chosen(ends_of(graph, coupling, known_channels(graph)), groups, stay)
    _leave_some(coupling, choice)
    families = tuple(_families(coupling, choice))
    if not choice.gone:
        return LosslessStep(None, {}, families)
    kept = kept_slots(coupling, choice.gone)
    folds = [fold for group in sorted(choice.gone) for fold in choice.folds[group]]
    return LosslessStep(folded(pruned(graph, kept), folds, kept), kept, families)


def _leave_some(coupling: Coupling, choice: LosslessSelection) -> None:
    """Keeps of an axis of which nothing would be left, the first group stays."""
    while True:
        empty = [axis for axis, stay in kept_axes(coupling, choice.gone) if not stay.shape[-1]]
        if not empty:
            return
        for axis in empty:
            slots = coupling.slots.of(axis)
            if slots is not None:
                choice.gone.pop(int(coupling.groups[slots].min()), None)


def _families(coupling: Coupling, choice: LosslessSelection) -> list[ExactFamily]:
    """Families: what went of each family, and what is held."""
    found = []
    for family in coupling.families:
        gone = Counter(choice.gone[group] for group in family.groups if group in choice.gone)
        held = Counter(choice.held[group] for group in family.groups if group in choice.held)
        if gone or held:
            found.append(
                ExactFamily(
                    family.name,
                    family.layers,
                    len(family.groups),
                    **{kind: gone[kind] for kind in KINDS},
                    held={f"{kind}: {reason}": count for (kind, reason), count in sorted(held.items())},
                )
            )
    return found
