"""Text report of a pruning: what the smaller model gives, takes, how fast it is, and each layer's refit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from nnea_graph.render.page import many, per_cent
from nnea_graph.render.sanitize import inert, shorten_all
from nnea_graph.render.text.layout import (
    INDENT,
    TextColumn,
    first_width,
    fitting,
    hanging,
    sentence,
    table,
    title,
)
from nnea_graph.report.schema.verification import (
    NOT_CLEAR,
    Agreement,
    ModelSize,
    RefitLayer,
    Speed,
    Verification,
)
from nnea_graph.report.units import binary, percent, si

_SIZES = (
    TextColumn(("", ""), right=False, widest=24),
    TextColumn(("", "original")),
    TextColumn(("", "pruned")),
    TextColumn(("", "reduction")),
)
_LIKENESS = (
    TextColumn(("", ""), right=False, widest=34),
    TextColumn(("top-1 agreement", "%")),
    TextColumn(("accuracy", "%")),
    TextColumn(("SQNR", "dB")),
)
_SPEED = (
    TextColumn(("", "threads"), right=False, widest=24),
    TextColumn(("original", "ms")),
    TextColumn(("pruned", "ms")),
    TextColumn(("", "speed-up")),
    TextColumn(("", "95 % interval")),
)
_LAYERS = (
    TextColumn(("", "refitted layer"), right=False, widest=40),
    TextColumn(("error before", "%")),
    TextColumn(("error after", "%")),
    TextColumn(("", "ridge"), rank=1),
    TextColumn(("", "rows"), rank=2),
    TextColumn(("", "compared at"), right=False, rank=3),
)
_NAME = 16
"""Cells that the name of a layer should have at least."""


def verification(
    found: Verification, width: int, top: int = 10, shown: Callable[[str], str] = inert
) -> list[Text]:
    """The whole page; ``top`` layers of those whose error is largest, and as many of those left alone.

    ``shown`` is what layers are called.
    """
    return [
        *_faults(found, width),
        *_sizes(found, width),
        *_likeness(found, width),
        *_speed(found, width),
        *_refit(found.layers, width, top, shown),
    ]


def _faults(found: Verification, width: int) -> list[Text]:
    if not found.faults:
        return []
    head = title("The pruned model is invalid", width=width)
    return [*head, *(line for fault in found.faults for line in sentence("", _words(fault), width=width))]


def _words(text: str) -> Text:
    return Text(inert(text))


def _sizes(found: Verification, width: int) -> list[Text]:
    before, after = found.original, found.pruned
    rows = [
        _size("parameters", before.parameters, after.parameters, si),
        _size("multiply-accumulates", before.macs, after.macs, si),
        _size("file", before.file_bytes, after.file_bytes, binary),
    ]
    runs = f"per run of {many(found.run_samples, 'sample')}"
    return [*title("Size", runs, width=width), *table(_SIZES, rows, width), *_unknown(before, after, width)]


def _size(name: str, before: int | None, after: int | None, shown: Callable[[float], str]) -> Sequence[str]:
    if before is None or after is None:
        return name, *("–" if each is None else shown(each) for each in (before, after)), "–"
    return name, shown(before), shown(after), percent(1 - after / before) if before else "–"


def _unknown(before: ModelSize, after: ModelSize, width: int) -> list[Text]:
    reasons = dict.fromkeys(size.macs_reason for size in (before, after) if size.macs_reason)
    return [
        line for reason in reasons for line in sentence("multiply-accumulates", _words(reason), width=width)
    ]


def _likeness(found: Verification, width: int) -> list[Text]:
    synthetic = "synthetic " if found.synthetic else ""
    aside = f"{many(found.samples, f'{synthetic}sample')} held out from fitting: {inert(found.source)}"
    rows = [_alike(each) for each in found.likeness]
    lines = [*title("Accuracy and agreement", aside, width=width), *table(_LIKENESS, rows, width)]
    for each in found.likeness:
        if each.reason:
            lines += sentence(inert(each.model), _words(each.reason), width=width)
    if found.kernels:
        lines += sentence("int8", _words(found.kernels), width=width)
    return lines


def _alike(each: Agreement) -> Sequence[str]:
    sqnr = "–" if each.sqnr_db is None else f"{each.sqnr_db:.1f}"
    return inert(each.model), per_cent(each.agreement), per_cent(each.accuracy), sqnr


def _speed(found: Verification, width: int) -> list[Text]:
    lines = title("Latency", f"interleaved runs, {many(found.run_samples, 'sample')} per run", width=width)
    if found.speed:
        lines += table(_SPEED, [_timed(each) for each in found.speed], width)
    if found.no_speedup:
        label = "Expect no speed-up: " if found.speed else "Not measured: "
        lines += hanging(Text(" " * INDENT + label), _words(found.no_speedup), width)
    if found.unclear:
        lines += hanging(Text(" " * INDENT + "Not clear: "), _words(found.unclear), width)
    return lines


def _timed(each: Speed) -> Sequence[str]:
    before, after = (f"{1000 * seconds:.3g}" for seconds in (each.before, each.after))
    faster = each.verdict if each.verdict == NOT_CLEAR else f"{each.speedup:.2f}×"
    return str(each.threads), before, after, faster, f"{each.low:.2f} … {each.high:.2f}"


def _refit(layers: Sequence[RefitLayer], width: int, top: int, shown: Callable[[str], str]) -> list[Text]:
    if not layers:
        return []
    done = [layer for layer in layers if layer.refitted]
    worst = sorted(done, key=lambda layer: -(layer.after or 0.0))[:top]
    aside = f"{len(done):,} of {many(len(layers), 'layer')}; relative errors on held-out rows"
    return [
        *title("Refit", aside, width=width),
        *_table([layer for layer in done if layer in worst], width, shown),
        *_left([layer for layer in layers if not layer.refitted], width, top, shown),
    ]


def _table(layers: Sequence[RefitLayer], width: int, shown: Callable[[str], str]) -> list[Text]:
    """Table in the order of execution, with as many columns as there is room for."""
    if not layers:
        return []
    rows = [_row(layer, shown) for layer in layers]
    places = fitting(_LAYERS, rows, width, _NAME)
    columns = [_LAYERS[place] for place in places]
    rows = [tuple(row[place] for place in places) for row in rows]
    names = shorten_all([row[0] for row in rows], first_width(columns, rows, width))
    return table(columns, [(name, *row[1:]) for name, row in zip(names, rows, strict=True)], width)


def _row(layer: RefitLayer, shown: Callable[[str], str]) -> Sequence[str]:
    ridge = "bias only" if layer.ridge is None else f"{layer.ridge:.0e}"
    place = f"sum {inert(layer.target)}" if layer.at_sum else "its output" if layer.target else "its gates"
    return shown(layer.node), per_cent(layer.before), per_cent(layer.after), ridge, f"{layer.rows:,}", place


def _left(layers: Sequence[RefitLayer], width: int, top: int, shown: Callable[[str], str]) -> Iterator[Text]:
    for layer in layers[:top]:
        yield from sentence("not refitted", Text(f"{shown(layer.node)}: {inert(layer.reason)}"), width=width)
    if len(layers) > top:
        yield from sentence("", Text(f"and {many(len(layers) - top, 'other layer')}", "dim"), width=width)
