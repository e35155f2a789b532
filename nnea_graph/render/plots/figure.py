"""What every plot has: its own style, a heading, names that can be shown, and a file that is the same each time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any

import matplotlib as mpl
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nnea_graph.errors import OutputError
from nnea_graph.render.output_files import write_output
from nnea_graph.render.page import Page
from nnea_graph.render.sanitize import inert, shorten, shorten_all
from nnea_graph.report.units import amount, power

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, BLACK, GRAY = "#56B4E9", "#CC79A7", "#222222", "#8A8A8A"
"""Okabe and Ito: told apart by people of every color vision."""
PALE = "#D9D9D9"
MAP = "viridis"

_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRAY,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "text.parse_math": False,
    "svg.hashsalt": "nnea-graph",
    "svg.fonttype": "path",
}
_STEPS = (1, 2, 2.5, 5, 10)
_ZEROS = re.compile(r"\.0+(?= |$)")
_WIDTH = 9.0
_HEADING = 90
_NAME = 30


class Plot(Figure):
    """A figure that a notebook shows without pyplot; ``empty`` where words say that there is nothing to show."""

    empty = False

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        with styled():
            self.savefig(picture, format="png", dpi=110)
        return picture.getvalue()


@contextmanager
def styled() -> Iterator[None]:
    """Our style on matplotlib's defaults meanwhile, whatever the user has set; his settings come back."""
    with style.context(["default", _STYLE]):
        yield


def new_plot(page: Page, head: str, size: tuple[float, float] | None, height: float) -> Plot:
    """An empty figure of ``size`` or of ``height`` inches, headed by what it is and what it is of."""
    plot = Plot(figsize=size or (_WIDTH, height), layout="constrained")
    plot.suptitle(f"{head}\n{subject(page)}", x=0.01, ha="left", fontsize=10, color=BLACK)
    return plot


def subject(page: Page) -> str:
    """The model and the data."""
    report = page.report
    model = "model in memory" if report.model.path == "<memory>" else shown(inert(report.model.path))
    model = shorten(model, 40)
    data = report.data
    if data is None or data.not_run or report.totals.statistics_of != "importance":
        return f"{model} · weights alone, no real data"
    source = shown(inert(PurePath(data.source).name))
    return shorten(f"{model} · {data.samples:,} samples of {source}", _HEADING)


def of_what(page: Page) -> str:
    """Object that the statistics are of, in words for an axis."""
    return "importance" if page.report.totals.statistics_of == "importance" else "|w|"


def shown(name: str) -> str:
    """A name in letters that the font has; others as a box."""
    known = get_font(findfont(FontProperties(family=["DejaVu Sans"]))).get_charmap()
    return "".join(letter if ord(letter) in known else "□" for letter in name)


def short_names(names: Sequence[str], width: int = _NAME) -> list[str]:
    """Each in at most so many letters, different ones staying different; short ones stay as they are."""
    long = [name for name in names if len(name) > width]
    found = shorten_all(long, width)
    plain = [name.replace("….", "…") for name in found]
    shorter = iter(plain if len(set(plain)) == len(set(found)) else found)
    return [shown(next(shorter) if len(name) > width else name) for name in names]


def layer_name(page: Page, node_id: str, width: int = _NAME) -> str:
    """Name of a layer, short."""
    return shown(shorten(page.called(node_id), width))


def per_cent_axis(axis: Any, ticks: int = 5) -> None:
    """Shares as per cent."""
    axis.set_major_locator(MaxNLocator(ticks, steps=_STEPS))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))


def count_axis(axis: Any, ticks: int = 4) -> None:
    """Counts with K, M, G."""
    axis.set_major_locator(MaxNLocator(ticks, integer=True, steps=_STEPS))
    axis.set_major_formatter(FuncFormatter(lambda number, _: _ZEROS.sub("", amount(number))))


def power_axis(axis: Any) -> None:
    """Powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda number, _: _power(number)))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def _power(number: float) -> str:
    return f"{number:g}" if 1e-3 <= number < 1e4 else power(number).replace("1.0e", "1e")


def only_words(plot: Plot, words: str) -> None:
    """A sentence in place of a plot that has nothing to show."""
    plot.empty = True
    axes = plot.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GRAY, fontsize=10, wrap=True)


def missing_mark(axes: Axes, places: Sequence[float]) -> None:
    """Marks of what is not known, so that nobody takes it for 0."""
    if places:
        axes.plot(
            [0] * len(places), places, marker="x", ls="", ms=4, color=GRAY, label="not known", clip_on=False
        )


def save(plot: Figure, path: Path) -> None:
    """Write a figure as its suffix says; the same bytes for the same figure.

    Raises:
        OutputError: it cannot be written, or matplotlib does not know the suffix.
    """
    form = path.suffix.removeprefix(".") or "png"
    if form not in plot.canvas.get_supported_filetypes():
        raise OutputError(f"{path}: matplotlib writes no .{form}; write .svg, .png or .pdf")
    write_output(path, [picture(plot, form)], force=True)


_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


def picture(plot: Figure, form: str) -> bytes:
    """A figure as a file of this form, without dates and versions."""
    written = BytesIO()
    with styled(), mpl.rc_context({"svg.hashsalt": "nnea-graph"}):
        plot.savefig(written, format=form, metadata=_METADATA.get(form), dpi=120)
    return written.getvalue()
