"""Shares of MACs and parameters, by kind of operator and by place in the model, as plots and tables show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nnea_graph.report.schema.analysis import Report
from nnea_graph.report.views.summary import by_module, left_out, share


@dataclass(frozen=True, slots=True)
class CostBar:
    """A bar: operators or layers of a kind, with their shares of the model; None is not known."""

    name: str
    macs: float | None
    parameters: float | None


@dataclass(frozen=True, slots=True)
class Costs:
    """The dearest ones, and in one what is left over; None where nothing is."""

    shown: Sequence[CostBar]
    rest: CostBar | None = None


def costs_by_operator(report: Report, most: int) -> Costs:
    """Shares of MACs and parameters by operator type."""
    macs: Counter[str] = Counter()
    parameters: Counter[str] = Counter()
    for node in report.nodes:
        macs[node.op_type] += (node.macs or 0) if node.in_total else 0
    for layer in report.layers:
        parameters[layer.op_type] += layer.parameters
    return _bars(report, macs, parameters, most)


def costs_by_place(report: Report, most: int) -> tuple[str, Costs]:
    """The same by module of the source model where it is known, else by layer; and which of the two it is."""
    modules = by_module(report)
    outside = left_out(report)
    if not modules:
        macs = Counter({layer.id: layer.macs or 0 for layer in report.layers if layer.id not in outside})
        parameters = Counter({layer.id: layer.parameters for layer in report.layers})
        return "layer", _bars(report, macs, parameters, most)
    macs = Counter({group.name: group.macs for group in modules})
    names = sorted((group.name for group in modules), key=len, reverse=True)
    parameters = Counter()
    for layer in report.layers:
        name = next((name for name in names if _lies_in(layer.scope, name)), "")
        parameters[name] += layer.parameters
    return "module", _bars(report, macs, parameters, most)


def _lies_in(scope: str, module: str) -> bool:
    dotted = scope.replace("/", ".").strip(".")
    return dotted == module or dotted.startswith(f"{module}.")


def _bars(report: Report, macs: Counter[str], parameters: Counter[str], most: int) -> Costs:
    names = dict.fromkeys((*macs, *parameters))  # of two alike the one that comes first
    order = sorted(names, key=lambda name: (-macs[name], -parameters[name]))
    kept = [name for name in order if macs[name] or parameters[name]]
    shown = [_cost(report, name, [name], macs, parameters) for name in kept[:most]]
    rest = kept[most:]
    return Costs(shown, _cost(report, f"{len(rest):,} more", rest, macs, parameters) if rest else None)


def _cost(
    report: Report, title: str, names: Sequence[str], macs: Counter[str], parameters: Counter[str]
) -> CostBar:
    return CostBar(
        title,
        share(sum(macs[name] for name in names), report.totals.macs),
        share(sum(parameters[name] for name in names), report.totals.parameters),
    )
