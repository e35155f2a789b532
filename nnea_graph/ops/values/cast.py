"""Cast and CastLike: what the numbers are in another element type."""

from __future__ import annotations

import numpy as np

from nnea_graph.graph import DTYPES, DType
from nnea_graph.graph.dtypes import BY_NAME, storage
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.value_guards import Array, narrowed, text, value

# The types that the attribute "saturate" speaks of; float4 has no infinity, so it always saturates.
FLOAT8_MAX = {"float8e4m3fn": 448, "float8e4m3fnuz": 240, "float8e5m2": 57344, "float8e5m2fnuz": 57344}


@value("Cast")
def cast(call: OpCall) -> list[Array]:
    """Casts to the type ``to``."""
    return [_cast_to(call, dtype_of(call.attr("to")))]


@value("CastLike")
def cast_like(call: OpCall) -> list[Array]:
    """Casts to the type of the second input."""
    dtype = call.dtype(1)
    if dtype is None:
        raise UnknownFactError("the type of input 1 of CastLike is not known")
    return [_cast_to(call, dtype)]


def dtype_of(code: object) -> DType:
    """The element type that ONNX numbers so; opset 1 gives its name instead."""
    named = {dtype.name.upper().replace("FLOAT32", "FLOAT"): dtype for dtype in DTYPES.values()}
    if isinstance(code, bytes | str):
        found = named.get((code.decode("utf-8", "replace") if isinstance(code, bytes) else code).upper())
    else:
        found = DTYPES.get(code) if isinstance(code, int) else None
    if found is None:
        raise BadCallError(f"{code!r} is not the number of an element type")
    return found


def _cast_to(call: OpCall, dtype: DType) -> Array:
    saturate = bool(call.attr("saturate", 1))
    if dtype.name == "float8e8m0":
        return _to_exponent(call.value(0), saturate=saturate, mode=text(call, "round_mode", "up"))
    return converted(call.value(0), dtype, saturate=saturate)


def converted(values: Array, dtype: DType, *, saturate: bool = True) -> Array:
    """Numbers as an element type would hold them, given the way ``dtypes.decode`` gives them."""
    if dtype.kind == "string":
        raise UnknownFactError("how a runtime writes numbers as text is not defined")
    if values.dtype.kind in "OSU":
        values = np.asarray([float(_word(item)) for item in values.reshape(-1)]).reshape(values.shape)
    if dtype.kind == "bool":
        return values.astype(np.bool_)
    if dtype.kind in ("int", "uint"):
        return _to_integer(values, dtype)
    if dtype.kind == "complex" or dtype.bits >= 32:
        return values.astype(storage(dtype), copy=False)
    return _to_small_float(values, dtype, saturate=saturate)


def _word(item: object) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def integer_range(dtype: DType) -> tuple[int, int]:
    """Smallest and largest number of an integer type."""
    if dtype.kind == "uint":
        return 0, 2**dtype.bits - 1
    return -(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1) - 1


def _to_integer(values: Array, dtype: DType) -> Array:
    """Floats truncate, and must be in range; integers keep their low bits.

    Floats to 2 and 4 bits keep the low bits too: undefined by the text of ONNX, defined by its node cases.
    """
    if values.dtype.kind == "f":
        values = _truncated(values, dtype if dtype.bits >= 8 else BY_NAME["int32"])
    wide = values.astype(storage(dtype))
    if dtype.bits >= 8:
        return wide
    shift = 8 - dtype.bits
    return np.asarray((wide << shift) >> shift)


def _truncated(values: Array, dtype: DType) -> Array:
    low, high = integer_range(dtype)
    whole = np.trunc(values)
    # In floats 2^63 - 1 is 2^63, which no longer fits: hence "< high + 1".
    if not ((whole >= low) & (whole < high + 1)).all():
        raise UnknownFactError(f"a constant is outside the range of {dtype}, and the result is not defined")
    return whole.astype(np.int64 if dtype.kind == "int" else np.uint64)


def _to_small_float(values: Array, dtype: DType, *, saturate: bool) -> Array:
    numbers = values if values.dtype.kind == "f" else values.astype(np.float64)
    limit = FLOAT8_MAX.get(dtype.name)
    if limit is not None and saturate:
        numbers = np.clip(numbers, -limit, limit)  # NaN stays NaN
    return narrowed(numbers, dtype)


def _to_exponent(values: Array, *, saturate: bool, mode: str) -> Array:
    """Rounds to float8e8m0, the powers of two from 2^-127 to 2^127."""
    x = values.astype(np.float64)
    if (x < 0).any():
        raise UnknownFactError("negative numbers have no defined float8e8m0 value")
    mantissa, exponent = np.frexp(x)
    thresholds = {"up": mantissa > 0.5, "nearest": mantissa >= 0.75, "down": np.zeros(x.shape, np.bool_)}
    if mode not in thresholds:
        raise BadCallError(f"Cast has no round_mode {mode!r}")
    power = exponent - 1.0 + thresholds[mode]
    power = np.where(x == 0, -np.inf, np.where(np.isposinf(x), np.inf, power))
    if saturate:
        power = np.clip(power, -127, 127)
    outside = np.isnan(x) | (np.abs(power) > 127)
    return np.asarray(np.where(outside, np.nan, np.exp2(power)), np.float32)
