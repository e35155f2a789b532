"""Text report: what weights in few bits lose, of all layers and of each, and which must stay in floats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from nnea_graph.render.page import Page, many, per_cent
from nnea_graph.render.sanitize import inert, shorten, shorten_all
from nnea_graph.render.text.layout import (
    INDENT,
    Row,
    TextColumn,
    first_width,
    fitting,
    hanging,
    sentence,
    table,
    title,
)
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.schema.quantization import KeptInFloat, ModelQuantization, OutputLoss, QuantizedWeights
from nnea_graph.report.units import binary, percent

_NAMES = {
    "int8": "int8, one scale",
    "int8_channel": "int8 by channel",
    "int4_block32": "int4, blocks of 32",
    "int4_block128": "int4, blocks of 128",
    "float16": "float16",
}
_ORDER = tuple(_NAMES)
_MODEL = (
    TextColumn(("all layers", "in"), right=False, widest=24),
    TextColumn(("weights", "")),
    TextColumn(("output", "dB")),
    TextColumn(("top-1", "agree. %")),
    TextColumn(("accuracy", "%")),
    TextColumn(("mixed-precision fallback", ""), right=False, widest=40),
)
_LAYERS = (
    TextColumn(("layer, most", "changed first"), right=False, widest=40),
    TextColumn(("output", "int8"), tight=True),
    TextColumn(("dB in", "int4"), tight=True),
    TextColumn(("weights", "int8"), tight=True),
    TextColumn(("dB in", "int4"), tight=True),
    TextColumn(("int8,", "1 scale"), rank=1, tight=True),
    TextColumn(("", "crest"), rank=2, tight=True),
    TextColumn(("beyond", "6 sigma"), rank=3, tight=True),
)
_LEGEND = (
    "dB: signal-to-quantization-noise ratio, 6 dB per bit; int8 with a scale for each output channel, int4 with"
    " one for 32 inputs; output: with only this layer quantized; crest: max|w| / RMS of w"
)
_NARROWEST = 24
_NAME = 24


def quantization(page: Page) -> list[Text]:
    """The model by format, then the layers, worst first."""
    found = page.report.quantization
    if found is None:
        return []
    return [
        *title("Quantization of weights", _aside(found), width=page.width),
        *table(_MODEL, list(_formats(page, found)), page.width),
        *_explained(page, _words(found)),
        *_layers(page),
    ]


def _aside(found: ModelQuantization) -> str:
    if found.not_run:
        return ""
    of = f" of {found.offered:,}" if found.offered and found.offered > found.samples else ""
    samples = f"measured on {found.samples:,}{of} {'synthetic ' if found.synthetic else ''}samples"
    if found.measured == found.planned:
        return samples
    return f"{samples}; {found.measured:,} of {many(found.planned, 'run')} fitted into the budget of work"


def _formats(page: Page, found: ModelQuantization) -> Iterator[Row]:
    kept = {each.format: each for each in found.kept}
    for each in sorted(found.formats, key=lambda each: _ORDER.index(each.format)):
        out = each.output
        yield [
            _NAMES[each.format],
            binary(each.bytes),
            _decibels(out),
            per_cent(out.agreement if out else None),
            per_cent(out.accuracy if out else None),
            _kept(page, kept.get(each.format)),
        ]


def _kept(page: Page, found: KeptInFloat | None) -> str:
    if found is None:
        return ""
    if found.layers is None:
        return "not known"
    if not found.layers:
        return "none"
    first = shorten(page.called(found.layers[0]), _NAME)
    return first if len(found.layers) == 1 else f"{first} and {len(found.layers) - 1:,} more"


def _words(found: ModelQuantization) -> str:
    if found.not_run:
        return f"not run: {inert(found.not_run)}"
    accuracy = f"; {percent(found.accuracy)} unaltered" if found.accuracy is not None else ""
    what = {
        "accuracy": "points of accuracy",
        "agreement": "% of top-1 disagreement",
        "relative_l2": "% of change",
    }
    return (
        f"{binary(found.bytes)} in floats{accuracy}; fallback: layers kept in float for a loss below"
        f" {100 * found.loss_limit:g} {what[found.loss_of]}; activations are not quantized"
    )


def _layers(page: Page) -> Iterator[Text]:
    ranked = [layer for layer in page.report.layers if layer.quantization and layer.quantization.formats]
    ranked.sort(key=lambda layer: (layer.quantization and layer.quantization.rank) or len(ranked) + 1)
    shown = ranked if page.verbose else ranked[: 2 * page.top]
    if not shown:
        return
    rows = [_row(page, layer) for layer in shown]
    places = fitting(_LAYERS, rows, page.width, min(_NARROWEST, max(cell_len(row[0]) for row in rows)))
    columns = [_LAYERS[place] for place in places]
    rows = [[row[place] for place in places] for row in rows]
    names = shorten_all([row[0] for row in rows], first_width(columns, rows, page.width))
    yield Text()
    yield from table(columns, [[name, *row[1:]] for name, row in zip(names, rows, strict=True)], page.width)
    yield from _explained(page, _LEGEND)
    left = len(ranked) - len(shown)
    if left:
        yield Text(f"{' ' * INDENT}… {left:,} more layers: --top N, -v or JSON", "dim")
    yield from _without(page)


def _row(page: Page, layer: Layer) -> list[str]:
    found = layer.quantization
    if found is None:
        return [page.row_name(layer), *[""] * 7]
    by_name = {each.format: each for each in found.formats}
    return [
        page.row_name(layer),
        _decibels(by_name["int8_channel"].output),
        _decibels(by_name["int4_block32"].output),
        *(_number(by_name[name]) for name in ("int8_channel", "int4_block32", "int8")),
        "–" if found.crest is None else f"{found.crest:.1f}",
        f"{found.outliers or 0:,}",
    ]


def _number(found: QuantizedWeights | OutputLoss) -> str:
    if found.sqnr_db is not None:
        return f"{found.sqnr_db:.1f}"
    return "same" if found.relative_l2 == 0 else "–"


def _decibels(found: OutputLoss | None) -> str:
    return "–" if found is None else _number(found)


def _without(page: Page) -> Iterator[Text]:
    """Layers whose weights no quantizer takes."""
    if not page.verbose:
        return
    for layer in page.report.layers:
        found = layer.quantization
        if found and not found.formats:
            words = Text(f"{page.called(layer.id)}: {inert(found.reason)}", "dim")
            yield from sentence("not quantized", words, width=page.width)


def _explained(page: Page, words: str) -> Sequence[Text]:
    return hanging(Text(" " * INDENT), Text(words, "dim"), page.width)
