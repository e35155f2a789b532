"""Fourier transforms and windows. A transform of length n counts 5 · n · log2 n operations, rounded up.

This is the customary count of a complex radix-2 transform; real input and other lengths count the same.
"""

from __future__ import annotations

from math import ceil, log2, prod

from nnea_graph.ops.attribute_checks import made, need, shaped, single, whole
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, elementwise, work
from nnea_graph.ops.registry import MICROSOFT


def transform(length: int) -> int:
    """Operations of one transform."""
    return ceil(5 * length * log2(length)) if length > 1 else 0


elementwise(5, "HammingWindow", "HannWindow")  # multiply, divide, cos, multiply, subtract
elementwise(10, "BlackmanWindow")  # two cosines
elementwise(5, "MelWeightMatrix")  # subtract, divide, subtract, compare, compare


@work("DFT")
def dft(call: OpCall) -> OperatorCost:
    """One transform a line; the length is ``dft_length``, else that of the axis."""
    shape = shaped(call, 0, 2, 64)
    axis = _axis(call, len(shape))
    lines = prod(dim for place, dim in enumerate(shape[:-1]) if place != axis)
    length = single(call.value(1), "dft_length") if call.has(1) else _whole_length(call, shape[axis])
    return OperatorCost(other_flops=lines * transform(length))


def _whole_length(call: OpCall, stored: int) -> int:
    """An inverse transform of one half stands for both."""
    half = whole(call, "inverse", 0) and whole(call, "onesided", 0)
    return 2 * (stored - 1) if half and stored else stored


def _axis(call: OpCall, rank: int) -> int:
    """Input 2 from opset 20 on, -2 where left out; an attribute before, 1 where left out."""
    if call.has(2):
        given = call.value(2)
        need(given.size == 1 and given.dtype.kind in "iu", "the axis is not one integer")
        axis = int(given.reshape(-1)[0])
    else:
        axis = call.attr("axis", -2 if call.opset >= 20 else 1)
    need(isinstance(axis, int) and -rank <= axis < rank, f"axis {axis!r:.60} is outside the rank {rank}")
    return axis % rank


@work("STFT")
def stft(call: OpCall) -> OperatorCost:
    """A window and a transform a frame."""
    samples, frames = made(call, 0, 4)[:2]
    length = _frame(call)
    windowed = length * call.has(2)
    return OperatorCost(other_flops=samples * frames * (windowed + transform(length)))


def _frame(call: OpCall) -> int:
    if call.has(2):
        return shaped(call, 2, 1)[0]
    if call.has(3):
        return single(call.value(3), "frame_length")
    return shaped(call, 0, 2, 3)[1]


@work("Rfft", "Irfft", domain=MICROSOFT)
def contrib_dft(call: OpCall) -> OperatorCost:
    """Transforms over the last ``signal_ndim`` axes of the real side."""
    real = call.shape(0) if call.op_type == "Rfft" else call.out()
    axes = whole(call, "signal_ndim", 1, least=1)
    need(axes <= len(real), f"signal_ndim {axes} is over the rank {len(real)}")
    elements = prod(real)
    return OperatorCost(other_flops=sum(elements // max(side, 1) * transform(side) for side in real[-axes:]))
