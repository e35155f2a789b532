"""Savings of a model without some groups of a family."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nnea_graph.graph import ModelGraph
from nnea_graph.report.schema.pruning_plan import PlannedSaving, SavedTime
from nnea_graph.report.schema.verification import NOT_CLEAR, Speed
from nnea_graph.rewrite.coupling.groups import Coupling
from nnea_graph.rewrite.selection.resource_model import Resources, resources_of, stored_terms
from nnea_graph.rewrite.verify.speedup import unclear

_BYTES = "bytes"


def all_resources(graph: ModelGraph, coupling: Coupling) -> Resources:
    """Parameters, multiply-accumulates, and bytes of constants."""
    found = resources_of(graph, coupling)
    return replace(found, terms={**found.terms, _BYTES: stored_terms(graph, coupling)})


@dataclass(frozen=True, slots=True)
class KeptCounts:
    """``count`` groups of a family of which multiples of ``step`` (or all) are kept."""

    count: int
    step: int

    def after_one(self) -> int | None:
        """Tells how many the smallest removal leaves; None where nothing can go."""
        return (self.count - 1) // self.step * self.step or None

    def after_half(self) -> int | None:
        """Tells how many are left where half go, or a little more."""
        return min(max(self.count // 2 // self.step, 1) * self.step, self.after_one() or 0) or None


def saving(resources: Resources, family: str, kept: int | None) -> PlannedSaving | None:
    """Saving with only so many groups of one family."""
    if kept is None:
        return None
    less = {
        name: round(resources.at(name, {}) - resources.at(name, {family: kept}))
        for name in ("params", "macs", _BYTES)
    }
    return PlannedSaving(resources.whole[family] - kept, less["params"], less["macs"], less[_BYTES])


def whole(resources: Resources) -> tuple[int, int, int]:
    """Parameters, multiply-accumulates and bytes of the model as it is."""
    return round(resources.at("params", {})), round(resources.at("macs", {})), round(resources.at(_BYTES, {}))


def saved_time(speed: Speed) -> SavedTime:
    """Saved time by the interval of the ratio, so that a busy moment of the machine falls on both."""
    if speed.verdict == NOT_CLEAR:
        return SavedTime(None, None, None, speed, unclear([speed]))
    low, seconds, high = (speed.before * (1 - 1 / ratio) for ratio in (speed.low, speed.speedup, speed.high))
    return SavedTime(seconds, low, high, speed, "")


def unknown_time(reason: str) -> SavedTime:
    """Saved time that was not measured."""
    return SavedTime(None, None, None, None, reason)
