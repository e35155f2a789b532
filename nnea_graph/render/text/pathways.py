"""Text report: the best paths from input to output, what they carry, and where the channel graph ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby

from rich.cells import cell_len
from rich.text import Text

from nnea_graph.render.page import Page, many
from nnea_graph.render.sanitize import inert, shorten, shorten_all
from nnea_graph.render.text.layout import INDENT, hanging, sentence, title
from nnea_graph.report.schema.pathways import ChannelCoverage, PathEnd, Pathways
from nnea_graph.report.units import amount, binary, percent, si, small_percent
from nnea_graph.report.views.pathways import Route, RouteStop, routes
from nnea_graph.report.views.summary import share

_MOST_ROUTES = 25
_MOST_ENDS = 3
_MOST_OUTPUTS = 4
_MOST_NAMED = 40
_ARROW = " → "
_SHORT_NAME = 12
_MOST_LINES = 3
"""Lines that the best path may take; the others take one."""
_SHARE = 10
_SPREAD = 0.01
"""Part of the flow below which a handful of paths tells little."""
_WHOLE = 0.9995


def pathways(page: Page) -> list[Text]:
    """The best paths with their share, one a line, and what they stand for."""
    found = page.report.pathways
    if found is None:
        return []
    head = title("Paths", _aside(page, found), width=page.width)
    if not found.paths:
        words = Text("none: no channel of an input leads to an output on the channel graph", "dim")
        return [*head, *sentence("paths", words, width=page.width), *_coverage(page)]
    return [*head, *_routes(page, routes(page.report)), *_carried(page, found), *_coverage(page)]


def _aside(page: Page, found: Pathways) -> str:
    of = "|w| · mean |a|" if found.strengths == "importance" else "|w| alone: no real data"
    graph = page.report.channels
    inputs = set(graph.inputs) if graph else set()
    outputs = {each.name for each in graph.outputs if each.channels is not None} if graph else set()
    start, into = _chosen("from", found.sources, inputs), _chosen("into", found.sinks, outputs)
    return f"best {len(found.paths):,} by {found.score}{start}{into}, of {of}"


def _chosen(word: str, ends: Sequence[PathEnd], every: AbstractSet[str]) -> str:
    """Words for ends that were asked for."""
    if ends and {end.tensor for end in ends} == every and ends[0].channel is None:
        return ""
    names = (
        shorten(inert(end.tensor), _MOST_NAMED) + ("" if end.channel is None else f"[{end.channel}]")
        for end in ends[:_MOST_OUTPUTS]
    )
    return f" {word} {', '.join(names)}"


# Paths


def _routes(page: Page, found: Sequence[Route]) -> list[Text]:
    shown = found if page.verbose else found[:_MOST_ROUTES]
    indent = INDENT + _SHARE + 2
    lines = [Text(f"{'share'.rjust(INDENT + _SHARE)}  path", "dim")]
    for path, group in groupby(_rows(page, shown, page.width - indent), key=lambda row: row[1]):
        same = [route for route, _ in group]
        start = Text(f"{small_percent(same[0].share).rjust(INDENT + _SHARE)}  ")
        lines += hanging(start, Text(path), page.width)
        if more := _more(same):
            lines.append(Text(f"{' ' * indent}{more}", "dim"))
    if len(found) > len(shown):
        lines.append(Text(f"{' ' * INDENT}… {len(found) - len(shown):,} more: -v or JSON", "dim"))
    return lines


def _rows(page: Page, shown: Sequence[Route], room: int) -> list[tuple[Route, str]]:
    """Each path as text: in full where verbose or the best one; else with names cut, the middle left out."""
    labels = _labels(page, shown, page.width // 5)
    whole = [_ARROW.join(each) for each in labels]
    if page.verbose or all(cell_len(path) <= room for path in whole):
        return list(zip(shown, whole, strict=True))
    shorter = _labels(page, shown, _SHORT_NAME)
    if not any("~" in label for each in shorter for label in each):  # numbered names tell nothing
        labels = shorter
    short = [
        folded(each, [step.times for step in route.steps], room)
        for route, each in zip(shown, labels, strict=True)
    ]
    if cell_len(whole[0]) <= _MOST_LINES * (room - _SHORT_NAME):
        short[0] = whole[0]
    return list(zip(shown, short, strict=True))


def _labels(page: Page, shown: Sequence[Route], longest: int) -> list[list[str]]:
    names = _names(page, shown, longest)
    return [[_label(step, names) for step in route.steps] for route in shown]


def _more(same: Sequence[Route]) -> str:
    """Words for the paths behind the first one of a line."""
    if len(same) == 1:
        return f"… {same[0].alike:,} more with this share in other channels" if same[0].alike else ""
    count = len(same) - 1 + sum(route.alike for route in same)
    return f"… {count:,} more down to {small_percent(same[-1].share)}, differing in the middle: JSON"


def _names(page: Page, shown: Sequence[Route], longest: int) -> Mapping[str, str]:
    """Short names of the operators and tensors on the paths, different ones staying different."""
    steps = [step for route in shown for step in route.steps if not step.join]
    names: dict[str, str] = {}
    for keys in ({step.node for step in steps}, {step.tensor for step in steps}):
        found = sorted(keys - {""})
        called = shorten_all([page.called(key) for key in found], longest)
        names |= dict(zip(found, called, strict=True))
    return names


def _label(step: RouteStop, names: Mapping[str, str]) -> str:
    if step.keeps:
        return f"{inert(step.join)} ×{step.times:,}" if step.times > 1 else inert(step.join)
    name = inert(step.join) if step.join else names[step.node or step.tensor]
    return f"{name}[{step.channel}]"


def folded(labels: Sequence[str], units: Sequence[int], room: int) -> str:
    """The labels joined by arrows, the middle left out where they do not fit, with the number of ``units`` in it.

    >>> folded(["x[0]", "first[1]", "second[2]", "y[3]"], [1, 1, 4, 1], 30)
    'x[0] → … 5 more … → y[3]'
    """
    whole = _ARROW.join(labels)
    if cell_len(whole) <= room:
        return whole
    head, tail = 1, len(labels) - 1
    best = shorten(whole, room)
    while head < tail:
        short = _ARROW.join([*labels[:head], f"… {sum(units[head:tail]):,} more …", *labels[tail:]])
        if cell_len(short) > room:
            break
        best, (head, tail) = short, (head + 1, tail) if head <= len(labels) - tail else (head, tail - 1)
    return best


# What they carry


def _carried(page: Page, found: Pathways) -> list[Text]:
    return [
        *_outputs(page, found),
        *sentence(f"{found.score} covered", _covered(found), width=page.width),
        *sentence("spread", _spread(found), width=page.width),
        *sentence("through", _through(page, found), width=page.width),
        *_validated(page, found),
    ]


def _outputs(page: Page, found: Pathways) -> list[Text]:
    """Says of several outputs how many channels each has: the larger ones draw more paths."""
    if len(found.sinks) < 2:
        return []
    shown = found.sinks if page.verbose else found.sinks[:_MOST_OUTPUTS]
    words = ", ".join(f"{shorten(inert(end.tensor), _MOST_NAMED)} ({end.channels:,})" for end in shown)
    more = f", {len(found.sinks) - len(shown):,} more" if len(found.sinks) > len(shown) else ""
    return sentence(
        "outputs", Text(words + more).append("; one of them: --sink NAME", "dim"), width=page.width
    )


def _covered(found: Pathways) -> Text:
    words = Text(f"{small_percent(found.part_of_mass or 0.0)} of all {found.score} is carried by these")
    words.append(f" {many(len(found.paths), 'path')}")
    if found.score == "flow" and found.mass < _WHOLE:
        words.append(
            f"; {percent(1 - found.mass)} of the flow into the outputs cannot be traced to an input", "dim"
        )
    return words


def _spread(found: Pathways) -> Text:
    if found.effective_paths is None:
        return Text("the number of effective paths exceeds the numeric range")
    words = Text(f"effectively {amount(found.effective_paths)} paths")
    words.append(" (exp of the path entropy)", "dim")
    if (found.part_of_mass or 0.0) < _SPREAD:
        words.append(": the flow is not concentrated on a few paths")
    return words


def _through(page: Page, found: Pathways) -> Text:
    words = Text(f"{len(found.operators):,} of {many(page.report.model.operators, 'operator')}")
    part = share(found.operator_macs, page.report.totals.macs)
    if part is not None and found.operator_macs is not None:
        words.append(f", {si(found.operator_macs)} MACs ({percent(min(part, 1.0))})")
    if found.operator_bytes is not None:
        words.append(f", {binary(found.operator_bytes)} read and written")
    return words


def _validated(page: Page, found: Pathways) -> list[Text]:
    """That nothing was measured, and why; what was measured has a section of its own."""
    tried = found.validation
    if tried is not None and tried.removed is not None:
        return []
    reason = f": {inert(tried.not_validated)}" if tried is not None and tried.not_validated else ""
    return sentence("validation", Text(f"not validated{reason}", "dim"), width=page.width)


# Channel graph


def _coverage(page: Page) -> list[Text]:
    """Coverage of the model by the channel graph, and the places where it ends."""
    found = page.report.channels
    if found is None:
        return []
    words = Text(f"{found.covered_layers:,} of {many(found.layers, 'layer')}")
    if found.mac_share is not None:
        words.append(f", {percent(found.mac_share)} of the MACs")
    if found.query_key:
        places = len({end.node for end in found.query_key})
        words.append(f"; attention is followed along its values, not queries and keys ({places:,}×)", "dim")
    return [
        *sentence("channel graph", words, width=page.width),
        *_gaps(page, found),
        *_simplified(page, found),
    ]


def _gaps(page: Page, found: ChannelCoverage) -> list[Text]:
    """Layers, outputs and other places that paths do not reach, with reasons."""
    gaps = [f"{page.called(node)}: {inert(reason)}" for node, reason in found.uncovered.items()]
    gaps += [f"output {inert(each.name)}: not reached" for each in found.outputs if each.channels is None]
    gaps += [
        f"{page.called(end.node)}: {inert(end.reason)}"
        for end in found.ends
        if end.node not in found.uncovered
    ]
    gaps = list(dict.fromkeys(gaps))
    shown = gaps if page.verbose else gaps[:_MOST_ENDS]
    lines: list[Text] = []
    for place, gap in enumerate(shown):
        lines += sentence("" if place else "not traced", Text(gap), width=page.width)
    if len(gaps) > len(shown):
        more = Text(f"… {len(gaps) - len(shown):,} more places: -v or JSON", "dim")
        lines += sentence("", more, width=page.width)
    return lines


def _simplified(page: Page, found: ChannelCoverage) -> list[Text]:
    marks = {mark: count for mark, count in found.marks.items() if not (found.query_key and "values" in mark)}
    if not marks:
        return []
    words = ", ".join(f"{inert(mark)} ({count:,}×)" for mark, count in marks.items())
    return sentence("simplified", Text(words, "dim"), width=page.width)
