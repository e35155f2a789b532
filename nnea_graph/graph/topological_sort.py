"""Execution order of operators: checked, restored where a file has it wrong, cycles named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush

from nnea_graph.errors import ModelError
from nnea_graph.graph.nodes import OpNode

_SHOWN = 8

Reads = Callable[[OpNode], Iterable[str]]


def in_order(nodes: Sequence[OpNode], reads: Reads) -> bool:
    """Tells whether every operator comes after the ones whose outputs it reads."""
    pending = {name for node in nodes for name in node.outputs if name}
    for node in nodes:
        if any(name in pending for name in reads(node)):
            return False
        pending.difference_update(node.outputs)
    return True


def ordered(nodes: Sequence[OpNode], reads: Reads) -> list[OpNode]:
    """The operators in an order that can be executed, as near to the given one as can be.

    Raises:
        ModelError: there is a cycle; the message names its operators.
    """
    makers = {name: place for place, node in enumerate(nodes) for name in node.outputs if name}
    needs = [{makers[name] for name in reads(node) if name in makers} for node in nodes]
    users: list[list[int]] = [[] for _ in nodes]
    for place, needed in enumerate(needs):
        for other in needed:
            users[other].append(place)
    open_needs = [len(needed) for needed in needs]
    ready = [place for place, count in enumerate(open_needs) if count == 0]
    heapify(ready)
    result: list[OpNode] = []
    while ready:
        place = heappop(ready)
        result.append(nodes[place])
        for user in users[place]:
            open_needs[user] -= 1
            if open_needs[user] == 0:
                heappush(ready, user)
    if len(result) < len(nodes):
        raise ModelError(f"the graph has a cycle: {_cycle(nodes, needs, open_needs)}")
    return result


def _cycle(nodes: Sequence[OpNode], needs: Sequence[set[int]], open_needs: Sequence[int]) -> str:
    """One cycle, in the direction of the data, by the operators' ids."""
    place = next(place for place, count in enumerate(open_needs) if count)
    seen: dict[int, int] = {}
    path: list[int] = []
    while place not in seen:
        seen[place] = len(path)
        path.append(place)
        place = min(other for other in needs[place] if open_needs[other])
    ids = [nodes[at].id for at in reversed(path[seen[place] :])]
    shown = ids if len(ids) <= _SHOWN else [*ids[:_SHOWN], f"… {len(ids) - _SHOWN} more"]
    return " -> ".join([*shown, ids[0]])
