"""Counts what every operator computes, reads and writes, and what that is as a formula in the dims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnea_graph.engine import Pass, RunContext
from nnea_graph.errors import OperatorError, UsageError
from nnea_graph.graph import Key, ModelGraph
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.shape_inference import DIMS, SHAPES
from nnea_graph.static.cost_counting import NodeCost, RunTotals, count_work, macs_of_one_trip, total_work
from nnea_graph.static.dims import Dims, is_batch, rebound
from nnea_graph.static.polynomial_fit import Point, Polynomial, fit
from nnea_graph.static.propagation import infer
from nnea_graph.static.training_cost import conventional_flops, training_flops

_VISITS = 60_000
"""Operators that may be visited again for the formula: about two seconds."""

_STEPS = (1, 8, 32, 128)
_MOST_SYMBOLS = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """``work`` at the given dims; ``formula`` of its MACs, None where there is none."""

    work: NodeCost
    training_flops: int | None
    formula: Polynomial | None = None


@dataclass(frozen=True, slots=True)
class ModelCost:
    """Totals of one run of the model.

    ``bodies`` are those of each body, ``one_trip`` the MACs of one trip through it; ``left_out`` are the
    branches that the total is without; ``formula_note`` says why there is no formula.
    """

    totals: RunTotals
    training_flops: int
    bodies: Mapping[str, RunTotals]
    one_trip: Mapping[str, int | None]
    left_out: frozenset[str]
    formula: Polynomial | None
    formula_note: str
    training: str


COST = Key[Cost]("cost")
MODEL_COST = Key[ModelCost]("model_cost")


@dataclass(frozen=True)
class CostPass(Pass):
    """MACs, FLOPs, bytes and training FLOPs.

    ``training`` is ``4x`` (the convention) or ``exact`` (by reachability); ``frozen`` are patterns of weights,
    operators or source modules that do not train.
    """

    name = "cost"
    requires = (DIMS, SHAPES, WEIGHTS)
    provides = (COST, MODEL_COST)

    training: str = "4x"
    frozen: tuple[str, ...] = ()

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Count at the given dims, then at others for the formula."""
        if self.training not in {"4x", "exact"}:
            raise UsageError(f"--training is '4x' or 'exact', not '{self.training}'")
        if self.frozen and self.training != "exact":
            raise UsageError("--frozen says what does not train; it needs --training exact")
        works = count_work(graph, graph[SHAPES])
        totals, bodies, left_out = total_work(graph, works, graph[SHAPES].trips)
        training = conventional_flops(works)
        if self.training == "exact":
            weights = {node.id: graph[node, WEIGHTS] for node in graph}
            training = training_flops(graph, works, graph[SHAPES], weights, self.frozen)
        formulas, note = _formulas(graph, graph[DIMS], works)
        for node in graph:
            formula = formulas.get(node.id)
            graph[node, COST] = Cost(works[node.id], training[node.id], formula)
        spent = sum(training[node.id] or 0 for node in graph if node.body not in left_out)
        one_trip = macs_of_one_trip(graph, works, graph[SHAPES].trips)
        graph[MODEL_COST] = ModelCost(
            totals, spent, bodies, one_trip, left_out, formulas.get(""), note, self.training
        )


def _formulas(
    graph: ModelGraph, dims: Dims, works: Mapping[str, NodeCost]
) -> tuple[dict[str, Polynomial | None], str]:
    """The formula of the total ("") and of each operator, or why there is none."""
    symbols = tuple(dims.values)
    if not symbols:
        return {}, "every dim is a number"
    if len(symbols) > _MOST_SYMBOLS:
        return {}, f"{len(symbols)} symbols are too many"
    base = [dims.values[symbol] for symbol in symbols]
    choices = [(1,) if is_batch(symbol) else _STEPS for symbol in symbols]
    ids = [node.id for node in graph]
    visited = 0

    def sample(point: Point) -> list[int | None]:
        nonlocal visited
        visited += len(ids)
        if visited > _VISITS:
            raise _OutOfBudgetError
        return _macs_at(graph, rebound(dims, dict(zip(symbols, point, strict=True))), ids)

    try:
        found = fit(symbols, base, choices, sample)
    except _OutOfBudgetError:
        return {}, "the graph is too large to count again at other dims"
    note = "" if found[0] else "the count is not a polynomial in the dims"
    if unknown := sum(node_work.status == "unknown" for node_work in works.values()):
        found, note = [None, *found[1:]], f"the cost of {unknown:,} operators is not known"
    return dict(zip(["", *ids], found, strict=True)), note


class _OutOfBudgetError(Exception):
    """Counting at more dims would take too long."""


def _macs_at(graph: ModelGraph, dims: Dims, ids: list[str]) -> list[int | None]:
    """Total and each operator's MACs at other dims; unknown where the model does not accept them."""
    found = infer(graph, dims)
    if found.problems:
        return [None] * (len(ids) + 1)
    try:
        works = count_work(graph, found)
    except OperatorError:
        return [None] * (len(ids) + 1)
    totals, _, _ = total_work(graph, works, found.trips)
    return [totals.macs, *(works[node_id].count("macs") for node_id in ids)]
