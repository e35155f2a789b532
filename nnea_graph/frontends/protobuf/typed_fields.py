"""The values of tensors that are stored as numbers in protobuf fields rather than as raw bytes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from nnea_graph.errors import ModelError
from nnea_graph.frontends.protobuf.strings import shown
from nnea_graph.graph import DType
from nnea_graph.graph.dtypes import decode, storage

# Which field holds which element type, and as which numbers; all others are in int32_data.
_HOMES: dict[str, tuple[str, np.dtype[Any]]] = {
    "float32": ("float_data", np.dtype(np.float32)),
    "complex64": ("float_data", np.dtype(np.float32)),
    "float64": ("double_data", np.dtype(np.float64)),
    "complex128": ("double_data", np.dtype(np.float64)),
    "int64": ("int64_data", np.dtype(np.int64)),
    "uint32": ("uint64_data", np.dtype(np.uint64)),
    "uint64": ("uint64_data", np.dtype(np.uint64)),
    "string": ("string_data", np.dtype(object)),
}
_INT32: tuple[str, np.dtype[Any]] = ("int32_data", np.dtype(np.int32))
_FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def home_of(dtype: DType) -> str:
    """The field of TensorProto that holds elements of that type."""
    return _HOMES.get(dtype.name, _INT32)[0]


def filled_fields(tensor: TensorProto) -> list[str]:
    """The typed fields of a tensor that hold anything."""
    return [field for field in _FIELDS if getattr(tensor, field)]


def typed_values(tensor: TensorProto, dtype: DType, size: int, name: str) -> NDArray[Any]:
    """All elements, flat, as ``dtypes.decode`` would give them; strings as ``str`` in an object array.

    Raises:
        ModelError: there are more or fewer than ``size``, or one does not fit its type.
    """
    field, number = _HOMES.get(dtype.name, _INT32)
    stored = getattr(tensor, field)
    needed = _entries(dtype, size)
    if len(stored) != needed:
        raise ModelError(
            f"tensor {shown(name)} has {len(stored):,} entries of {field}; "
            f"its type {dtype} and dims take {needed:,}"
        )
    if dtype.kind == "string":
        return _strings(stored)
    values = np.fromiter(stored, number, needed)
    if field in {"int32_data", "uint64_data"}:
        return _converted(values, dtype, size, name)
    return values.view(storage(dtype))


def _strings(stored: Collection[bytes]) -> NDArray[Any]:
    """Strings that are not UTF-8 come with the replacement character: they are values, not names."""
    values = np.empty(len(stored), object)
    values[:] = [value.decode("utf-8", "replace") for value in stored]
    return values


def _entries(dtype: DType, size: int) -> int:
    """Numbers in the field: two a complex element, one a byte of packed 2- or 4-bit elements."""
    if dtype.kind == "complex":
        return 2 * size
    return dtype.nbytes(size) if dtype.bits in {2, 4} else size


def _converted(values: NDArray[Any], dtype: DType, size: int, name: str) -> NDArray[Any]:
    """Numbers stored in a wider integer as what their bit patterns mean."""
    if dtype.kind == "bool":
        truth: NDArray[Any] = np.not_equal(values, 0)
        return truth
    bits = 6 if dtype.bits == 6 else max(dtype.bits, 8)
    _check_width(values, bits, signed=dtype.bits != 6, name=name, dtype=dtype)
    patterns = values.astype(f"<u{max(bits, 8) // 8}")
    if dtype.bits != 6:
        return decode(patterns.view(np.uint8), dtype, 0, size)
    narrow: NDArray[Any] = patterns.view(storage(dtype))
    return narrow.astype(np.float32)


def _check_width(values: NDArray[Any], bits: int, *, signed: bool, name: str, dtype: DType) -> None:
    """Bit patterns may be written as signed or as unsigned numbers; real exporters do both."""
    if not values.size:
        return
    low, high = int(values.min()), int(values.max())
    if low < (-(1 << bits - 1) if signed else 0) or high >= 1 << bits:
        raise ModelError(f"tensor {shown(name)} holds {low} to {high}, which does not fit its type {dtype}")
