"""Work of every operator at the dims of one walk, and its totals over branches and loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from nnea_graph.errors import OperatorError
from nnea_graph.graph import Body, ModelGraph, OpNode, TensorInfo
from nnea_graph.ops.call import BadCallError, UnknownFactError
from nnea_graph.ops.cost_rules import COST_RULES, OperatorCost
from nnea_graph.static.control_flow import Trips
from nnea_graph.static.fused_bias import biased_operator
from nnea_graph.static.result import StaticFacts, call_of

_FOLDED = OperatorCost(free="constant: computed once, before the model runs")


@dataclass(frozen=True, slots=True)
class NodeCost:
    """Work of one operator in one run of the model.

    ``status`` is ``exact``, ``estimated``, ``observed`` or ``unknown``; unknown counts are None, ``reason`` says why.
    ``once`` is what a single run of the operator costs, ``runs`` how often that is (None where unknown).
    """

    status: str
    reason: str
    once: OperatorCost | None
    runs: int | None
    bytes_read: int | None
    bytes_written: int | None

    def count(self, field: str) -> int | None:
        """``macs``, ``flops`` or ``other_flops`` over all runs."""
        if self.once is None:
            return None
        each: int = getattr(self.once, field)
        if each == 0:
            return 0
        return None if self.runs is None else each * self.runs


def count_work(
    graph: ModelGraph, found: StaticFacts, observed_runs: Mapping[str, int] | None = None
) -> dict[str, NodeCost]:
    """Apply the rules to every operator; ``observed_runs`` is how often bodies were seen to run.

    Raises:
        OperatorError: attributes or shapes contradict an operator's definition.
    """
    runs = _runs_of_bodies(graph, found.trips, observed_runs or {})
    return {node.id: _node_work(graph, found, node, runs.get(node.body, Trips(1))) for node in graph}


def _runs_of_bodies(
    graph: ModelGraph, trips: Mapping[str, Trips], observed: Mapping[str, int]
) -> dict[str, Trips]:
    """Number of times that each body runs in one run of the model: the product along the path to it."""
    runs: dict[str, Trips] = {"": Trips(1)}
    for path, body in graph.bodies.items():
        outer = runs.get(body.outer, Trips(1))
        own = trips.get(path, Trips(None, "not reached"))
        if path in observed:
            runs[path] = Trips(observed[path], "" if observed[path] else "seen not to run")
        elif outer.count == 0 or own.count == 0:
            runs[path] = Trips(0, own.reason or outer.reason)
        elif outer.count is None or own.count is None:
            runs[path] = Trips(None, own.reason or outer.reason)
        else:
            runs[path] = Trips(outer.count * own.count, "", outer.bound or own.bound)
    return runs


def _node_work(graph: ModelGraph, found: StaticFacts, node: OpNode, runs: Trips) -> NodeCost:
    read = _bytes(found, node.inputs)
    written = _bytes(found, node.outputs)
    if node.outputs and all(name in found.constant for name in node.outputs if name):
        return NodeCost("exact", _FOLDED.free, _FOLDED, runs.count, 0, 0)
    if runs.count == 0:
        idle = OperatorCost(free=f"does not run: {runs.reason}" if runs.reason else "does not run")
        return NodeCost("exact", idle.free, idle, 0, 0, 0)
    rule = COST_RULES.get(node.op_type, node.domain)
    if rule is None:
        reason = f"no rule for {node.domain or 'ai.onnx'}::{node.op_type}"
        return NodeCost("unknown", reason, None, runs.count, read, written)
    try:
        once = rule(call_of(node, found))
    except UnknownFactError as error:
        return NodeCost("unknown", str(error), None, runs.count, read, written)
    except BadCallError as error:
        raise OperatorError(f"node '{node.id}' ({node.op_type}): {error}") from error
    if biased_operator(graph, found, node) is not None:
        once = OperatorCost(flops=once.other_flops)
    if runs.count is None and (once.macs or once.flops or once.other_flops):
        return NodeCost("unknown", f"{runs.reason}; {once.macs:,} MACs each time", once, None, read, written)
    reason = once.estimate or ("the loop may end earlier" if runs.bound else "")
    return NodeCost("estimated" if reason else "exact", reason or once.free, once, runs.count, read, written)


def _bytes(found: StaticFacts, names: tuple[str, ...]) -> int | None:
    total = 0
    for name in names:
        if name:
            size = nbytes(found.types.get(name))
            if size is None:
                return None
            total += size
    return total


def nbytes(info: TensorInfo | None) -> int | None:
    """Bytes of a tensor, None where type or shape is not known."""
    if info is None or info.dtype is None or info.static is None or info.dtype.kind == "string":
        return None
    return info.dtype.nbytes(prod(info.static))


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Sums over what one run of the model executes. Operators of unknown cost are left out and counted."""

    macs: int = 0
    flops: int = 0
    other_flops: int = 0


def total_work(
    graph: ModelGraph, works: Mapping[str, NodeCost], trips: Mapping[str, Trips]
) -> tuple[RunTotals, dict[str, RunTotals], frozenset[str]]:
    """Total of the model, of each body, and the bodies that the total leaves out.

    Of alternatives the total takes the larger one, by MACs and then other work; never one that cannot run.
    """
    sums = {path: [0, 0, 0] for path in ("", *graph.bodies)}
    for node in graph:
        _add(
            sums[node.body], [works[node.id].count(field) or 0 for field in ("macs", "flops", "other_flops")]
        )
    left_out: set[str] = set()
    finished: set[str] = set()
    for path in reversed(list(graph.bodies)):
        body = graph.bodies[path]
        finished.add(path)
        rivals = _rivals(graph, body)
        if len(rivals) < 2:
            _add(sums[body.outer], sums[path])
        elif finished.issuperset(rivals):
            best = max(rivals, key=lambda rival: (_may_run(trips, rival), sums[rival]))
            _add(sums[body.outer], sums[best])
            left_out |= {other for other in rivals if other != best}
    totals = {path: RunTotals(*counts) for path, counts in sums.items()}
    return totals[""], totals, _with_inner(graph, left_out)


def _add(counts: list[int], more: list[int]) -> None:
    counts[:] = [a + b for a, b in zip(counts, more, strict=True)]


def _rivals(graph: ModelGraph, body: Body) -> list[str]:
    """The bodies of which at most one runs."""
    return [other for other in graph.node(body.owner).bodies if graph.bodies[other].alternative]


def macs_of_one_trip(
    graph: ModelGraph, works: Mapping[str, NodeCost], trips: Mapping[str, Trips]
) -> dict[str, int | None]:
    """MACs of each body when it runs once, however often that is; None where an operator's are not known."""
    sums: dict[str, int | None] = dict.fromkeys(graph.bodies, 0)
    for node in graph:
        if node.body:
            once = works[node.id].once
            sums[node.body] = _plus(sums[node.body], once.macs if once else None)
    finished: set[str] = set()
    for path in reversed(list(graph.bodies)):
        body = graph.bodies[path]
        finished.add(path)
        rivals = _rivals(graph, body) or [path]
        if not body.outer or not finished.issuperset(rivals):
            continue
        counts = [_times(sums[rival], trips[rival].count if rival in trips else None) for rival in rivals]
        known = [count for count in counts if count is not None]
        sums[body.outer] = _plus(sums[body.outer], max(known) if len(known) == len(counts) else None)
    return sums


def _plus(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


def _times(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first * second


def _may_run(trips: Mapping[str, Trips], path: str) -> bool:
    return path not in trips or trips[path].count != 0


def _with_inner(graph: ModelGraph, left_out: set[str]) -> frozenset[str]:
    """The bodies left out and all the bodies in them."""
    result: set[str] = set()
    for path, body in graph.bodies.items():
        if path in left_out or body.outer in result:
            result.add(path)
    return frozenset(result)
