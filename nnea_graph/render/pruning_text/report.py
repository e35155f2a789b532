"""Text report of a pruning: the targets, what each family of channels gave up, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TextIO

from rich.text import Text

from nnea_graph.render.page import by_module
from nnea_graph.render.pruning_text.lossless import exact_removal
from nnea_graph.render.pruning_text.verification import verification
from nnea_graph.render.sanitize import inert
from nnea_graph.render.text.layout import TextColumn, named, sentence, table, title
from nnea_graph.render.text.report import Terminal, print_lines
from nnea_graph.report.schema.lossless import ExactRemoval
from nnea_graph.report.schema.pruning import FamilyChoice, PruningReport, SparedPoint, TargetReached
from nnea_graph.report.units import percent

_NARROWEST, _WIDEST = 72, 120
_NAMES = 4
"""Layers named for each reason."""
_LABELS = {
    "params": "parameters",
    "macs": "multiply-accumulates",
    "latency": "latency, 1 thread",
    "loss": "accuracy drop",
    "exact": "output difference",
}
_CRITERIA = {
    "reconstruction": "reconstruction error",
    "spread": "activation spread",
    "magnitude": "weight magnitude",
}
_FAMILIES = (
    TextColumn(("", "channels of"), right=False, widest=34),
    TextColumn(("", "total")),
    TextColumn(("", "kept")),
    TextColumn(("multiple", "of")),
    TextColumn(("output change", "at half")),
)


def print_pruning(report: PruningReport, file: TextIO, output: str) -> None:
    """Prints to a terminal or a pipe; the last line says PASSED or FAILED."""
    console = Terminal(file=file)
    print_lines([*pruning(report, page_width(console), output), Text(), _verdict(report)], console)


def page_width(console: Terminal) -> int:
    """Cells of a page about a pruning."""
    return max(_NARROWEST, min(console.width, _WIDEST))


def pruning(report: PruningReport, width: int, output: str) -> Iterator[Text]:
    """The whole page."""
    yield Text(inert(report.model), "bold")
    yield from named("pruned by", "", _how(report), width=width)
    yield from named("written to" if output else "not written", "", _where(report, output), width=width)
    shown = by_module(report.called)
    if report.exact is not None:
        yield from exact_removal(report.exact, report.targets[0], width, shown)
    else:
        yield from _choice(report, width, shown)
    yield from verification(report.verification, width, shown=shown)


def _how(report: PruningReport) -> str:
    if report.exact is not None:
        return "criterion: lossless (outputs unchanged)"
    refit = "consumers refitted by least squares" if report.refit else "no refit"
    return f"criterion: {_CRITERIA.get(report.criterion, report.criterion)}; {refit}; seed {report.seed}"


def _choice(report: PruningReport, width: int, shown: Callable[[str], str]) -> Iterator[Text]:
    """The targets, what each family gave up, and what stays whole."""
    yield from title("Targets", "fraction of the original", width=width)
    for target in report.targets:
        yield from _target(target, width)
    yield from title("Coupled channel groups", width=width)
    yield from table(_FAMILIES, [_family(each, shown) for each in report.families], width)
    for said in _whole(report, shown):
        yield from sentence("not prunable", Text(said), width=width)


def _whole(report: PruningReport, shown: Callable[[str], str]) -> Iterator[str]:
    """Each reason once, with the first of the layers that it holds for."""
    found: dict[str, list[str]] = {}
    for each in report.families:
        if each.reason:
            found.setdefault(each.reason, []).append(each.family)
    for layer, reason in report.pinned.items():
        found.setdefault(reason, []).append(layer)
    for reason, names in found.items():
        more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
        yield f"{', '.join(map(shown, names[:_NAMES]))}{more}: {inert(reason)}"


def _where(report: PruningReport, output: str) -> str:
    if output:
        return inert(output)
    if report.worth_writing:
        return "no -o"
    return f"{'invalid model' if report.verification.faults else 'outputs differ'}, see below"


def _target(target: TargetReached, width: int) -> list[Text]:
    reached = "not known" if target.reached is None else percent(target.reached)
    said = f"target {percent(target.wanted)}: {'met' if target.met else 'NOT met; this is the nearest model found'}"
    return named(_LABELS[target.name], reached, said, width=width, style="" if target.met else "bold red")


def _family(family: FamilyChoice, shown: Callable[[str], str]) -> list[str]:
    point = min(family.measured, key=lambda each: abs(2 * each.removed - family.groups), default=None)
    return [
        shown(family.family),
        f"{family.groups:,}",
        f"{family.kept:,}",
        str(family.step),
        _change(point),
    ]


def _change(point: SparedPoint | None) -> str:
    return "–" if point is None or point.relative_l2 is None else percent(point.relative_l2)


def _verdict(report: PruningReport) -> Text:
    if report.met:
        said = _exact_verdict(report.exact) if report.exact else "all targets met"
        return Text(f"PASSED: {said}", "bold green")
    missed = [_LABELS[target.name] for target in report.targets if not target.met]
    why = f"not met: {', '.join(missed)}" if missed else "the pruned model is invalid"
    return Text(f"FAILED: {why}", "bold red")


def _exact_verdict(exact: ExactRemoval) -> str:
    return "the removals change no output" if exact.rounds else "no lossless removal exists"
