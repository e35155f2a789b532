"""Work of every operator at the dims of one walk, and its totals over branches and loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from nnea_graph.errors import OperatorError
from nnea_graph.graph import ModelGraph, OpNode, TensorInfo
from nnea_graph.inference.control_flow import Trips
from nnea_graph.inference.walk import Inference, call_of
from nnea_graph.ops.call import BadCallError, UnknownFactError
from nnea_graph.ops.work import Work, work_rules

_FOLDED = Work(free="constant: computed once, before the model runs")
_MATRIX = frozenset({"MatMul", "FusedMatMul", "Conv", "ConvTranspose", "Gemm", "Einsum", "MatMulNBits"})


@dataclass(frozen=True, slots=True)
class NodeWork:
    """Work of one operator in one run of the model.

    ``status`` is ``exact``, ``estimated`` or ``unknown``; unknown counts are None and ``reason`` says why.
    ``once`` is what a single run of the operator costs, ``runs`` how often that is (None where unknown).
    """

    status: str
    reason: str
    once: Work | None
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


def count_work(graph: ModelGraph, found: Inference) -> dict[str, NodeWork]:
    """Apply the rules to every operator.

    Raises:
        OperatorError: attributes or shapes contradict an operator's definition.
    """
    runs = _runs_of_bodies(graph, found.trips)
    return {node.id: _node_work(graph, found, node, runs.get(node.body, Trips(1))) for node in graph}


def _runs_of_bodies(graph: ModelGraph, trips: Mapping[str, Trips]) -> dict[str, Trips]:
    """How often each body runs in one run of the model: the product along the path to it."""
    runs: dict[str, Trips] = {"": Trips(1)}
    for path, body in graph.bodies.items():
        outer = runs.get(body.outer, Trips(1))
        own = trips.get(path, Trips(None, "not reached"))
        if outer.count == 0 or own.count == 0:
            runs[path] = Trips(0, own.reason or outer.reason)
        elif outer.count is None or own.count is None:
            runs[path] = Trips(None, own.reason or outer.reason)
        else:
            runs[path] = Trips(outer.count * own.count, "", outer.bound or own.bound)
    return runs


def _node_work(graph: ModelGraph, found: Inference, node: OpNode, runs: Trips) -> NodeWork:
    read = _bytes(found, node.inputs)
    written = _bytes(found, node.outputs)
    if node.outputs and all(name in found.constant for name in node.outputs if name):
        return NodeWork("exact", _FOLDED.free, _FOLDED, runs.count, 0, 0)
    if runs.count == 0:
        idle = Work(free=f"does not run: {runs.reason}" if runs.reason else "does not run")
        return NodeWork("exact", idle.free, idle, 0, 0, 0)
    rule = work_rules().get(node.op_type, node.domain)
    if rule is None:
        reason = f"no rule for {node.domain or 'ai.onnx'}::{node.op_type}"
        return NodeWork("unknown", reason, None, runs.count, read, written)
    try:
        once = rule(call_of(node, found))
    except UnknownFactError as error:
        return NodeWork("unknown", str(error), None, runs.count, read, written)
    except BadCallError as error:
        raise OperatorError(f"node '{node.id}' ({node.op_type}): {error}") from error
    once = _as_bias(graph, found, node, once)
    if runs.count is None and (once.macs or once.flops or once.other_flops):
        return NodeWork("unknown", f"{runs.reason}; {once.macs:,} MACs each time", once, None, read, written)
    reason = once.estimate or ("the loop may end earlier" if runs.bound else "")
    return NodeWork("estimated" if reason else "exact", reason or once.free, once, runs.count, read, written)


def _as_bias(graph: ModelGraph, found: Inference, node: OpNode, once: Work) -> Work:
    """An Add of a constant to a matrix product is its bias: the same network counts the same however written."""
    if node.op_type != "Add" or node.domain:
        return once
    operands = [name for name in node.inputs if name not in found.constant]
    if len(operands) != 1 or len(node.inputs) != 2:
        return once
    constant = next(name for name in node.inputs if name in found.constant)
    shape = found.types[constant].static if constant in found.types else None
    maker = graph.producer(operands[0])
    if maker is None or maker.op_type not in _MATRIX or shape is None or sum(dim != 1 for dim in shape) != 1:
        return once
    return Work(flops=once.other_flops)


def _bytes(found: Inference, names: tuple[str, ...]) -> int | None:
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
class Totals:
    """Sums over what one run of the model executes. Operators of unknown cost are left out and counted."""

    macs: int = 0
    flops: int = 0
    other_flops: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.macs + other.macs, self.flops + other.flops, self.other_flops + other.other_flops)


def total_work(
    graph: ModelGraph, works: Mapping[str, NodeWork], trips: Mapping[str, Trips]
) -> tuple[Totals, dict[str, Totals], frozenset[str]]:
    """Total of the model, of each body, and the bodies that the total leaves out.

    Of alternatives the total takes the larger one, by MACs and then other work; never one that cannot run.
    """
    sums: dict[str, Totals] = {path: Totals() for path in ("", *graph.bodies)}
    for node in graph:
        work = works[node.id]
        sums[node.body] += Totals(*(work.count(field) or 0 for field in ("macs", "flops", "other_flops")))
    left_out: set[str] = set()
    finished: set[str] = set()
    for path in reversed(list(graph.bodies)):
        body = graph.bodies[path]
        finished.add(path)
        rivals = [other for other in graph.node(body.owner).bodies if graph.bodies[other].alternative]
        if len(rivals) < 2:
            sums[body.outer] += sums[path]
        elif finished.issuperset(rivals):
            best = max(rivals, key=lambda rival: (_may_run(trips, rival), *_rank(sums[rival])))
            sums[body.outer] += sums[best]
            left_out |= {other for other in rivals if other != best}
    return sums[""], sums, _with_inner(graph, left_out)


def _may_run(trips: Mapping[str, Trips], path: str) -> bool:
    return path not in trips or trips[path].count != 0


def _rank(totals: Totals) -> tuple[int, int, int]:
    return totals.macs, totals.flops, totals.other_flops


def _with_inner(graph: ModelGraph, left_out: set[str]) -> frozenset[str]:
    """The bodies left out and all the bodies in them."""
    result: set[str] = set()
    for path, body in graph.bodies.items():
        if path in left_out or body.outer in result:
            result.add(path)
    return frozenset(result)
