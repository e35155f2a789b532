"""Reports to plot, and what a figure really shows: its bars, and its texts with the places that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline
from matplotlib.text import Text
from model_zoo.deep_nets import deep
from numpy.typing import NDArray

from nnea_graph import analyze
from nnea_graph.report.schema.analysis import Report

MODELS = Path(__file__).parents[2] / "models"
SENSITIVITY = "+sensitivity{units=weights}"


@cache
def small() -> Report:
    """Three layers, measured."""
    data = np.load(MODELS / "digits.npz")
    first = {name: values[:60] for name, values in data.items()}
    return analyze(MODELS / "digits_mlp.onnx", first, "+sensitivity")


@cache
def large(layers: int = 150) -> Report:
    data = np.random.default_rng(0).normal(size=(8, 12)).astype(np.float32)
    return analyze(deep(layers), data)


@cache
def static() -> Report:
    """Weights alone: nothing has been run."""
    return analyze(deep(3), passes="cost,weight_statistics")


def panel(figure: Figure, title: str) -> Axes:
    """The axes of this title."""
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(title))


def bars(axes: Axes, label: str = "") -> NDArray[np.float64]:
    """Lengths of horizontal bars from top to bottom."""
    found = [each for each in axes.collections if isinstance(each, PolyCollection)]
    shapes = next(each for each in found if not label or each.get_label() == label).get_paths()
    return np.array([float(np.ptp(_corners(shape)[:, 0])) for shape in shapes])


def _corners(shape: Outline) -> NDArray[np.float64]:
    return cast(NDArray[np.float64], np.asarray(shape.vertices))


def names(axes: Axes) -> list[str]:
    """What stands beside the rows."""
    return [label.get_text() for label in axes.get_yticklabels()]


def words(figure: Figure) -> str:
    """All texts, one a line."""
    return "\n".join(shown.words for shown in shown_texts(figure))


@dataclass(frozen=True)
class Shown:
    """A text on a page of pixels, in its outline."""

    words: str
    outline: Outline


def shown_texts(figure: Figure) -> list[Shown]:
    """Every text that is drawn: ticks outside the view are not."""
    canvas = FigureCanvasAgg(figure)
    drawn: dict[int, Text] = {}
    draw: Callable[..., None] = Text.draw

    def noting(self: Text, renderer: Any, *args: Any, **options: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            drawn[id(self)] = self
        draw(self, renderer, *args, **options)

    with patch.object(Text, "draw", noting):
        canvas.draw()  # type: ignore[no-untyped-call]
    return [Shown(text.get_text(), _outline(text, canvas)) for text in drawn.values()]


def _outline(text: Text, canvas: FigureCanvasAgg) -> Outline:
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    text.set_bbox({"pad": 0, "boxstyle": "square", "alpha": 0})
    text.update_bbox_position_size(renderer)
    box = text.get_bbox_patch()
    assert box is not None
    found = box.get_path().transformed(box.get_transform())
    text.set_bbox(None)
    return found


def overlapping(shown: list[Shown]) -> Iterator[tuple[str, str]]:
    """Pairs of texts that cover each other."""
    for one, other in combinations(shown, 2):
        if one.outline.intersects_path(other.outline, filled=True):
            yield one.words, other.words


def outside(figure: Figure, shown: list[Shown]) -> list[str]:
    """Texts that the edge of the figure cuts."""
    width, height = figure.bbox.width, figure.bbox.height
    return [
        each.words
        for each in shown
        if _corners(each.outline).min() < -1
        or (_corners(each.outline)[:, 0] > width + 1).any()
        or (_corners(each.outline)[:, 1] > height + 1).any()
    ]
