"""From a draft to sets of slots: open choices are made so that as much as possible of the model can be pruned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from nnea_graph.rewrite.components import merged
from nnea_graph.rewrite.draft import Choice, Draft, Edges, Option, Pinning
from nnea_graph.rewrite.slots import Indices

ALL_TOGETHER = "they only go all together"
NO_WAY = "axes are cut or joined, and no part of them is free"

_PREFERENCES: tuple[Mapping[str, int], ...] = (
    {"reshape": 0, "group": 0},
    {"reshape": 0, "group": 1},
    {"reshape": -1, "group": 0},
    {"reshape": -1, "group": 1},
)
"""Which option of each kind of choice is tried, best first: outer factors (whole heads) and whole groups."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Sets:
    """The set of each slot, known by its smallest slot, and why it stays: a place in ``reasons``, -1 if it can go."""

    labels: Indices
    reason: Indices
    reasons: tuple[str, ...]

    @property
    def pinned(self) -> Flags:
        """Which slots stay."""
        pinned: Flags = self.reason >= 0
        return pinned


def resolve(draft: Draft) -> Sets:
    """The finest sets that all operators allow, after their choices are made."""
    labels = _joined(np.arange(draft.slots.count), draft.edges)
    pins, open_choices = list(draft.pins), draft.choices
    while True:
        stays = _stays(labels, pins)
        left, chosen = _forced(open_choices, stays, pins)
        if len(left) == len(open_choices):
            break
        labels = _joined(labels, [edge for option in chosen for edge in option.edges])
        open_choices = left
    if open_choices:
        for option in _best(draft, labels, pins, open_choices):
            labels = _joined(labels, option.edges)
            pins += option.pins
    return _sets(draft, labels, pins)


def _joined(labels: Indices, edges: Sequence[Edges]) -> Indices:
    if not edges:
        return labels
    left, right = (np.concatenate([edge[side] for edge in edges]) for side in (0, 1))
    return merged(labels, left, right)


def _stays(labels: Indices, pins: Iterable[Pinning]) -> Flags:
    """Which slots are in a set that stays."""
    flags = np.zeros(len(labels), np.bool_)
    for slots, _ in pins:
        flags[labels[slots]] = True
    stays: Flags = flags[labels]
    return stays


def _forced(
    choices: Sequence[Choice], stays: Flags, pins: list[Pinning]
) -> tuple[list[Choice], list[Option]]:
    """The choices that are still open, and the options of those that leave none; their pins are added."""
    left, chosen = [], []
    for choice in choices:
        free = tuple(
            option for option in choice.options if not any(stays[need].all() for need in option.needs)
        )
        if len(free) > 1:
            left.append(Choice(choice.node, choice.kind, free) if len(free) < len(choice.options) else choice)
            continue
        if not free:
            pins += [(slots, NO_WAY) for slots in choice.touched()]
        for option in free:
            pins += option.pins
            chosen.append(option)
    return left, chosen


def _best(draft: Draft, labels: Indices, pins: list[Pinning], choices: Sequence[Choice]) -> list[Option]:
    """For every part of the model that hangs together, the first preference with the most prunable weights."""
    everything = [edge for choice in choices for option in choice.options for edge in option.edges]
    clusters = _clusters(draft, labels, everything, choices)
    homes = [int(clusters[choice.options[0].needs[0][0]]) for choice in choices]
    best: dict[int, tuple[float, Mapping[str, int]]] = {}
    for preference in _PREFERENCES:
        options = [choice.options[preference[choice.kind]] for choice in choices]
        tried = _joined(labels, [edge for option in options for edge in option.edges])
        stays = _stays(tried, [*pins, *(pin for option in options for pin in option.pins)])
        scores = _scores(draft, clusters, stays | _whole(draft, tried), set(homes))
        for home in set(homes):
            if home not in best or scores[home] > best[home][0]:
                best[home] = scores[home], preference
    return [choice.options[best[home][1][choice.kind]] for choice, home in zip(choices, homes, strict=True)]


def _clusters(draft: Draft, labels: Indices, edges: Sequence[Edges], choices: Sequence[Choice]) -> Indices:
    """Slots that any choice could tie together, through whole axes."""
    starts, stops = draft.slots.starts[:-1], draft.slots.starts[1:]
    axes = (np.repeat(starts, stops - starts), np.arange(draft.slots.count))
    ties = [
        (np.full(len(slots), slots[0]), slots)
        for choice in choices
        for first in [choice.options[0].needs[0][:1]]
        for slots in (np.concatenate([first, *choice.touched()]),)
    ]
    return _joined(labels, [axes, *edges, *ties])


def _whole(draft: Draft, labels: Indices) -> Flags:
    """Which slots are in a set that has a whole axis in it: without it nothing would be left."""
    starts = draft.slots.starts[:-1]
    flags = np.zeros(len(labels), np.bool_)
    if len(starts):
        low, high = np.minimum.reduceat(labels, starts), np.maximum.reduceat(labels, starts)
        flags[low[low == high]] = True
    whole: Flags = flags[labels]
    return whole


def _scores(draft: Draft, clusters: Indices, stays: Flags, homes: set[int]) -> dict[int, float]:
    """Constant elements by cluster that lie in some slice that can go."""
    scores: dict[int, float] = defaultdict(float)
    for name, constant in draft.graph.constants.items():
        staying: dict[int, float] = {}
        for axis, dim in enumerate(constant.shape):
            slots = draft.slots.of((name, axis))
            home = int(clusters[slots[0]]) if slots is not None else -1
            if slots is not None and home in homes:
                staying[home] = staying.get(home, 1.0) * float(stays[slots].sum()) / dim
        for home, share in staying.items():
            scores[home] += prod(constant.shape) * (1 - share)
    return scores


def _sets(draft: Draft, labels: Indices, pins: list[Pinning]) -> Sets:
    """Every set with the first reason for which it stays."""
    reasons = dict.fromkeys(reason for _, reason in pins)
    reasons[ALL_TOGETHER] = None
    numbers = {reason: number for number, reason in enumerate(reasons)}
    none = len(numbers)
    found = np.full(len(labels), none, np.int64)
    for slots, reason in pins:
        sets = labels[slots]
        found[sets] = np.where(found[sets] == none, numbers[reason], found[sets])
    whole = _whole(draft, labels)
    found[labels[whole]] = np.where(found[labels[whole]] == none, numbers[ALL_TOGETHER], found[labels[whole]])
    spread = found[labels]
    return Sets(labels, np.where(spread == none, -1, spread), tuple(numbers))
