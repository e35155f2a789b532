"""Text report: layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text

from nnea_graph.render.page import Page, dims, per_cent
from nnea_graph.render.sanitize import inert, shorten, shorten_all, without_shared_path
from nnea_graph.render.text.layout import INDENT, Row, TextColumn, first_width, fitting, hanging, table, title
from nnea_graph.report.schema.analysis import Layer
from nnea_graph.report.units import si
from nnea_graph.report.views.activity import has_real_data
from nnea_graph.report.views.summary import left_out, most_expensive_layers, share

_NARROWEST, _WIDEST = 24, 44
_LEGEND = {
    "util.": "effective / all weights",
    "null": "util. of random weights",
    "red.": "redundancy 1 - H / ln n",
    "<1e-3": "sparsity",
    "dead": "output channels never active",
}
_OF_IMPORTANCE = "util., red. and Gini of importance, null with its activations shuffled"

_COLUMNS = (
    TextColumn(("layer", ""), right=False, widest=_WIDEST),
    TextColumn(("operator", ""), right=False, widest=12),
    TextColumn(("weight", ""), right=False, rank=2, widest=16),
    TextColumn(("params", "")),
    TextColumn(("MACs", ""), rank=5, tight=True),
    TextColumn(("MACs", "%"), tight=True),
    TextColumn(("util.", "%"), tight=True),
    TextColumn(("util.", "|w| %"), tight=True),
    TextColumn(("null", "%"), rank=1, tight=True),
    TextColumn(("red.", "%"), rank=3, tight=True),
    TextColumn(("Gini", ""), tight=True),
    TextColumn(("<1e-3", "%"), rank=4, tight=True),
    TextColumn(("dead", ""), tight=True),
)


def layers(page: Page) -> list[Text]:
    """The table of layers, under the body that they lie in where there are bodies."""
    every = page.report.layers
    if not every:
        return []
    shown = list(every) if page.verbose else most_expensive_layers(page.report, page.top)
    return [
        *title("Layer by layer", _aside(page, len(shown)), width=page.width),
        *_table(page, shown),
        *_rest(len(every) - len(shown)),
    ]


def _table(page: Page, shown: Sequence[Layer]) -> list[Text]:
    """Table of as many columns as are filled and fit, the names short enough for what is left."""
    outside = left_out(page.report)
    cells = [_cells(page, layer, in_total=layer.id not in outside) for layer in shown]
    filled = [place for place in range(len(_COLUMNS)) if any(row[place] not in {"", "–"} for row in cells)]
    columns = [_COLUMNS[place] for place in filled]
    rows = [[row[place] for place in filled] for row in cells]
    bodies = _by_body(page, shown)
    bare = [
        name for places in bodies.values() for name in without_shared_path([rows[at][0] for at in places])
    ]
    kept = fitting(columns, rows, page.width, min(_NARROWEST, max(map(cell_len, bare))))
    columns = [columns[place] for place in kept]
    rows = [[row[place] for place in kept] for row in rows]
    room = first_width(columns, rows, page.width)
    return [*table(columns, list(_sections(page, bodies, rows, room)), page.width), *_legend(page, columns)]


def _legend(page: Page, columns: Sequence[TextColumn]) -> list[Text]:
    """Meaning of the short titles mean."""
    heads = dict.fromkeys(column.title[0] for column in columns)
    words = [f"{head} {_LEGEND[head]}" for head in heads if head in _LEGEND]
    if page.report.totals.statistics_of == "importance":
        words.append(_OF_IMPORTANCE)
    return hanging(Text(" " * INDENT), Text("; ".join(words), "dim"), page.width) if words else []


def _by_body(page: Page, shown: Sequence[Layer]) -> dict[str, list[int]]:
    """Places of the layers in each body, bodies as they are met."""
    bodies: dict[str, list[int]] = {}
    for place, layer in enumerate(shown):
        bodies.setdefault(page.nodes[layer.id].body, []).append(place)
    return bodies


def _sections(
    page: Page, bodies: Mapping[str, Sequence[int]], rows: Sequence[list[str]], room: int
) -> Iterator[Row]:
    """The rows with shortened names, a line above each body where there are several."""
    for body, places in bodies.items():
        if body or len(bodies) > 1:
            yield _heading(page, body)
        names = shorten_all([rows[place][0] for place in places], room)
        for name, place in zip(names, places, strict=True):
            yield [name, *rows[place][1:]]


def _heading(page: Page, body: str) -> Text:
    outside = any(each.path == body and not each.in_total for each in page.report.branches)
    aside = " (alternative, not in total)" if outside else ""
    name = shorten(inert(body), page.width - INDENT - len(aside)) if body else "main graph"
    return Text(f"{' ' * INDENT}{name}{aside}", "italic")


def _aside(page: Page, shown: int) -> str:
    if shown == len(page.report.layers):
        return ""
    return f"top {page.top} by MACs, top {page.top} by parameters, in execution order"


def _rest(left: int) -> Iterator[Text]:
    if left:
        yield Text(f"{' ' * INDENT}… {left:,} more layers: --top N, -v or JSON", "dim")


def _cells(page: Page, layer: Layer, *, in_total: bool) -> list[str]:
    weights = layer.weight_metrics
    of_importance = page.report.totals.statistics_of == "importance"
    metrics = layer.metrics if of_importance else weights
    part = share(layer.macs, page.report.totals.macs) if in_total else None
    return [
        page.row_name(layer),
        inert(layer.op_type.replace("Normalization", "Norm")),
        dims(layer.weight_shape),
        "tied" if layer.tied_to else si(layer.parameters),
        _macs(layer),
        per_cent(part),
        per_cent(metrics.utilization if metrics else None),
        per_cent(weights.utilization if weights and of_importance else None),
        per_cent(_null(layer, of_importance=of_importance)),
        per_cent(metrics.redundancy if metrics else None),
        "–" if metrics is None or metrics.gini is None else f"{metrics.gini:.2f}",
        per_cent(weights.sparsity["1e-3"] if weights and weights.sparsity else None),
        _dead(layer) if has_real_data(page.report) else "–",
    ]


def _null(layer: Layer, *, of_importance: bool) -> float | None:
    """Utilization without training: of importance where that is shown, else of |w|."""
    if of_importance:
        return layer.importance_null.shuffled_activations if layer.importance_null else None
    null = layer.weight_null
    return float(getattr(null, null.nearest)) if null else None


def _dead(layer: Layer) -> str:
    channels = layer.channels
    return f"{channels.dead_outputs:,}" if channels and channels.dead_outputs else "–"


def _macs(layer: Layer) -> str:
    if layer.status is None:
        return ""
    if layer.macs is None:
        return "?"
    return f"{'~' if layer.status == 'estimated' else ''}{si(layer.macs)}"
