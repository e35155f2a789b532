"""From a draft to sets of slots: open choices are made so that as much as possible of the model can be pruned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from nnea_graph.rewrite.coupling.connected_components import merged
from nnea_graph.rewrite.coupling.constraints import (
    CouplingChoice,
    CouplingConstraints,
    Edges,
    Option,
    Pinning,
)
from nnea_graph.rewrite.coupling.group_balance import balanced
from nnea_graph.rewrite.coupling.index_space import Axis, Indices
from nnea_graph.rewrite.coupling.layer_axes import layer_axes, layer_weights, read_axes

ALL_TOGETHER = "its channels only go all together"
NO_WAY = "a reshape cuts or joins its channels, and every part of them must stay for another reason"
UNEVEN = "every group of a convolution must lose as many, and not enough can go with them"

_PREFERENCES: tuple[Mapping[str, int], ...] = (
    {"reshape": 0, "group": 0},
    {"reshape": 0, "group": 1},
    {"reshape": -1, "group": 0},
    {"reshape": -1, "group": 1},
)
"""Which option of each kind of choice is tried, best first: outer factors (whole heads) and whole groups."""

MARGIN = 1.05
"""How many times as much a later preference must free: scales and tables alone are no reason to cut up heads."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Sets:
    """The set of each slot, known by its smallest slot, and why it stays: a place in ``reasons``, -1 if it can go."""

    labels: Indices
    reason: Indices
    reasons: tuple[str, ...]

    @property
    def pinned(self) -> Flags:
        """Determines which slots stay."""
        pinned: Flags = self.reason >= 0
        return pinned


def resolve(draft: CouplingConstraints) -> Sets:
    """The finest sets that all operators allow, after their choices are made."""
    state = _SolverState(
        _joined(np.arange(draft.slots.count), draft.edges), list(draft.pins), list(draft.choices)
    )
    state.settle()
    while state.rule_out():
        state.settle()
    if state.open:
        state = _best(draft, state)
    else:
        state.even_out(draft)
    return _sets(draft, state.labels, state.pins)


@dataclass
class _SolverState:
    """Sets and pins so far, the choices that are still open, and what must lose as many (see ``Option.alike``)."""

    labels: Indices
    pins: list[Pinning]
    open: list[CouplingChoice]
    alike: list[Indices] = field(default_factory=list)

    def settle(self) -> None:
        """Make the choices for which only one way is left, until none is."""
        while True:
            left, chosen = _forced(self.open, _stays(self.labels, self.pins), self.pins)
            changed, self.open = len(left) < len(self.open), left
            if not changed:
                return
            self.take(chosen)

    def rule_out(self) -> bool:
        """Drop the ways in which nothing could go, by what is coupled already; whether there were any."""
        left = []
        for choice in self.open:
            options = tuple(option for option in choice.options if not _collapses(option, self.labels))
            fewer = 0 < len(options) < len(choice.options)
            left.append(CouplingChoice(choice.node, choice.kind, options) if fewer else choice)
        changed = any(one is not other for one, other in zip(left, self.open, strict=True))
        self.open = left
        return changed

    def take(self, options: Sequence[Option]) -> None:
        """Couple in these ways."""
        self.labels = _joined(self.labels, [edge for option in options for edge in option.edges])
        self.pins += [pin for option in options for pin in option.pins]
        self.alike += [rows for option in options for rows in option.alike]

    def even_out(self, draft: CouplingConstraints) -> None:
        """Join the sets that only together are even, one requirement after the other: even sets stay so when joined."""
        stays = _stays(self.labels, self.pins)
        for rows in self.alike:
            free = ~(stays | _whole(draft, self.labels))
            even, left = balanced(self.labels, free, rows)
            edges = [(np.array(names[1:]), np.array(names[:-1])) for names in even if len(names) > 1]
            self.labels = _joined(self.labels, edges)
            self.pins.append((np.array(left, np.int64), UNEVEN))
            stays |= np.isin(self.labels, left)


def _joined(labels: Indices, edges: Sequence[Edges]) -> Indices:
    if not edges:
        return labels
    left, right = (np.concatenate([edge[side] for edge in edges]) for side in (0, 1))
    return merged(labels, left, right)


def _stays(labels: Indices, pins: Iterable[Pinning]) -> Flags:
    """Determines which slots are in a set that stays."""
    return _with(labels, [slots for slots, _ in pins])


def _with(labels: Indices, some: Iterable[Indices]) -> Flags:
    """Determines which slots are in a set with one of these."""
    flags = np.zeros(len(labels), np.bool_)
    for slots in some:
        flags[labels[slots]] = True
    found: Flags = flags[labels]
    return found


def _forced(
    choices: Sequence[CouplingChoice], stays: Flags, pins: list[Pinning]
) -> tuple[list[CouplingChoice], list[Option]]:
    """The choices that are still open, and the options of those that leave one; what has none is pinned."""
    left, chosen = [], []
    for choice in choices:
        free = tuple(
            option for option in choice.options if not any(stays[need].all() for need in option.needs)
        )
        if len(free) > 1:
            left.append(
                CouplingChoice(choice.node, choice.kind, free) if len(free) < len(choice.options) else choice
            )
        elif free:
            chosen.append(free[0])
        else:
            pins += [(slots, NO_WAY) for slots in choice.touched()]
    return left, chosen


def _best(draft: CouplingConstraints, state: _SolverState) -> _SolverState:
    """For every part of the model that hangs together, the first preference with about the most prunable weights."""
    clusters = _clusters(draft, state)
    homes = {int(clusters[_first(choice)]) for choice in state.open}
    made, read = (_slots(draft, axes) for axes in ((axis for _, axis in layer_axes(draft)), read_axes(draft)))
    best: dict[int, tuple[float, int, Mapping[str, int]]] = {}
    for preference in _PREFERENCES:
        tried = _followed(draft, state, clusters, dict.fromkeys(homes, preference))
        # What no layer makes is never removed, and what none reads cannot be made up for.
        useful = _with(tried.labels, made) & _with(tried.labels, read)
        stays = _stays(tried.labels, tried.pins) | _whole(draft, tried.labels) | ~useful
        free = Counter(home for slots in made for home in clusters[slots[~stays[slots]]].tolist())
        for home, score in _scores(draft, clusters, stays, homes).items():
            if home not in best or _better(score, free[home], *best[home][:2]):
                best[home] = score, free[home], preference
    return _followed(
        draft, state, clusters, {home: best[home][2] if home in best else _PREFERENCES[0] for home in homes}
    )


def _slots(draft: CouplingConstraints, axes: Iterable[Axis]) -> list[Indices]:
    return [slots for axis in axes if (slots := draft.slots.of(axis)) is not None]


def _better(score: float, free: int, best: float, most: int) -> bool:
    """Compares by weights that can go; where these are about as many, by channels that layers make and that can go."""
    return score > best * MARGIN or (score * MARGIN >= best and free > most * MARGIN)


def _followed(
    draft: CouplingConstraints,
    state: _SolverState,
    clusters: Indices,
    preferences: Mapping[int, Mapping[str, int]],
) -> _SolverState:
    """One choice of each cluster after the other by its preference, each with what follows from it."""
    state = _SolverState(state.labels, list(state.pins), list(state.open), list(state.alike))
    while state.open:
        firsts = {int(clusters[_first(choice)]): choice for choice in reversed(state.open)}
        taken = {id(choice) for choice in firsts.values()}
        state.take([choice.options[preferences[home][choice.kind]] for home, choice in firsts.items()])
        state.open = [choice for choice in state.open if id(choice) not in taken]
        state.settle()
    state.even_out(draft)
    return state


def _collapses(option: Option, labels: Indices) -> bool:
    """Tells whether an axis that the option leaves free would be one set, of which none can go."""
    if not option.needs:
        return False
    slots = np.unique(np.concatenate([*option.needs, *(side for edge in option.edges for side in edge)]))
    _, local = np.unique(labels[slots], return_inverse=True)
    places = [(np.searchsorted(slots, left), np.searchsorted(slots, right)) for left, right in option.edges]
    sets = _joined(np.arange(len(slots)), [(local[left], local[right]) for left, right in places])[local]
    return any(
        (sets[at] == sets[at[0]]).all() for at in (np.searchsorted(slots, need) for need in option.needs)
    )


def _first(choice: CouplingChoice) -> int:
    """A slot that any option concerns."""
    return int(choice.options[0].needs[0][0])


def _clusters(draft: CouplingConstraints, state: _SolverState) -> Indices:
    """Slots that any choice could tie together, through whole axes."""
    starts, stops = draft.slots.starts[:-1], draft.slots.starts[1:]
    axes = (np.repeat(starts, stops - starts), np.arange(draft.slots.count))
    edges = [edge for choice in state.open for option in choice.options for edge in option.edges]
    ties = [
        (np.full(len(slots), _first(choice)), slots) for choice in state.open for slots in choice.touched()
    ]
    return _joined(state.labels, [axes, *edges, *ties])


def _whole(draft: CouplingConstraints, labels: Indices) -> Flags:
    """Determines which slots are in a set that has a whole axis in it: without it nothing would be left."""
    starts = draft.slots.starts[:-1]
    flags = np.zeros(len(labels), np.bool_)
    if len(starts):
        low, high = np.minimum.reduceat(labels, starts), np.maximum.reduceat(labels, starts)
        flags[low[low == high]] = True
    whole: Flags = flags[labels]
    return whole


def _scores(draft: CouplingConstraints, clusters: Indices, stays: Flags, homes: set[int]) -> dict[int, float]:
    """Weights of layers by cluster that lie in some slice that can go."""
    scores: dict[int, float] = defaultdict(float)
    for name in sorted(layer_weights(draft)):
        staying: dict[int, float] = {}
        dims = draft.dims(name) or ()
        for axis in range(len(dims)):
            slots = draft.slots.of((name, axis))
            home = int(clusters[slots[0]]) if slots is not None else -1
            if slots is not None and home in homes:
                staying[home] = staying.get(home, 1.0) * float(stays[slots].mean())
        for home, share in staying.items():
            scores[home] += prod(dim or 0 for dim in dims) * (1 - share)
    return scores


def _sets(draft: CouplingConstraints, labels: Indices, pins: list[Pinning]) -> Sets:
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
