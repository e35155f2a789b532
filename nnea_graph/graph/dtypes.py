"""The element types of tensors, and how their stored bytes become numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DType:
    """An element type: ONNX's number and name for it, its width, and what kind of number it is.

    ``kind`` is one of ``float``, ``int``, ``uint``, ``bool``, ``complex``, ``string``.
    """

    code: int
    name: str
    bits: int
    kind: str

    def __str__(self) -> str:
        return self.name

    def nbytes(self, elements: int) -> int:
        """Bytes that so many elements take; sub-byte types are packed."""
        return (elements * self.bits + 7) // 8


_TABLE = (
    (1, "float32", 32, "float"),
    (2, "uint8", 8, "uint"),
    (3, "int8", 8, "int"),
    (4, "uint16", 16, "uint"),
    (5, "int16", 16, "int"),
    (6, "int32", 32, "int"),
    (7, "int64", 64, "int"),
    (8, "string", 0, "string"),
    (9, "bool", 8, "bool"),
    (10, "float16", 16, "float"),
    (11, "float64", 64, "float"),
    (12, "uint32", 32, "uint"),
    (13, "uint64", 64, "uint"),
    (14, "complex64", 64, "complex"),
    (15, "complex128", 128, "complex"),
    (16, "bfloat16", 16, "float"),
    (17, "float8e4m3fn", 8, "float"),
    (18, "float8e4m3fnuz", 8, "float"),
    (19, "float8e5m2", 8, "float"),
    (20, "float8e5m2fnuz", 8, "float"),
    (21, "uint4", 4, "uint"),
    (22, "int4", 4, "int"),
    (23, "float4e2m1", 4, "float"),
    (24, "float8e8m0", 8, "float"),
    (25, "uint2", 2, "uint"),
    (26, "int2", 2, "int"),
    (27, "float6e2m3", 6, "float"),
    (28, "float6e3m2", 6, "float"),
)

DTYPES: dict[int, DType] = {code: DType(code, name, bits, kind) for code, name, bits, kind in _TABLE}
BY_NAME: dict[str, DType] = {dtype.name: dtype for dtype in DTYPES.values()}

# ml_dtypes' names where they are not ONNX's.
_ML_NAMES = {
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
    "float8e8m0": "float8_e8m0fnu",
    "float4e2m1": "float4_e2m1fn",
    "float6e2m3": "float6_e2m3fn",
    "float6e3m2": "float6_e3m2fn",
    "bfloat16": "bfloat16",
}


@cache
def storage(dtype: DType) -> np.dtype[Any]:
    """The numpy type of the stored (unpacked) elements, little-endian."""
    if dtype.name in _ML_NAMES:
        import ml_dtypes  # noqa: PLC0415 - only models with such types pay for it

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _ML_NAMES[dtype.name]))
        return found
    if dtype.bits < 8:
        return np.dtype(np.int8 if dtype.kind == "int" else np.uint8)
    return np.dtype(dtype.name).newbyteorder("<")


def decode(raw: bytes | memoryview | NDArray[np.uint8], dtype: DType, start: int, stop: int) -> NDArray[Any]:
    """Elements ``start`` to ``stop`` of a tensor whose stored bytes are ``raw``, as ordinary numbers.

    Floats narrower than 32 bits come as float32, 2- and 4-bit integers as int8 or uint8,
    everything else as it is stored.
    """
    stored = np.frombuffer(raw, np.uint8)
    if dtype.bits < 8:
        values = _unpack(stored, dtype, start, stop)
        if dtype.kind == "int":
            shift = 8 - dtype.bits
            return (values << shift).view(np.int8) >> shift
        if dtype.kind == "uint":
            return values
        return values.view(storage(dtype)).astype(np.float32)
    width = dtype.bits // 8
    typed = stored[start * width : stop * width].view(storage(dtype))
    if dtype.kind == "float" and dtype.bits < 32:
        return typed.astype(np.float32)
    return typed


def _unpack(stored: NDArray[np.uint8], dtype: DType, start: int, stop: int) -> NDArray[np.uint8]:
    """Sub-byte elements, first element in the lowest bits, one a byte."""
    if dtype.bits == 6:
        return _unpack_6bit(stored, start, stop)
    per_byte = 8 // dtype.bits
    first, last = start // per_byte, -(-stop // per_byte)
    shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(dtype.bits)
    spread = (stored[first:last, None] >> shifts) & np.uint8(2**dtype.bits - 1)
    return spread.reshape(-1)[start - first * per_byte : stop - first * per_byte]


def _unpack_6bit(stored: NDArray[np.uint8], start: int, stop: int) -> NDArray[np.uint8]:
    """Four elements lie in three bytes; the last three may be cut off."""
    first, last = start // 4, -(-stop // 4)
    groups = np.zeros((last - first, 3), np.uint8)
    used = stored[first * 3 : last * 3]
    groups.reshape(-1)[: used.size] = used
    words = groups.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
    spread = (words[:, None] >> np.arange(0, 24, 6, dtype=np.uint32)) & np.uint32(63)
    return spread.astype(np.uint8).reshape(-1)[start - first * 4 : stop - first * 4]
