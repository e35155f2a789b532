"""Weights that an operator unpacks or dequantizes by itself: what it really computes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.ops.bit_unpacking import unpack_bnb4, unpack_nbits, unpack_table
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.registry import MICROSOFT, Registry

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Packing:
    """``index`` is the packed input, ``inputs`` all those that its values depend on.

    ``shape`` and ``unpack`` give what the operator computes with; ``unpack`` needs the values of ``inputs``.
    """

    index: int
    inputs: tuple[int, ...]
    shape: Callable[[OpCall], tuple[int, ...]]
    unpack: Callable[[OpCall], Array]


def packing_of(op_type: str, domain: str) -> Packing | None:
    """Tells how an operator packs its weight, None where it takes it as it is."""
    return PACKED_WEIGHTS.get(op_type, domain)


def _matrix(call: OpCall) -> tuple[int, ...]:
    return int(call.attr("K", 0)), int(call.attr("N", 0))


def _table(call: OpCall) -> tuple[int, ...]:
    stored = call.shape(0)
    dtype = call.dtype(0)
    per_byte = 8 // int(call.attr("bits", 4)) if dtype is not None and dtype.name == "uint8" else 1
    return (*stored[:-1], stored[-1] * per_byte)


def _gemm_outputs(call: OpCall) -> int:
    """The axis of a Gemm's weight that leads to its outputs."""
    return 0 if call.attr("transB", 0) else 1


def _dequantized(
    weight: int, scale: int | None, zero_point: int, axis: int | Callable[[OpCall], int]
) -> Packing:
    """An integer weight whose scale and zero point, one or one a channel of ``axis``, are inputs as well."""
    inputs = tuple(index for index in (weight, scale, zero_point) if index is not None)

    def unpack(call: OpCall) -> Array:
        numbers, place = call.value(weight).astype(np.float32), axis if isinstance(axis, int) else axis(call)
        if call.has(zero_point):
            numbers = numbers - _along(call.value(zero_point).astype(np.float32), numbers, place)
        if scale is not None and call.has(scale):
            numbers = numbers * _along(call.value(scale).astype(np.float32), numbers, place)
        return numbers

    return Packing(weight, inputs, lambda call: call.shape(weight), unpack)


def _along(numbers: Array, weight: Array, axis: int) -> Array:
    """One number for all, or one for each channel, in a shape that broadcasts against the weight."""
    if numbers.size == 1:
        return numbers.reshape(())
    if not -weight.ndim <= axis < weight.ndim or numbers.size != weight.shape[axis]:
        raise BadCallError(f"{numbers.size} quantization parameters do not fit a weight of {weight.shape}")
    shape = [1] * weight.ndim
    shape[axis] = numbers.size
    return numbers.reshape(shape)


PACKED_WEIGHTS: Registry[Packing] = Registry("packed weight")

PACKED_WEIGHTS.add(_dequantized(1, None, 3, 0), "ConvInteger")
PACKED_WEIGHTS.add(_dequantized(1, None, 3, -1), "MatMulInteger")
PACKED_WEIGHTS.add(_dequantized(3, 4, 5, 0), "QLinearConv")
PACKED_WEIGHTS.add(_dequantized(3, 4, 5, -1), "QLinearMatMul")
PACKED_WEIGHTS.add(_dequantized(1, 2, 3, -1), "DynamicQuantizeMatMul", domain=MICROSOFT)
PACKED_WEIGHTS.add(Packing(0, (0, 2, 3), _table, unpack_table), "GatherBlockQuantized", domain=MICROSOFT)
PACKED_WEIGHTS.add(Packing(1, (1, 2), _matrix, unpack_bnb4), "MatMulBnb4", domain=MICROSOFT)
PACKED_WEIGHTS.add(_dequantized(1, 3, 5, -1), "MatMulIntegerToFloat", domain=MICROSOFT)
PACKED_WEIGHTS.add(Packing(1, (1, 2, 3, 4), _matrix, unpack_nbits), "MatMulNBits", domain=MICROSOFT)
PACKED_WEIGHTS.add(_dequantized(1, 4, 7, -1), "QAttention", domain=MICROSOFT)
PACKED_WEIGHTS.add(_dequantized(3, 4, 5, _gemm_outputs), "QGemm", domain=MICROSOFT)
PACKED_WEIGHTS.add(_dequantized(3, 4, 5, 0), "QLinearConv", domain=MICROSOFT)
PACKED_WEIGHTS.add(_dequantized(3, 4, 5, -1), "QLinearAdd", "QLinearMul", domain=MICROSOFT)
