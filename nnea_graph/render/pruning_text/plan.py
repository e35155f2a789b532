"""Text of a pruning plan: the families of channels, what each would save, what changes with it, what stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.text import Text

from nnea_graph.render.page import by_module, many
from nnea_graph.render.pruning_text.report import page_width
from nnea_graph.render.sanitize import inert, shorten_all
from nnea_graph.render.text.layout import TextColumn, hanging, named, sentence, table, title
from nnea_graph.render.text.report import Terminal, print_lines
from nnea_graph.report.schema.pruning_plan import (
    NotPrunable,
    PlannedFamily,
    PlannedSaving,
    PruningPlan,
    SavedTime,
)
from nnea_graph.report.units import binary, si

_NAMES = 6
"""Operators of one kind that are named; the report as JSON has all."""
_NAME = 28
"""Cells that a name has."""

_SAVED = (
    TextColumn(("", "params"), tight=True),
    TextColumn(("", "MACs"), tight=True),
    TextColumn(("", "bytes"), tight=True),
)
_FAMILIES = (
    TextColumn(("", "channels of"), right=False, widest=_NAME),
    TextColumn(("", "groups")),
    TextColumn(("multiple", "of")),
    TextColumn(("smallest", "step"), tight=True),
    *_SAVED,
)
_HALVES = (
    TextColumn(("", "channels of"), right=False, widest=_NAME),
    TextColumn(("", "removed"), tight=True),
    *_SAVED,
    TextColumn(("", "ms")),
    TextColumn(("", "95 % interval")),
)
_PARTS = (
    ("producers", "produced by"),
    ("consumers", "consumed by"),
    ("normalizations", "normalized by"),
    ("biases", "shifted by"),
    ("constants", "other constants of"),
    ("sizes", "sizes or groups of"),
)


def print_plan(plan: PruningPlan, file: TextIO) -> None:
    """Prints to a terminal or a pipe."""
    console = Terminal(file=file)
    print_lines(list(plan_page(plan, page_width(console))), console)


def plan_page(plan: PruningPlan, width: int) -> Iterator[Text]:
    """The whole page."""
    names = _Names(plan)
    yield Text(inert(plan.model), "bold")
    yield from _head(plan, width)
    if plan.families:
        yield from title("Coupled channel groups", "and the saving of the smallest step", width=width)
        yield from table(_FAMILIES, [_family(each, names) for each in plan.families], width)
        yield from title("Savings at half of the channels", _run(plan), width=width)
        yield from table(_HALVES, [_half(each, names) for each in plan.families], width)
        yield from _unknown_times(plan, width)
        yield from title("Affected operators", width=width)
        yield from names.listed([(each.family, _parts(each, names)) for each in plan.families], width)
    whole = _whole(plan, names)
    yield from title("Not prunable", "" if whole else "none", width=width)
    for said in whole:
        yield from hanging(Text("  "), Text(said), width)


class _Names:
    """One short name for each operator, the same all over the page."""

    def __init__(self, plan: PruningPlan) -> None:
        found = [name for each in plan.families for name in (each.family, *each.parts.operators)]
        found = list(dict.fromkeys([*found, *(each.layer for each in plan.pinned)]))
        whole = list(map(by_module(plan.called), found))
        self._short = dict(zip(found, shorten_all(whole, _NAME), strict=True))

    def one(self, name: str) -> str:
        """Line of an operator or a family."""
        return self._short[name]

    def some(self, names: Sequence[str]) -> str:
        """The first ones, and how many more there are."""
        shown = ", ".join(map(self.one, names[:_NAMES]))
        return shown if len(names) <= _NAMES else f"{shown} and {len(names) - _NAMES:,} more"

    def listed(self, rows: Sequence[tuple[str, str]], width: int) -> Iterator[Text]:
        """Lines that are said of each, beside its name."""
        start = 4 + max(len(self.one(name)) for name, _ in rows)
        for name, said in rows:
            yield from sentence(self.one(name), Text(said), width=width, start=start)


def _head(plan: PruningPlan, width: int) -> Iterator[Text]:
    yield from named("plan only", "", "the model is not changed", width=width)
    yield from named("parameters", si(plan.parameters), "weights, scales and biases", width=width)
    macs = plan.macs_reason or f"of one run{_at(plan)}"
    yield from named("multiply-accumulates", si(plan.macs), inert(macs), width=width)
    yield from named("constants", binary(plan.bytes), "as they are stored", width=width)
    if plan.align_reason:
        yield from named("steps", "1", f"not measured, {plan.align_reason}", width=width)


def _at(plan: PruningPlan) -> str:
    return (
        f" at {', '.join(f'{inert(name)}={size}' for name, size in plan.dims.items())}" if plan.dims else ""
    )


def _run(plan: PruningPlan) -> str:
    if plan.run_samples is None:
        return "not run"
    made_up = "synthetic inputs" if plan.synthetic else inert(plan.data)
    return f"interleaved runs, {many(plan.run_samples, 'sample')} per run, 1 thread, {made_up}"


def _family(each: PlannedFamily, names: _Names) -> Sequence[str]:
    taken = f"{each.one_step.groups:,}" if each.one_step else "–"
    return names.one(each.family), f"{each.groups:,}", str(each.step), taken, *_saved(each.one_step)


def _half(each: PlannedFamily, names: _Names) -> Sequence[str]:
    gone = f"{each.half.groups:,}" if each.half else "–"
    return names.one(each.family), gone, *_saved(each.half), *_time(each.half_time)


def _saved(saving: PlannedSaving | None) -> Sequence[str]:
    if saving is None:
        return "–", "–", "–"
    return si(saving.parameters), si(saving.macs), binary(saving.bytes)


def _time(time: SavedTime) -> Sequence[str]:
    if time.seconds is None or time.low is None or time.high is None:
        return ("not clear" if time.measured else "–"), "–"
    return _ms(time.seconds), f"{_ms(time.low)} … {_ms(time.high)}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"


def _unknown_times(plan: PruningPlan, width: int) -> Iterator[Text]:
    """Each reason once."""
    reasons = [each.half_time.reason for each in plan.families if each.half_time.seconds is None]
    for reason in dict.fromkeys(reasons):
        yield from sentence("latency unknown", Text(inert(reason)), width=width)


def _parts(each: PlannedFamily, names: _Names) -> str:
    """Kind by kind; who makes them is not said twice."""
    found: dict[str, Sequence[str]] = {said: getattr(each.parts, kind) for kind, said in _PARTS}
    if list(each.parts.producers) == [each.family]:
        del found[_PARTS[0][1]]
    return "; ".join(f"{said} {names.some(operators)}" for said, operators in found.items() if operators)


def _whole(plan: PruningPlan, names: _Names) -> list[str]:
    """Each reason once, with all that it holds for."""
    layers: dict[str, list[NotPrunable]] = {}
    for each in [
        *(NotPrunable(one.family, one.groups * one.channels, one.reason) for one in plan.families),
        *plan.pinned,
    ]:
        layers.setdefault(each.reason, []).append(each)
    layers.pop("", None)
    return [
        f"{names.some([each.layer for each in found])}: {inert(reason)}" for reason, found in layers.items()
    ]
