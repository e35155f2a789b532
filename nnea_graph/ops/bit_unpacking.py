"""Weights packed into a few bits, as the matrix or table that the operator really reads."""

from __future__ import annotations

import numpy as np

from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.value_guards import Array, axis_of, fitting, guard

# bitsandbytes' tables, by the number in four bits.
FP4 = (0.0, 0.0052083333, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25)
NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
BNB_TABLES = {0: (*FP4, *(-x for x in FP4)), 1: NF4}


@guard
def unpack_nbits(call: OpCall) -> Array:
    """The float32 matrix K x N that MatMulNBits multiplies with."""
    rows, columns, block = (_positive(call, name) for name in ("N", "K", "block_size"))
    bits = _bits(call, 4)
    if call.attr("weight_prepacked", 0):
        raise UnknownFactError("the weight of MatMulNBits is packed for one kernel")
    blocks = -(-columns // block)
    fitting(call, (rows, blocks * block))
    codes = split_bytes(call.value(1).reshape(rows, -1), bits)
    if codes.shape[1] < blocks * block:
        raise BadCallError(f"MatMulNBits has {codes.shape[1]} of {blocks * block} codes a row")
    group = _groups(call, columns, block, blocks)
    scales = call.value(2).reshape(rows, blocks).astype(np.float32)
    shifted = codes[:, :columns] - _zero_points(call, rows, blocks, bits)[:, group]
    return (shifted * scales[:, group]).T


def _positive(call: OpCall, name: str) -> int:
    found = call.attr(name)
    if not isinstance(found, int) or found < 1:
        raise BadCallError(f"{call.op_type} needs a positive {name}, not {found!r}")
    return found


def _bits(call: OpCall, default: int) -> int:
    bits = call.attr("bits", default)
    if bits not in (2, 4, 8):
        raise UnknownFactError(f"{call.op_type} packs {bits} bits in a way that is not known")
    return int(bits)


def split_bytes(packed: Array, bits: int) -> Array:
    """Codes of a byte tensor along its last axis, lowest bits first, as float32."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    spread = (packed.astype(np.uint8)[..., None] >> shifts) & np.uint8(2**bits - 1)
    return spread.reshape(*packed.shape[:-1], packed.shape[-1] * shifts.size).astype(np.float32)


def _groups(call: OpCall, columns: int, block: int, blocks: int) -> Array:
    """Determines which scale each of the K inputs uses."""
    if not call.has(4):
        return np.arange(columns) // block
    group = call.value(4).reshape(-1)[:columns]
    if group.size != columns or group.min() < 0 or group.max() >= blocks:
        raise BadCallError(f"g_idx of {call.op_type} does not give a block to each of {columns} inputs")
    return group


def _zero_points(call: OpCall, rows: int, blocks: int, bits: int) -> Array:
    """N x blocks; packed like the weight, or one number each in a float type; the middle by default."""
    if not call.has(3):
        return np.full((rows, blocks), 2 ** (bits - 1), np.float32)
    stored = call.value(3)
    if stored.dtype.kind == "f":
        return stored.reshape(rows, blocks).astype(np.float32)
    return split_bytes(stored.reshape(rows, -1), bits)[:, :blocks]


@guard
def unpack_bnb4(call: OpCall) -> Array:
    """The float32 matrix K x N that MatMulBnb4 multiplies with; the high half of a byte comes first."""
    rows, columns, block = (_positive(call, name) for name in ("N", "K", "block_size"))
    table = BNB_TABLES.get(call.attr("quant_type"))
    if table is None:
        raise BadCallError(f"MatMulBnb4 has no quant_type {call.attr('quant_type')!r}")
    size = rows * columns
    fitting(call, (size,))
    packed = call.value(1).reshape(-1).astype(np.uint8)
    codes = np.stack((packed >> 4, packed & 15), 1).reshape(-1)[:size]
    absmax = call.value(2).reshape(-1).astype(np.float32)
    if codes.size != size or absmax.size < -(-size // block):
        raise BadCallError(f"MatMulBnb4 has {codes.size} codes and {absmax.size} scales for {size} weights")
    numbers = np.asarray(table, np.float32)[codes] * absmax[np.arange(size) // block]
    return numbers.reshape(rows, columns).T


@guard
def unpack_table(call: OpCall) -> Array:
    """The float32 table that GatherBlockQuantized reads from, in the shape of its unpacked data."""
    stored = call.value(0)
    in_bytes = call.dtype(0) == BY_NAME["uint8"]
    bits = _bits(call, 4) if in_bytes else 0
    data = split_bytes(stored, bits) if in_bytes else stored.astype(np.float32)
    fitting(call, data.shape)
    axis = axis_of(call.attr("quantize_axis", 1), data.ndim)
    block = _positive(call, "block_size") if "block_size" in call.attributes else 128
    group = np.arange(data.shape[axis]) // block
    scales = call.value(2).astype(np.float32)
    if call.has(3):
        zero_points = split_bytes(call.value(3), bits) if in_bytes else call.value(3).astype(np.float32)
        zero_points = zero_points[..., : scales.shape[-1]]
    else:
        zero_points = np.full_like(scales, 2 ** (bits - 1) if in_bytes else 0)
    return (data - _blocked(zero_points, group, axis)) * _blocked(scales, group, axis)


def _blocked(numbers: Array, group: Array, axis: int) -> Array:
    if group.size and numbers.shape[axis] <= group[-1]:
        raise BadCallError(
            f"GatherBlockQuantized has {numbers.shape[axis]} blocks, and needs {group[-1] + 1}"
        )
    return np.take(numbers, group, axis)
