"""Arithmetic on dims that may be numbers, symbols or not known, and the results that rules give."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nnea_graph.graph import Dim, DType, TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.shape_rules import SHAPE_RULES, ShapeRule
from nnea_graph.ops.value_guards import axis_of, guard

Shape = tuple[Dim, ...]

UNKNOWN = TensorInfo(None, None)
FLOAT, INT32, INT64, BOOL = (BY_NAME[name] for name in ("float32", "int32", "int64", "bool"))


def shape(*op_types: str, domain: str = "") -> Callable[[ShapeRule], ShapeRule]:
    """Register a shape rule behind ``guard``: attributes of the wrong kind are an error of the call."""

    def claim(rule: ShapeRule) -> ShapeRule:
        SHAPE_RULES.add(guard(rule), *op_types, domain=domain)
        return rule

    return claim


def dims(call: OpCall, index: int, *ranks: int) -> Shape | None:
    """Shape of an input, None where unknown or absent; any other rank than those is an error."""
    info = call.inputs[index] if index < len(call.inputs) else None
    if info is None or info.shape is None:
        return None
    if ranks and len(info.shape) not in ranks:
        raise BadCallError(f"input {index} of {call.op_type} has {len(info.shape)} dimensions")
    return info.shape


def known(call: OpCall, index: int) -> list[int] | None:
    """The integers of an input, None where they are not known."""
    found = call.values[index] if index < len(call.values) else None
    return None if found is None else [int(number) for number in found.reshape(-1)]


def results(call: OpCall, *infos: TensorInfo) -> list[TensorInfo]:
    """Gives as many of the outputs as the operator has; more than the rule knows are unknown."""
    count = len(call.outputs) or len(infos)
    return [*infos[:count], *([UNKNOWN] * (count - len(infos)))]


def info(dtype: DType | None, shape: Sequence[Dim] | None) -> TensorInfo:
    """A result; no dim of it may be negative."""
    if shape is not None and any(isinstance(dim, int) and dim < 0 for dim in shape):
        raise BadCallError(f"the output would have the negative shape {list(shape)}")
    return TensorInfo(dtype, None if shape is None else tuple(shape))


def like(*op_types: str, source: int = 0, domain: str = "") -> None:
    """Declare operators whose first output has type and shape of one input."""

    def rule(call: OpCall) -> list[TensorInfo]:
        return results(call, info(call.dtype(source), dims(call, source)))

    shape(*op_types, domain=domain)(rule)


def attribute(call: OpCall, name: str, default: int = 0) -> int:
    """An integer attribute."""
    found = call.attr(name, default)
    if not isinstance(found, int):
        raise BadCallError(f"{name} of {call.op_type} is {found!r}, not a number")
    return found


def plus(a: Dim, b: Dim) -> Dim:
    """Sum; adding 0 keeps a symbol."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    return b if a == 0 else a if b == 0 else None


def times(a: Dim, b: Dim) -> Dim:
    """Product; 0 makes 0, and 1 keeps a symbol."""
    if 0 in (a, b):
        return 0
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return b if a == 1 else a if b == 1 else None


def divided(a: Dim, b: int) -> Dim:
    """Quotient, which must come out even."""
    if b < 1:
        raise BadCallError(f"a dim is divided by {b}")
    if not isinstance(a, int):
        return a if b == 1 else None
    if a % b:
        raise BadCallError(f"a dim of {a} cannot be divided by {b}")
    return a // b


def product(shape: Sequence[Dim]) -> Dim:
    """Elements."""
    total: Dim = 1
    for dim in shape:
        total = times(total, dim)
    return total


def _joined(a: Dim, b: Dim) -> Dim:
    if a == 1:
        return b
    if b in (1, a):
        return a
    if isinstance(a, int) and isinstance(b, int):
        raise BadCallError(f"dims {a} and {b} cannot be broadcast together")
    # A number other than 1 wins over a symbol: the symbol can only be that number or 1.
    return a if isinstance(a, int) else b if isinstance(b, int) else None


def broadcast(*shapes: Shape | None) -> Shape | None:
    """The common shape, None where a rank is not known."""
    joined: Shape = ()
    for shape in shapes:
        if shape is None:
            return None
        rank = max(len(joined), len(shape))
        left, right = ((1,) * (rank - len(some)) + some for some in (joined, shape))
        joined = tuple(_joined(a, b) for a, b in zip(left, right, strict=True))
    return joined


def replaced(shape: Shape | None, axis: int, dim: Dim) -> Shape | None:
    """The shape with another dim on one axis."""
    if shape is None:
        return None
    at = axis_of(axis, len(shape))
    return (*shape[:at], dim, *shape[at + 1 :])
