"""Text report of a pruning that changes nothing: what went, why, and what is held by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from nnea_graph.render.page import many
from nnea_graph.render.sanitize import inert
from nnea_graph.render.text.layout import TextColumn, hanging, named, sentence, table, title
from nnea_graph.report.schema.lossless import ExactFamily, ExactRemoval, ExactTensor
from nnea_graph.report.schema.pruning import TargetReached
from nnea_graph.report.units import binary

_FAMILIES = (
    TextColumn(("", "channels of"), right=False, widest=34),
    TextColumn(("", "total")),
    TextColumn(("", "dead")),
    TextColumn(("", "constant")),
    TextColumn(("", "cloned")),
    TextColumn(("", "unread")),
    TextColumn(("", "left")),
)
_REFUSED = (
    "the model amplifies rounding error; exclude layers with --keep, or use another target, which reports"
    " the loss"
)
_HELD = 10
"""Reasons that are printed."""


def exact_removal(
    found: ExactRemoval, target: TargetReached, width: int, shown: Callable[[str], str]
) -> Iterator[Text]:
    """The sections in front of the verification."""
    yield from title("Outputs", "of both models on the same data", width=width)
    reached = "not known" if target.reached is None else f"{target.reached:.1e}"
    wanted = f"relative to the largest output; rounding tolerance {target.wanted:.0e}: "
    verdict = "equivalent" if target.met else "NOT equivalent; nothing is written"
    style = "" if target.met else "bold red"
    yield from named("largest difference", reached, wanted + verdict, width=width, style=style)
    if target.reached is not None and not target.met:
        yield from hanging(Text("  →  ", "dim"), Text(_REFUSED), width)
    went = [each for each in found.families if _gone(each)]
    if went:
        yield from title("Removed channels", "coupled channel groups", width=width)
        yield from table(_FAMILIES, [_family(each, shown) for each in went], width)
    gone = [each for each in found.tensors if not each.reason]
    if gone:
        yield from title("Deduplicated tensors", width=width)
        for each in gone:
            yield from sentence(each.kind, _twin(each), width=width)
    if not went and not gone:
        yield from title("Nothing removable", "no removable channel or duplicate tensor", width=width)
    yield from _held(found, width, shown)


def _gone(family: ExactFamily) -> int:
    return family.unread + family.dead + family.constant + family.cloned


def _family(family: ExactFamily, shown: Callable[[str], str]) -> Sequence[str]:
    counts = (family.dead, family.constant, family.cloned, family.unread)
    left = family.groups - _gone(family)
    return shown(family.family), f"{family.groups:,}", *(f"{each:,}" for each in counts), f"{left:,}"


def _twin(each: ExactTensor) -> Text:
    return Text(f"{inert(each.tensor)} duplicates {inert(each.of)}: {binary(each.bytes)}")


def _held(found: ExactRemoval, width: int, shown: Callable[[str], str]) -> Iterator[Text]:
    """Removals that could go but for something."""
    lines = [
        f"{many(count, f'{inert(kind)} channel')} of {shown(each.family)}: {inert(reason)}"
        for each in found.families
        for (kind, reason), count in ((_parts(held), count) for held, count in each.held.items())
    ]
    reasons: dict[str, list[ExactTensor]] = {}
    for each in found.tensors:
        if each.reason:
            reasons.setdefault(each.reason, []).append(each)
    for reason, tensors in reasons.items():
        size = binary(sum(each.bytes for each in tensors))
        lines.append(f"{_named(tensors)} ({size}): {inert(reason)}")
    for line in lines[:_HELD]:
        yield from sentence("blocked", Text(line), width=width)
    if len(lines) > _HELD:
        yield from sentence("", Text(f"and {many(len(lines) - _HELD, 'other')}", "dim"), width=width)


def _named(tensors: Sequence[ExactTensor]) -> str:
    if len(tensors) > 1:
        return f"{len(tensors):,} duplicate tensors"
    return f"{inert(tensors[0].tensor)}, a duplicate of {inert(tensors[0].of)},"


def _parts(held: str) -> tuple[str, str]:
    kind, _, reason = held.partition(": ")
    return kind, reason
