"""Determines which groups of channels go, and what each leaves to the weights that read it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from nnea_graph.rewrite.lossless.consumers import ChannelConsumers, WeightConsumer
from nnea_graph.rewrite.selection.eligibility import KEPT_ANYWAY

UNREAD, DEAD, CONSTANT, CLONED = "unread", "dead", "constant", "cloned"
KINDS = (UNREAD, DEAD, CONSTANT, CLONED)
"""Why a group goes, the simplest reason first; a group of several kinds is of the last."""

_FIRST = "others repeat it"

Spot = tuple[WeightConsumer, int]


@dataclass(frozen=True, slots=True)
class Fold:
    """Rest that input channel ``place`` of a weight leaves behind.

    It adds ``times`` its column to that of channel ``twin``, or where that is -1 to the bias.
    """

    sink: WeightConsumer
    place: int
    twin: int
    times: float


@dataclass(slots=True)
class LosslessSelection:
    """``gone`` groups with their kind, ``folds`` of each; ``held`` ones would be of a kind, but for a reason."""

    gone: dict[int, str] = field(default_factory=dict)
    folds: dict[int, list[Fold]] = field(default_factory=dict)
    held: dict[int, tuple[str, str]] = field(default_factory=dict)


def chosen(ends: ChannelConsumers, groups: Iterable[int], kept: Collection[int]) -> LosslessSelection:
    """All of ``groups`` that go together without changing anything; those ``kept`` do not.

    Groups that need no twin are taken first; of groups that repeat each other the first stays.
    """
    choice = _Choosing(ends, kept)
    candidates = [group for group in groups if group not in choice.busy]
    for group in candidates:
        choice.consider(group, repeats=False)
    for group in reversed(candidates):
        choice.consider(group, repeats=True)
    return choice.made


class _Choosing:
    """``busy`` are groups with a channel that nothing is known of.

    ``needed`` are twins of channels that went, ``spared`` of those that are held.
    """

    def __init__(self, ends: ChannelConsumers, kept: Collection[int]) -> None:
        self.made = LosslessSelection()
        self.busy: set[int] = set()
        self._stuck, self._kept = ends.stuck, kept
        self._needed: set[int] = set()
        self._spared: set[int] = set()
        for sink in ends.sinks:
            known = sink.nothing | np.isfinite(sink.number) | sink.repeated
            self.busy.update(sink.groups[~known].tolist())
        self._spots: dict[int, list[Spot]] = defaultdict(list)
        for sink in ends.sinks:
            for place in np.flatnonzero(sink.groups >= 0).tolist():
                group = int(sink.groups[place])
                if group not in self.busy:
                    self._spots[group].append((sink, place))

    def consider(self, group: int, *, repeats: bool) -> None:
        """Let a group go if all weights that read it can do without; else say what holds it."""
        if group in self.made.gone or group in self._needed:
            return
        folds = [self._fold(group, sink, place, repeats=repeats) for sink, place in self._spots[group]]
        reasons = [each for each in folds if isinstance(each, str)]
        kind = _kind(self._spots[group], folds)
        reason = self._stuck.get(group) or next(iter(reasons), "")
        if group in self._kept:
            reason = KEPT_ANYWAY
        if not reason:
            self.made.gone[group] = kind
            self.made.folds[group] = [each for each in folds if isinstance(each, Fold)]
            self._needed.update(
                int(each.sink.groups[each.twin]) for each in self.made.folds[group] if each.twin >= 0
            )
        elif repeats and self._spots[group] and _FIRST not in reasons:
            self._hold(group, kind, reason)

    def _hold(self, group: int, kind: str, reason: str) -> None:
        """Holds, of channels that repeat each other one would stay anyway."""
        if group not in self._spared and (kind != UNREAD or group in self._kept):
            self.made.held[group] = kind, reason
        for sink, place in self._spots[group]:
            twin = self._twin(group, sink, place)
            if twin >= 0:
                self._spared.add(int(sink.groups[twin]))

    def _fold(self, group: int, sink: WeightConsumer, place: int, *, repeats: bool) -> Fold | str | None:
        """Fold that a channel leaves to a weight (None is nothing), or why it cannot go."""
        if sink.nothing[place]:
            return None
        number = float(sink.number[place])
        if np.isfinite(number) and not sink.takes_numbers:
            return Fold(sink, place, -1, number)
        twin = self._twin(group, sink, place) if repeats else -1
        if twin >= 0 and not sink.takes_columns:
            return Fold(sink, place, twin, float(sink.factor[place] / sink.factor[twin]))
        if np.isfinite(number):
            return f"'{sink.linear.node.id}': {sink.takes_numbers}"
        return f"'{sink.linear.node.id}': {sink.takes_columns}" if twin >= 0 else _FIRST

    def _twin(self, group: int, sink: WeightConsumer, place: int) -> int:
        """The first channel that stays of those that this one is a multiple of; -1 where there is none."""
        for other in sink.twins.get(int(sink.label[place]), ()):
            theirs = int(sink.groups[other])
            if theirs != group and theirs not in self.made.gone:
                return int(other)
        return -1


def _kind(spots: Iterable[Spot], folds: Iterable[Fold | str | None]) -> str:
    """The last of the kinds of all its channels."""
    found = {UNREAD}
    for (sink, place), fold in zip(spots, folds, strict=True):
        if sink.unread[place]:
            continue
        known = np.isfinite(sink.number[place])
        repeats = isinstance(fold, Fold) and fold.twin >= 0
        found.add(DEAD if sink.nothing[place] else CONSTANT if known and not repeats else CLONED)
    return max(found, key=KINDS.index)
