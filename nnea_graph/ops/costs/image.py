"""Resizing and sampling of images. A sample between 2^d elements takes 2 · 2^d - 1 operations.

Coordinates and weights of the taps are shared by all channels and left out of account.
"""

from __future__ import annotations

from math import ceil, prod

from nnea_graph.ops.attribute_checks import need, shaped, whole, word
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import OperatorCost, work
from nnea_graph.ops.costs.layout import NCHWC
from nnea_graph.ops.registry import MICROSOFT

TAPS = {"linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
"""Elements along one axis that a sample lies between."""


def weighted(samples: int, taps: int) -> OperatorCost:
    """So many sums of so many weighted elements."""
    return OperatorCost(other_flops=samples * (2 * taps - 1))


@work("Upsample", domain=NCHWC)
@work("Resize", "Upsample")
def resize(call: OpCall) -> OperatorCost:
    """Taps along every axis whose size changes; nearest copies; antialiasing widens the taps."""
    mode = word(call, "mode", "nearest")
    if mode == "nearest":
        return OperatorCost(free="copies the nearest elements")
    need(mode in TAPS, f"mode is {mode!r:.60}")
    before, after = call.shape(0), call.out()
    need(len(before) == len(after), "input and output differ in rank")
    smooth = whole(call, "antialias", 0) == 1
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    taps = prod(_taps(mode, old / new if smooth and new else 1.0) for old, new in pairs)
    return weighted(call.out_size(), taps)


def _taps(mode: str, shrink: float) -> int:
    return ceil(TAPS[mode] * max(shrink, 1.0))


@work("GridSample")
@work("GridSample", domain=MICROSOFT)
def grid_sample(call: OpCall) -> OperatorCost:
    """Nearest copies; linear takes 2, cubic 4 taps an axis."""
    mode = word(call, "mode", "linear" if call.opset >= 20 else "bilinear")
    if mode == "nearest":
        return OperatorCost(free="copies the nearest elements")
    need(mode in TAPS, f"mode is {mode!r:.60}")
    axes = len(call.shape(0)) - 2
    need(axes >= 1, f"input 0 has rank {len(call.shape(0))}, it has no spatial axes")
    return weighted(call.out_size(), TAPS[mode] ** axes)


@work("CropAndResize", domain=MICROSOFT)
def crop_and_resize(call: OpCall) -> OperatorCost:
    """A bilinear sample an output element; nearest copies."""
    if word(call, "mode", "bilinear") == "nearest":
        return OperatorCost(free="copies the nearest elements")
    return weighted(call.out_size(), 4)


@work("AffineGrid")
def affine_grid(call: OpCall) -> OperatorCost:
    """Each point of the grid in homogeneous coordinates times a matrix."""
    return weighted(call.out_size(), shaped(call, 0, 3)[2])


@work("ImageDecoder")
def image_decoder(_: OpCall) -> OperatorCost:
    """Unknown: the work lies in the compressed format.

    Raises:
        UnknownFactError: always.
    """
    raise UnknownFactError("how much a compressed image takes to decode depends on its format and content")
