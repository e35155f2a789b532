"""Pooling. Every window counts whole, padding and what is cut at the border included."""

from __future__ import annotations

from math import prod

from nnea_graph.ops.attribute_checks import need, number, numbers, shaped, whole, wholes
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import OperatorCost, work
from nnea_graph.ops.costs.layout import NCHWC
from nnea_graph.ops.registry import MICROSOFT

DEQUANTIZE = 2
"""Subtracting the zero point, multiplying by the scale."""

REQUANTIZE = 5
"""Scale, round, add the zero point, clamp at both ends."""


def window(call: OpCall) -> int:
    """Elements of the window that slides over the spatial axes."""
    spatial = len(call.shape(0)) - 2
    need(spatial >= 1, f"input 0 has rank {len(call.shape(0))}, it has no spatial axes")
    kernel = wholes(call, "kernel_shape", (0,) * spatial, least=1)
    need(all(kernel), "attribute kernel_shape is missing")
    for name in ("strides", "dilations"):
        wholes(call, name, (1,) * spatial, least=1)
    wholes(call, "pads", (0,) * (2 * spatial))
    return prod(kernel)


def plane(call: OpCall) -> int:
    """Elements of one channel of the input."""
    need(len(call.shape(0)) >= 2, f"input 0 has rank {len(call.shape(0))}, it has no channels")
    return prod(call.shape(0)[2:])


@work("MaxPool", domain=NCHWC)
@work("MaxPool")
@work("NhwcMaxPool", "MaxpoolWithMask", domain=MICROSOFT)
def max_pool(call: OpCall) -> OperatorCost:
    """Compares with all but the first element of the window."""
    return OperatorCost(other_flops=(window(call) - 1) * call.out_size())


@work("AveragePool", domain=NCHWC)
@work("AveragePool")
def average_pool(call: OpCall) -> OperatorCost:
    """The sum of the window and a divide."""
    return OperatorCost(other_flops=window(call) * call.out_size())


@work("QLinearAveragePool", domain=MICROSOFT)
def quantized_average_pool(call: OpCall) -> OperatorCost:
    """The average of numbers that are dequantized, quantized again."""
    taps = window(call)
    return OperatorCost(other_flops=(taps * (1 + DEQUANTIZE) + REQUANTIZE) * call.out_size())


@work("LpPool")
def lp_pool(call: OpCall) -> OperatorCost:
    """|x|ᵖ of every element, their sum, and its root."""
    return OperatorCost(other_flops=_norm(window(call), _power(call)) * call.out_size())


@work("GlobalMaxPool", domain=NCHWC)
@work("GlobalMaxPool")
def global_max_pool(call: OpCall) -> OperatorCost:
    """Compares with all but the first element of the channel."""
    return OperatorCost(other_flops=max(plane(call) - 1, 0) * call.out_size())


@work("GlobalAveragePool", domain=NCHWC)
@work("GlobalAveragePool")
def global_average_pool(call: OpCall) -> OperatorCost:
    """The sum of the channel and a divide."""
    return OperatorCost(other_flops=plane(call) * call.out_size())


@work("QLinearGlobalAveragePool", domain=MICROSOFT)
def quantized_global_average_pool(call: OpCall) -> OperatorCost:
    """Every element dequantized and added, every output divided and quantized again."""
    return OperatorCost(other_flops=call.size(0) * (1 + DEQUANTIZE) + call.out_size() * REQUANTIZE)


@work("GlobalLpPool")
def global_lp_pool(call: OpCall) -> OperatorCost:
    """Same as ``LpPool`` over the whole channel."""
    return OperatorCost(other_flops=_norm(plane(call), _power(call)) * call.out_size())


def _power(call: OpCall) -> float:
    return number(call, "p", 2)


def _norm(terms: int, power: float) -> int:
    """Operations of a norm: |x| and, unless p is 1, a power an element and one root."""
    if not terms:
        return 0
    if power == 1:
        return 2 * terms - 1
    return 2 * terms if power == 2 else 3 * terms


@work("MaxRoiPool")
def max_roi_pool(call: OpCall) -> OperatorCost:
    """Compares; how large a region is, is known only at run time: the whole image is the most."""
    _, channels, *spatial = shaped(call, 0, 4)
    need(len(numbers(call, "pooled_shape")) == 2, "attribute pooled_shape needs two entries")
    most = shaped(call, 1, 2)[0] * channels * prod(spatial)
    return OperatorCost(other_flops=most, estimate="a region counts as the whole image, the most it can be")


@work("RoiAlign")
def roi_align(call: OpCall) -> OperatorCost:
    """Bilinear samples (4 multiplies, 3 adds) of each bin, averaged or compared."""
    samples, reason = _samples(call)
    return OperatorCost(other_flops=call.out_size() * samples * 8, estimate=reason)


def _samples(call: OpCall) -> tuple[int, str]:
    ratio = whole(call, "sampling_ratio", 0)
    if ratio:
        return ratio**2, ""
    grid = call.out()[2:]
    image = call.shape(0)[2:]
    if not all(grid) or len(grid) != len(image):
        raise UnknownFactError("the grid of the regions is not known")
    bins = prod(-(-side // cells) for side, cells in zip(image, grid, strict=True))
    return bins, "a region counts as the whole image, the most it can be"


@work("Col2Im")
def col2im(call: OpCall) -> OperatorCost:
    """One add for every element of the columns."""
    return OperatorCost(other_flops=call.size(0))
