"""Text report: the model's totals, of its weights and of what one run costs."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from nnea_graph.render.page import Page, many
from nnea_graph.render.sanitize import inert, shorten
from nnea_graph.render.text.layout import named, sentence, title
from nnea_graph.report.schema.analysis import Coverage, Totals
from nnea_graph.report.schema.nulls import ModelNull
from nnea_graph.report.units import binary, percent, si

_NAME = 40
_COST_TITLE = len("Computational cost ()")
_ROWS = (
    ("utilization", "global_utilization", "effective / all weights"),
    ("avg. layer redundancy", "avg_layer_redundancy", "1 - H / ln n, mean of the layers"),
    ("redundancy score", "redundancy_score", "weighted by the layers' weights"),
)


def metrics(page: Page) -> list[Text]:
    """Number of weights, and how evenly they are used."""
    head = title("Global metrics", _measure(page), width=page.width)
    return [*head, *_layers(page), *_weights(page), *_statistics(page)]


def _layers(page: Page) -> list[Text]:
    if page.report.totals.parameters is None:
        return []
    gloss = f"operators with weights, of {len(page.report.nodes):,} in all"
    return named("layers", si(len(page.report.layers)), gloss, width=page.width)


def _measure(page: Page) -> str:
    """Measure that the statistics are of."""
    if page.report.totals.statistics_of == "importance":
        return "of importance |w| · mean |a|; in brackets of |w| alone"
    return ""


def _weights(page: Page) -> list[Text]:
    totals, width = page.report.totals, page.width
    if totals.parameters is None:
        return sentence("parameters", Text(page.why_not("constants"), "dim"), width=width)
    gloss, training = f"{totals.parameters:,} weights, scales and biases", totals.trainable_parameters
    if training is not None and training != totals.parameters:
        gloss += f", {training:,} of them trainable"
    lines = named("parameters", si(totals.parameters), gloss, width=width)
    if totals.buffers:
        what = "BatchNorm running means and variances" if training is None else "as the source model has them"
        lines += named("buffers", si(totals.buffers), what, width=width)
    if totals.constants:
        lines += named(
            "constants", si(totals.constants), "masks, tables and grids: no parameters", width=width
        )
    if totals.weight_bytes is None:
        return lines + sentence("stored size", Text(page.why_not("memory"), "dim"), width=width)
    return lines + named("stored size", binary(totals.weight_bytes), "all constants as stored", width=width)


def _statistics(page: Page) -> list[Text]:
    totals, width = page.report.totals, page.width
    if not (page.ran("weight_statistics") or totals.statistics_of):
        return sentence("weight statistics", Text(page.why_not("weight_statistics"), "dim"), width=width)
    if totals.analyzed_weights is None or totals.effective_parameters is None:
        return sentence("weight statistics", Text("none: the model has no weights", "dim"), width=width)
    of_weights = "" if totals.statistics_of == "importance" else " of |w|"
    lines = named(
        "effective weights",
        si(totals.effective_parameters),
        f"{_beside(totals, 'effective_parameters', si)}of {si(totals.analyzed_weights)}:"
        f" exp(entropy){of_weights}, per layer",
        width=width,
    )
    for label, field, gloss in _ROWS:
        share = getattr(totals, field)
        if share is not None:
            lines += named(label, percent(share), f"{_beside(totals, field, percent)}{gloss}", width=width)
        if label == "utilization":
            lines += _made_up(totals, width) + _nulls(totals, width)
    return lines + _sparsity(totals, width)


def _beside(totals: Totals, field: str, written: Callable[[float], str]) -> str:
    """The same number of |w| alone in brackets, where the first is of importance."""
    beside = totals.weight_totals if totals.statistics_of == "importance" else None
    number = getattr(beside, field) if beside else None
    return "" if number is None else f"({written(number)}) "


def _made_up(totals: Totals, width: int) -> list[Text]:
    """Importance on synthetic inputs, beside |w|."""
    found = totals.importance_totals if totals.statistics_of == "weights" else None
    if found is None or found.global_utilization is None:
        return []
    share = percent(found.global_utilization)
    return named("  of importance", share, "synthetic inputs: indicative only", width=width)


def _nulls(totals: Totals, width: int) -> list[Text]:
    """Utilization without any training, under the measured one."""
    rows = [("  random weights", totals.weight_null, "nearest initializer")]
    if totals.statistics_of == "importance":
        rows.append(("  shuffled", totals.importance_null, "importance with activations shuffled"))
    lines = []
    for label, null, what in rows:
        if null is not None:
            lines += named(label, percent(null.utilization), f"{what}; {_apart(null)}", width=width)
    return lines


def compression_potential(totals: Totals, width: int = 80) -> list[Text]:
    """1 - utilization, which says little without its null: for the API that asks for it by name."""
    if totals.compression_potential is None:
        return []
    null = totals.importance_null if totals.statistics_of == "importance" else totals.weight_null
    gloss = "1 - utilization" + (
        "" if null is None else f"; without training {percent(1 - null.utilization)}"
    )
    return named("compression potential", percent(totals.compression_potential), gloss, width=width)


def _apart(null: ModelNull) -> str:
    """The utilization of the layers that have a null, and its distance from it in points and standard errors."""
    points = f"{100 * (null.measured - null.utilization):+.1f} points"
    errors = "" if null.deviation is None else f", {null.deviation:+,.1f} standard errors"
    where = "this layer" if null.layers == 1 else f"these {null.layers:,} layers"
    return f"{where}: {percent(null.measured)} ({points}{errors})"


def _sparsity(totals: Totals, width: int) -> list[Text]:
    """Sparsity of plain |w| always: what importance lies below depends on the scale of the data."""
    found = totals.weight_totals.global_sparsity if totals.weight_totals else None
    if found is None:
        return []
    zeros = f"; {percent(found['0'])} exactly 0" if found["0"] else ""
    gloss = f"|w| below 0.001{zeros}"
    return named("sparsity", percent(found["1e-3"]), gloss, width=width)


def cost(page: Page) -> list[Text]:
    """Cost of one run, how much of the model that covers, and how it grows."""
    head = title("Computational cost", _at(page), width=page.width)
    if page.report.totals.cost_status is None:
        return [
            *head,
            *sentence("MACs, FLOPs", Text(page.why_not("cost"), "dim"), width=page.width),
            *_memory(page),
        ]
    return [*head, *_counts(page), *_coverage(page), *_formula(page), *_memory(page)]


def _at(page: Page) -> str:
    values = [f"{inert(name)}={value:,}" for name, value in page.report.dims.items()]
    return shorten(f"of one run at {', '.join(values)}", page.width - _COST_TITLE) if values else "of one run"


def _counts(page: Page) -> list[Text]:
    totals, width = page.report.totals, page.width
    rows = (
        ("MACs", totals.macs, "{:,} multiply-accumulates"),
        ("FLOPs", totals.flops, "{:,} multiplies and adds in them"),
        ("other FLOPs", totals.other_flops, "{:,} in everything else"),
        ("training FLOPs", totals.training_flops, "{:,} in one training step"),
    )
    partial = " + ?" if totals.cost_status == "lower bound" else ""
    lines = []
    for label, count, gloss in rows:
        value = "unknown" if count is None else f"{si(count)}{partial}"
        lines += named(label, value, gloss.format(count) if count is not None else "", width=width)
    return lines


def _coverage(page: Page) -> list[Text]:
    coverage = page.report.totals.coverage
    if coverage is None:
        return []
    words = Text(f"{many(page.report.model.operators, 'operator')}: {coverage.exact:,} exact")
    if coverage.estimated:
        words.append(f", {coverage.estimated:,} estimated")
    if coverage.observed:
        words.append(f", {coverage.observed:,} observed")
    if coverage.unknown:
        words.append(", ").append(f"{coverage.unknown:,} unknown and not in the totals: ", "yellow")
        words.append(_unknown(page, coverage), "yellow")
    lines = sentence("coverage", words, width=page.width)
    if coverage.observed:
        lines += sentence("observed", Text(inert(page.report.totals.cost_note), "dim"), width=page.width)
    return lines


def _unknown(page: Page, coverage: Coverage) -> str:
    order = sorted(coverage.unknown_ops.items(), key=lambda item: (-item[1], item[0]))
    shown = order if page.verbose else order[: page.top]
    more = f" … {len(order) - len(shown):,} more types" if len(order) > len(shown) else ""
    return ", ".join(f"{shorten(inert(name), _NAME)} ×{count:,}" for name, count in shown) + more


def _formula(page: Page) -> list[Text]:
    totals = page.report.totals
    if totals.macs_formula_short:
        words = Text(inert(totals.macs_formula_short))
        words.append(f"  ({inert(totals.macs_formula_note)})", "dim")
        return sentence("MACs formula", words, width=page.width)
    if not page.report.dims:
        return []
    return sentence("MACs formula", Text(f"none: {inert(totals.macs_formula_note)}", "dim"), width=page.width)


def _memory(page: Page) -> list[Text]:
    totals, width = page.report.totals, page.width
    if totals.peak_activation_bytes is None:
        return sentence("peak activations", Text(page.why_not("memory"), "dim"), width=width)
    gloss = f"at {shorten(page.called(totals.peak_node), _NAME)}" if totals.peak_node else ""
    if totals.unsized_tensors:
        gloss += f"; without {many(totals.unsized_tensors, 'tensor')} of unknown size"
    return named("peak activations", binary(totals.peak_activation_bytes), gloss, width=width)
