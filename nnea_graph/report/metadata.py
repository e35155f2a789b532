"""The facts of a report as metadata of a model: keys under ``nnea_graph.``, values as JSON.

The model has every field of ``totals`` and what they rest on, a node its operator's and its layer's, both those of
passes that describe their facts (``nnea_graph.PASS.FACT``). What is not known has no key of its own:
``nnea_graph.unknown`` tells why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from nnea_graph.engine.section import FactSection, Value
from nnea_graph.frontends.shared.source_metadata import KEY
from nnea_graph.report.schema.analysis import DataUsed, Layer, Metrics, Node, Report, Totals

PREFIX = "nnea_graph."
_COUNTS = ("macs", "flops", "other_flops", "training_flops")
_STATISTICS = ("utilization", "redundancy", "gini", "effective_weights", "entropy", "sparsity")
_WORST_FIRST = ("unknown", "estimated", "exact")
_GIVEN_BY = {
    **dict.fromkeys(("parameters", "buffers", "constants"), "constants"),
    **dict.fromkeys(("weight_bytes", "peak_activation_bytes", "peak_node", "unsized_tensors"), "memory"),
    **dict.fromkeys((*_COUNTS, "macs_formula", "macs_formula_short", "coverage"), "cost"),
    "importance_totals": "importance",
}
"""The pass that gives a field of the totals; the rest is of ``weight_statistics``."""

_OTHERS = "weight_statistics"
_NOT_GIVEN = {"trainable_parameters": "the source model is not known", "data": "the model was not run"}


def is_fact(key: str) -> bool:
    """Tells whether a key of a model's metadata is one of these."""
    return key.startswith(PREFIX) and key != KEY


class Facts:
    """Metadata of one report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._nodes = {node.id: node for node in report.nodes}
        self._layers = {layer.id: layer for layer in report.layers}
        self._described = described_facts(report.extensions)

    @property
    def operators(self) -> frozenset[str]:
        """The ids of all operators that there are facts of."""
        return frozenset(self._nodes)

    def of_model(self) -> dict[str, str]:
        """Metadata of the whole."""
        report = self._report
        values = {
            "schema_version": report.schema_version,
            "version": report.tool.version,
            "dims": report.dims,
            "assumed_dims": report.assumed_dims,
            **{each.name: getattr(report.totals, each.name) for each in fields(report.totals)},
            "data": _without_place(report.data) if report.data else None,
        }
        reasons = {name: self._reason(name) for name in values}
        return _texts(*self._with_described(None, values, reasons))

    def of_operators(self, ids: Sequence[str]) -> dict[str, str]:
        """Metadata of a node that stands for these operators: one, or those of the function that it calls."""
        nodes = [self._nodes[each] for each in ids]
        layers = [self._layers[each] for each in ids if each in self._layers]
        if len(nodes) == 1:
            return self._of_one(nodes[0], next(iter(layers), None))
        return self._of_call(nodes, layers) if nodes else {}

    def _of_one(self, node: Node, layer: Layer | None) -> dict[str, str]:
        values = {
            **{name: getattr(node, name) for name in (*_COUNTS, "bytes", "runs")},
            "in_total": node.in_total,
            "status": node.status,
        }
        reasons = dict.fromkeys(values, node.reason or self._reason("macs"))
        if node.reason and node.status:
            values["reason"] = node.reason
        if layer is not None:
            metrics, kind = self._metrics(layer)
            values |= {"parameters": layer.parameters, "flow": layer.flow, "statistics_of": kind}
            values |= {name: getattr(metrics, name, None) for name in _STATISTICS}
            undefined = "its weights have none" if metrics else self._without(_OTHERS)
            reasons |= dict.fromkeys(
                (*_STATISTICS, "statistics_of"), undefined or "it has no weights that count"
            )
            reasons["flow"] = self._without("pathways") or "it is not on the channel graph"
        return _texts(*self._with_described(node.id, values, reasons))

    def _with_described(
        self, place: str | None, values: Mapping[str, Any], reasons: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Adds what passes say of an operator, or of the model."""
        more, why = self._described.get(place, ({}, {}))
        return {**values, **more}, {**reasons, **why}

    def _metrics(self, layer: Layer) -> tuple[Metrics | None, str | None]:
        """Metrics of importance where the totals are, and the layer's is known; else of |w|."""
        if self._report.totals.statistics_of == "importance" and layer.metrics is not None:
            return layer.metrics, "importance"
        return layer.weight_metrics, "weights" if layer.weight_metrics else None

    def _of_call(self, nodes: Sequence[Node], layers: Sequence[Layer]) -> dict[str, str]:
        """Sums over those that count."""
        counted = [node for node in nodes if node.in_total]
        values: dict[str, Any] = {name: _sum(getattr(node, name) for node in counted) for name in _COUNTS}
        worst = min(nodes, key=lambda node: _WORST_FIRST.index(node.status) if node.status else -1)
        values |= {"operators": len(nodes), "status": worst.status}
        values["parameters"] = sum(layer.parameters for layer in layers)
        reason = f"'{worst.id}': {worst.reason}" if worst.reason else self._reason("macs")
        reasons = dict.fromkeys(values, reason)
        for name in {name: None for node in nodes for name in self._described.get(node.id, ({}, {}))[0]}:
            facts = {node.id: self._described.get(node.id, ({}, {}))[0].get(name) for node in nodes}
            values[name] = {place: fact for place, fact in facts.items() if fact is not None} or None
            reasons[name] = f"not of any of the {len(nodes)} operators that this call stands for"
        return _texts(values, reasons)

    def _reason(self, name: str) -> str:
        """Reason why a field of the model's is not known."""
        if name in _NOT_GIVEN:
            return _NOT_GIVEN[name]
        without = self._without(_GIVEN_BY.get(name, _OTHERS))
        data, formula = self._report.data, name.startswith("macs_formula")
        if not without and name == "importance_totals" and data and data.not_run:
            return data.not_run
        return without or (self._report.totals.macs_formula_note if formula else _documented(name))

    def _without(self, name: str) -> str:
        """Reason why a pass has left nothing; "" where it has run."""
        run = next((each for each in self._report.passes if each.name == name), None)
        if run is None:
            return f"pass '{name}' was not run"
        return "" if run.status == "ok" else f"pass '{name}' {run.status}: {run.reason}"


def described_facts(
    extensions: Mapping[str, FactSection],
) -> dict[str | None, tuple[dict[str, Value], dict[str, str]]]:
    """Facts of passes, and why others are not known, as ``PASS.FACT``; by operator, None is the model."""
    found: dict[str | None, tuple[dict[str, Value], dict[str, str]]] = {}
    for name, section in extensions.items():
        for row in section.rows:
            values, reasons = found.setdefault(row.operator, ({}, {}))
            values |= {f"{name}.{column}": value for column, value in row.values.items()}
            reasons |= {f"{name}.{column}": reason for column, reason in row.reasons.items()}
    return found


def _without_place(data: DataUsed) -> dict[str, Any]:
    """A model that is handed on does not tell the folders of who made it."""
    return {name: value for name, value in asdict(data).items() if name != "source"}


def _documented(name: str) -> str:
    """Description that the schema says of a field, null included."""
    return next((str(each.metadata["doc"]) for each in fields(Totals) if each.name == name), "")


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


def _texts(values: Mapping[str, Any], reasons: Mapping[str, str]) -> dict[str, str]:
    """Known values as JSON, and one text with the reasons of the others."""
    unknown = {name: reasons.get(name, "") for name, value in values.items() if value is None}
    known = {name: value for name, value in values.items() if value is not None}
    if unknown:
        known["unknown"] = unknown
    return {PREFIX + name: as_text(value) for name, value in known.items()}


def as_text(value: Any) -> str:
    """A value as it stands in metadata."""
    return json.dumps(value, default=asdict, ensure_ascii=False)
