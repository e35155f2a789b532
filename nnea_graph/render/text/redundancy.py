"""Text report: what could go on any input, for nothing or nearly so, in bytes and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from nnea_graph.render.page import Page, many
from nnea_graph.render.sanitize import inert, shorten_all
from nnea_graph.render.text.layout import (
    Row,
    TextColumn,
    first_width,
    fitting,
    hanging,
    named,
    sentence,
    table,
    title,
)
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.schema.redundancy import (
    DuplicateTensor,
    LayerRedundancy,
    ModelRedundancy,
    Saving,
    TiedTensor,
)
from nnea_graph.report.units import binary, si

_COLUMNS = (
    TextColumn(("", "layer"), right=False, widest=40),
    TextColumn(("", "channels")),
    TextColumn(("", "dead"), tight=True),
    TextColumn(("con-", "stant"), tight=True),
    TextColumn(("", "cloned"), tight=True),
    TextColumn(("", "unread"), tight=True),
    TextColumn(("lossless", "saving")),
    TextColumn(("", "MACs"), rank=2),
    TextColumn(("", "parallel"), rank=1),
)
_NAME = 16
_COMMAND = (
    "nnea-graph prune MODEL --target exact -o SMALLER.onnx removes these channels and verifies the outputs"
)


def redundancy(page: Page) -> Iterator[Text]:
    """Nothing where there is nothing, but one line where only this was asked for."""
    found = page.report.redundancy
    if found is None:
        return
    layers = [layer for layer in page.report.layers if layer.redundancy and _counts(layer.redundancy)]
    if not (layers or found.duplicates or found.tied):
        if not page.ran("weight_statistics"):  # which every report has that is not of chosen passes
            yield from title("Redundancy", "no removable channel or duplicate tensor", width=page.width)
        return
    yield from title("Redundancy", "from the weights alone: valid for any input", width=page.width)
    yield from _totals(page, found)
    yield from _layers(page, layers)
    yield from _tensors(page, found)


def _counts(mine: LayerRedundancy) -> int:
    return len(mine.dead) + len(mine.constant) + len(mine.cloned) + len(mine.unread) + len(mine.parallel)


def _totals(page: Page, found: ModelRedundancy) -> Iterator[Text]:
    if found.exact_channels:
        words = f"{many(found.exact_channels, 'channel')}{_macs(found.exact_saving)}: no output changes"
        yield from named("lossless", binary(found.exact_saving.bytes), words, width=page.width)
    exact = [each for each in found.duplicates if each.exact]
    if exact:
        words = f"{many(len(exact), 'tensor')} stored in duplicate"
        yield from named(
            "" if found.exact_channels else "lossless",
            binary(found.duplicate_bytes),
            words,
            width=page.width,
        )
    if found.parallel_channels:
        macs = _macs(found.approximate_saving)
        words = f"{many(found.parallel_channels, 'channel')}{macs}, nearly parallel to others"
        yield from named("approximate", binary(found.approximate_saving.bytes), words, width=page.width)
    if found.exact_channels or exact:
        yield from hanging(Text("  →  ", "dim"), Text(_COMMAND), page.width)


def _macs(saving: Saving) -> str:
    return f" and {si(saving.macs)} MACs" if saving.macs else ""


def _layers(page: Page, layers: Sequence[Layer]) -> Iterator[Text]:
    """Those that save most first where there are too many."""
    if not layers:
        return
    shown = layers
    if not page.verbose and len(layers) > page.top:
        best = sorted(layers, key=lambda layer: -_saved(layer))[: page.top]
        shown = [layer for layer in layers if layer in best]
    rows = [_row(page, layer) for layer in shown]
    places = fitting(_COLUMNS, rows, page.width, _NAME)
    columns = [_COLUMNS[place] for place in places]
    picked = [tuple(row[place] for place in places) for row in rows]
    names = shorten_all([row[0] for row in picked], first_width(columns, picked, page.width))
    lines: list[Row] = [(name, *row[1:]) for name, row in zip(names, picked, strict=True)]
    if len(shown) < len(layers):
        lines.append(Text(f"and {many(len(layers) - len(shown), 'other layer')}", "dim"))
    yield from table(columns, lines, page.width)


def _saved(layer: Layer) -> int:
    mine = layer.redundancy
    return 0 if mine is None else mine.exact_saving.bytes + mine.approximate_saving.bytes


def _row(page: Page, layer: Layer) -> Sequence[str]:
    mine = layer.redundancy
    if mine is None:
        return ()
    counts = (len(each) for each in (mine.dead, mine.constant, mine.cloned, mine.unread))
    return (
        page.row_name(layer),
        f"{mine.channels:,}",
        *(f"{count:,}" for count in counts),
        binary(mine.exact_saving.bytes) if mine.exact_saving.bytes else "0",
        "–" if mine.exact_saving.macs is None else si(mine.exact_saving.macs),
        f"{len(mine.parallel):,}",
    )


def _tensors(page: Page, found: ModelRedundancy) -> Iterator[Text]:
    lines = [
        *((each.kind, _twin(each)) for each in found.duplicates),
        *(("tied", _tie(each)) for each in found.tied),
    ]
    shown = lines if page.verbose else lines[: page.top]
    for label, words in shown:
        yield from sentence(label, Text(words), width=page.width)
    if len(shown) < len(lines):
        words = f"and {many(len(lines) - len(shown), 'other tensor')}"
        yield from sentence("", Text(words, "dim"), width=page.width)


def _twin(each: DuplicateTensor) -> str:
    times = f" times {each.factor:.4g}" if each.kind == "scaled" else ""
    near = "" if each.exact else ", approximately"
    return f"{inert(each.tensor)} duplicates {inert(each.of)}{times}{near}: {binary(each.bytes)}"


def _tie(each: TiedTensor) -> str:
    readers = ", ".join(inert(reader) for reader in each.readers[:3])
    more = f" and {many(len(each.readers) - 3, 'other')}" if len(each.readers) > 3 else ""
    return f"{inert(each.tensor)} ({binary(each.bytes)}) is stored once and read by {readers}{more}"
