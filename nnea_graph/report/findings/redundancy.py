"""Findings on redundancy: removable without accuracy loss first, approximate duplicates after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnea_graph.report.findings.rules import Rule
from nnea_graph.report.schema import redundancy as schema
from nnea_graph.report.schema.analysis import Finding, Layer
from nnea_graph.report.units import binary, percent, si

DUPLICATES = Rule(
    "NNEA220",
    "note",
    "the same values are stored more than once, which only enlarges the file",
    "store them once and share them: nnea-graph prune MODEL --target exact -o SMALLER.onnx does"
    " this and verifies that no output changes",
)
EXACT_CHANNELS = Rule(
    "NNEA221",
    "note",
    "dead, constant, duplicate and unused channels cost memory and time on any input",
    "nnea-graph prune MODEL --target exact -o SMALLER.onnx removes them: constants are folded into the next bias,"
    " duplicates into the next weights; it verifies that no output changes",
)
PARALLEL_CHANNELS = Rule(
    "NNEA222",
    "note",
    "channels nearly parallel to others carry little information; removing them changes the outputs slightly",
    "merge them and measure the loss, after the lossless removals",
)
WORTH_BYTES = 1024
PARALLEL_SHARE = 0.05


def lossless_findings(found: schema.ModelRedundancy | None, layers: Sequence[Layer]) -> list[Finding]:
    """Findings on lossless removals; it is offered before anything that has a price."""
    return [] if found is None else [*_duplicates(found), *_exact(layers)]


def _duplicates(found: schema.ModelRedundancy) -> Iterator[Finding]:
    exact = [each for each in found.duplicates if each.exact]
    if found.duplicate_bytes >= WORTH_BYTES:
        first = exact[0]
        more = f"; {len(exact) - 1:,} more like it" if len(exact) > 1 else ""
        size = binary(found.duplicate_bytes)
        message = f"tensor '{first.tensor}' duplicates '{first.of}' ({first.kind}{more}): {size}"
        yield DUPLICATES.found(first.tensor, message, found.duplicate_bytes, WORTH_BYTES)


def _exact(layers: Sequence[Layer]) -> Iterator[Finding]:
    for layer in layers:
        mine = layer.redundancy
        if mine is None:
            continue
        kinds = {name: len(getattr(mine, name)) for name in ("dead", "constant", "cloned", "unread")}
        count = sum(kinds.values())
        if count:
            words = ", ".join(f"{number:,} {name}" for name, number in kinds.items() if number)
            of = f"{count:,} of {mine.channels:,} channels"
            saved = _saved(mine.exact_saving)
            message = f"layer '{layer.id}': {of} can be removed without accuracy loss ({words}){saved}"
            yield EXACT_CHANNELS.found(layer.id, message, count, 0)


def _saved(saving: schema.Saving) -> str:
    """Savings that are not 0; tied weights take no bytes of their own."""
    parts = [binary(saving.bytes)] if saving.bytes else []
    parts += [f"{si(saving.macs)} MACs"] if saving.macs else []
    return f": {' and '.join(parts)}" if parts else ""


def parallel_findings(layers: Sequence[Layer]) -> Iterator[Finding]:
    """Findings on approximate duplicates."""
    for layer in layers:
        mine = layer.redundancy
        if mine is None or len(mine.parallel) < PARALLEL_SHARE * mine.channels or not mine.parallel:
            continue
        share = len(mine.parallel) / mine.channels
        message = (
            f"layer '{layer.id}': {len(mine.parallel):,} channels ({percent(share)}) are nearly parallel to others:"
            f" {binary(mine.approximate_saving.bytes)}"
        )
        yield PARALLEL_CHANNELS.found(layer.id, message, share, PARALLEL_SHARE)
