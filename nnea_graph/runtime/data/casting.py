"""Data in the model's types, refused where a cast would change what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import DataError
from nnea_graph.graph import DType
from nnea_graph.graph.dtypes import storage

_KINDS = {"f": "float", "i": "int", "u": "uint", "b": "bool", "c": "complex", "U": "string", "S": "string"}
_PAIRS = {
    ("float", "float"),
    ("float", "int"),
    ("float", "uint"),
    ("float", "bool"),
    ("int", "int"),
    ("int", "uint"),
    ("int", "bool"),
    ("uint", "int"),
    ("uint", "uint"),
    ("uint", "bool"),
    ("bool", "bool"),
    ("bool", "int"),
    ("bool", "uint"),
    ("complex", "complex"),
    ("complex", "float"),
    ("string", "string"),
}
"""(model's, data's) kinds that may go together; the values decide whether they do."""

_EXACT_INTEGERS = {2: 1 << 11, 4: 1 << 24}
"""Above these, floats of so many bytes no longer hold every integer."""


def check_kind(wanted: DType, given: np.dtype[Any], place: str) -> None:
    """Refuse data of a type that cannot be meant; ``place`` says which input is given which array.

    Raises:
        DataError: one line with both types and what to do.
    """
    if _same_bits(wanted, given):
        return
    if (wanted.kind, kind_of(given)) not in _PAIRS:
        raise DataError(f"{place}: it wants {wanted} and is given {given}{_remedy(wanted, given)}")
    if wanted.kind == "float" and given == np.uint8:
        raise DataError(
            f"{place}: it wants {wanted} and is given uint8, whose scale nobody says; add "
            "--preprocess scale=255 (or a preset such as imagenet; scale=1 takes the numbers as they are)"
        )


def kind_of(given: np.dtype[Any]) -> str:
    """The kind of number, as ``DType.kind``; "" for what is none."""
    if given.kind == "V" and given.names is None and given.type is not np.void:
        return "int" if given.name.startswith(("int", "uint")) else "float"  # ml_dtypes
    return _KINDS.get(given.kind, "")


def _remedy(wanted: DType, given: np.dtype[Any]) -> str:
    if wanted.kind in {"int", "uint"} and given.kind == "f":
        return f"; whole numbers must be saved as such: array.astype('{wanted}')"
    return f"; save it as {wanted}"


def _same_bits(wanted: DType, given: np.dtype[Any]) -> bool:
    """Numpy files know no bfloat16: they say 'raw bytes', two an element."""
    raw = given.type is np.void and given.names is None and given.itemsize * 8 == wanted.bits
    return raw and storage(wanted).kind == "V"


def cast(values: NDArray[Any], wanted: DType, place: str) -> NDArray[Any]:
    """The values in the model's type.

    Raises:
        DataError: NaN or infinity, or a number that the type cannot hold.
    """
    if _same_bits(wanted, values.dtype):
        values = values.view(storage(wanted))
    if wanted.kind == "string":
        return _strings(values)
    if wanted.kind in {"float", "complex"}:
        return _floats(values, wanted, place)
    if wanted.kind == "bool":
        return _bools(values, place)
    return _integers(values, wanted, place)


def _strings(values: NDArray[Any]) -> NDArray[Any]:
    decoded = np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values
    result: NDArray[Any] = decoded.astype(object)
    return result


def _floats(values: NDArray[Any], wanted: DType, place: str) -> NDArray[Any]:
    target = storage(wanted)
    if values.dtype.kind in "iu":
        _check_exact(values, wanted, target, place)
    elif values.dtype.kind != "b":
        _check_finite(values, place, "")
    if values.dtype == target:
        return _contiguous(values)
    with np.errstate(over="ignore"):
        result = values.astype(target)
    _check_finite(result, place, f", as it is too large for {wanted}")
    return result


def _check_exact(values: NDArray[Any], wanted: DType, target: np.dtype[Any], place: str) -> None:
    most = _EXACT_INTEGERS.get(target.itemsize) if wanted.name in {"float16", "float32"} else None
    if most is None or not values.size:
        return
    found = _first(values, (values > most) | (values < -most) if values.dtype.kind == "i" else values > most)
    if found:
        raise DataError(f"{place}: {found[0]} at {found[1]} is no exact {wanted}; save the data as {wanted}")


def _check_finite(values: NDArray[Any], place: str, why: str) -> None:
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(values) if values.dtype.kind in "fc" else np.isfinite(values.astype(np.float32))
    if finite.all():
        return
    found = _first(values, ~finite)
    count = int(finite.size - np.count_nonzero(finite))
    shown, where = found or ("", "")
    raise DataError(
        f"{place}: {count:,} values are NaN or infinite (first {shown} at {where}){why}; clean the data"
    )


def _bools(values: NDArray[Any], place: str) -> NDArray[Any]:
    if values.dtype.kind != "b":
        found = _first(values, (values != 0) & (values != 1))
        if found:
            raise DataError(f"{place}: it wants true or false (1 or 0) and is given {found[0]} at {found[1]}")
    return _contiguous(values.astype(np.bool_, copy=False))


def _integers(values: NDArray[Any], wanted: DType, place: str) -> NDArray[Any]:
    if values.dtype.kind in "iu" and values.size:
        low, high = _range(wanted)
        smallest, largest = int(values.min()), int(values.max())
        if smallest < low or largest > high:
            raise DataError(
                f"{place}: it wants {wanted} ({low} to {high}) and is given {smallest} to {largest}"
            )
    return _contiguous(values.astype(storage(wanted), copy=False))


def _range(wanted: DType) -> tuple[int, int]:
    if wanted.kind == "int":
        return -(1 << wanted.bits - 1), (1 << wanted.bits - 1) - 1
    return 0, (1 << wanted.bits) - 1


def _first(values: NDArray[Any], wrong: NDArray[Any]) -> tuple[Any, list[int]] | None:
    """The first wrong value and where it is in its batch."""
    if not wrong.any():
        return None
    place = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return values[place], [int(index) for index in place]


def _contiguous(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values, order="C")  # np.ascontiguousarray would give a scalar an axis


def whole_labels(values: NDArray[Any], place: str) -> NDArray[np.int64]:
    """Class numbers, one a sample; a row of zeros and one 1 stands for the place of the 1.

    Raises:
        DataError: they are not whole numbers, or not one a sample.
    """
    flat = values
    if values.ndim == 2 and values.dtype.kind in "iufb":
        flat = values.reshape(-1) if values.shape[1] == 1 else _places_of_ones(values)
    if flat.ndim != 1 or flat.dtype.kind not in "iufb":
        raise DataError(
            f"{place} hold {values.dtype}{list(values.shape)}; wanted is a class number a sample, or one 1 among zeros"
        )
    if flat.dtype.kind == "f":
        found = _first(flat, ~(np.abs(flat) < 1 << 53) | (np.floor(flat) != flat))
        if found:
            raise DataError(f"{place} hold {found[0]}; wanted is one whole class number a sample")
    result: NDArray[np.int64] = flat.astype(np.int64)
    return result


def _places_of_ones(rows: NDArray[Any]) -> NDArray[Any]:
    """The column of the 1 of each row, the rows themselves where they are not all zeros but for one 1."""
    alone = ((rows == 1).sum(axis=1) == 1) & ((rows != 0).sum(axis=1) == 1)
    return rows.argmax(axis=1) if alone.all() else rows
