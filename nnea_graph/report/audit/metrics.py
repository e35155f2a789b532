"""Metrics that a gate can be set on: one table for policies, ``--fail-on``, baselines and flat exports."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nnea_graph.errors import UsageError
from nnea_graph.report.audit.limit import BYTES, COUNT, SHARE, VERSION
from nnea_graph.report.schema.analysis import Report

Value = float | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of a model; ``needs`` is the pass that it comes from, "" where every report has it.

    ``is_sum`` says that what is unknown is missing in it: then the value is a lower bound.
    """

    name: str
    kind: str
    get: Callable[[Report], Value]
    needs: str = ""
    is_sum: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A metric's value, or the reason why there is none; a value with a reason is a lower bound."""

    value: Value
    reason: str = ""


def _coverage(report: Report) -> Value:
    found = report.totals.coverage
    total = found.exact + found.estimated + found.unknown if found else 0
    return found.exact / total if found and total else None


def _unknown(report: Report) -> Value:
    return None if report.totals.coverage is None else report.totals.coverage.unknown


def _removable(report: Report) -> Value:
    found = report.redundancy
    return None if found is None else found.exact_saving.bytes + found.duplicate_bytes


def _opset(report: Report) -> Value:
    return report.model.opsets.get("ai.onnx")


_ALL = (
    Metric(
        "macs", COUNT, lambda report: report.totals.macs, "cost", is_sum=True, about="multiply-accumulates"
    ),
    Metric("flops", COUNT, lambda report: report.totals.flops, "cost", is_sum=True, about="of matrix work"),
    Metric(
        "training_flops",
        COUNT,
        lambda report: report.totals.training_flops,
        "cost",
        is_sum=True,
        about="a step",
    ),
    Metric("parameters", COUNT, lambda report: report.totals.parameters, about="weights, scales and biases"),
    Metric("operators", COUNT, lambda report: report.model.operators, about="those in bodies included"),
    Metric("file_size", BYTES, lambda report: report.model.size_bytes, about="with external data"),
    Metric("weight_bytes", BYTES, lambda report: report.totals.weight_bytes, about="constants as stored"),
    Metric(
        "peak_activations", BYTES, lambda report: report.totals.peak_activation_bytes, "memory", is_sum=True
    ),
    Metric("unknown_cost_operators", COUNT, _unknown, "cost", about="0 demands full coverage"),
    Metric("cost_coverage", SHARE, _coverage, "cost", about="operators with an exact cost"),
    Metric("global_utilization", SHARE, lambda report: report.totals.global_utilization, "weight_statistics"),
    Metric("redundancy_score", SHARE, lambda report: report.totals.redundancy_score, "weight_statistics"),
    Metric("removable_bytes", BYTES, _removable, "redundancy", about="removable without accuracy loss"),
    Metric("opset", VERSION, _opset, about="of ai.onnx"),
    Metric("ir_version", VERSION, lambda report: report.model.ir_version, about="of the ONNX file"),
)
METRICS: Mapping[str, Metric] = MappingProxyType({each.name: each for each in _ALL})


def metric_named(name: str, where: str) -> Metric:
    """The metric of a name.

    Raises:
        UsageError: there is none; the nearest names are listed.
    """
    if name not in METRICS:
        raise UsageError(f"{where}: there is no metric '{name}'{nearest(name, METRICS)}")
    return METRICS[name]


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'macs'?``, or the list of what there is."""
    names = sorted(known)
    found = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else f"; there is {', '.join(names)}"


def measured(metric: Metric, report: Report) -> MetricValue:
    """The value of a metric; what is not known says why."""
    run = next((each for each in report.passes if each.name == metric.needs), None)
    if metric.needs and run is None:
        return MetricValue(None, f"pass {metric.needs} did not run")
    if run is not None and run.status != "ok":
        return MetricValue(None, f"pass {run.name} {run.status}: {run.reason}")
    value = metric.get(report)
    if value is None:
        return MetricValue(None, "it could not be computed for this model")
    return MetricValue(value, _missing(metric, report) if metric.is_sum else "")


def _missing(metric: Metric, report: Report) -> str:
    """Reason why a sum is only a lower bound; "" where it is whole."""
    if metric.name == "peak_activations":
        count = report.totals.unsized_tensors or 0
        return f"{count:,} tensors of unknown size are left out" if count else ""
    coverage = report.totals.coverage
    if coverage is None or not coverage.unknown:
        return ""
    return f"{coverage.unknown:,} operators of unknown cost are left out: {', '.join(sorted(coverage.unknown_ops))}"


def flat(report: Report) -> dict[str, float]:
    """Every known metric by name, for trackers; what is unknown or a lower bound is absent, never 0."""
    found = {name: measured(metric, report) for name, metric in METRICS.items()}
    return {name: each.value for name, each in found.items() if each.value is not None and not each.reason}
