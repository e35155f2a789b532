"""Totals of cost, and what they are: exact, estimated, observed, or a lower bound."""

from __future__ import annotations

from typing import Any

from nnea_graph.graph import ModelGraph
from nnea_graph.passes.cost import MODEL_COST
from nnea_graph.passes.observed_cost import OBSERVED_COST
from nnea_graph.report.facts import cost_of, fact

_FIELDS = ("macs", "flops", "other_flops", "training_flops")


def cost_totals(graph: ModelGraph) -> dict[str, Any]:
    """The four totals with their status; null where nothing of one is known."""
    counted, observed = fact(graph, MODEL_COST), fact(graph, OBSERVED_COST)
    if counted is None:
        return {**dict.fromkeys(_FIELDS), "cost_status": None, "cost_note": ""}
    seen = observed if observed and observed.totals else None
    totals = (seen.totals if seen else None) or counted.totals
    found: dict[str, int | None] = {name: getattr(totals, name) for name in _FIELDS[:3]}
    found["training_flops"] = seen.training_flops if seen else counted.training_flops
    works = [cost.work for node in graph if (cost := cost_of(graph, node))]
    unknown = sum(work.status == "unknown" for work in works)
    if unknown:
        found = {name: total or None for name, total in found.items()}
    return {
        **found,
        **_status({work.status for work in works}, unknown, observed.source if seen and observed else ""),
    }


def _status(statuses: set[str], unknown: int, source: str) -> dict[str, str]:
    seen = f"in part observed on the first sample of {source}" if source else ""
    if unknown:
        note = f"without {unknown:,} operator{'s' if unknown > 1 else ''} of unknown cost"
        return {"cost_status": "lower bound", "cost_note": f"{note}; {seen}" if seen else note}
    if seen:
        return {"cost_status": "observed", "cost_note": seen}
    return {"cost_status": "estimated" if "estimated" in statuses else "exact", "cost_note": ""}
