"""Guards of what every value rule promises: bounded memory, silence, and errors in two classes only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import DType
from nnea_graph.graph.dtypes import storage
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.value_rules import VALUE_RULES, ValueRule

Array = NDArray[Any]
Result = TypeVar("Result")

ELEMENT_LIMIT = 1 << 26
"""Elements of a result, unless an input has more already: 256 MiB of float32."""

RANK_LIMIT = 64
"""Dimensions that numpy arrays can have."""


def value(*op_types: str, domain: str = "") -> Callable[[Callable[[OpCall], Sequence[Any]]], ValueRule]:
    """Register a value rule behind ``guard``."""

    def claim(rule: Callable[[OpCall], Sequence[Any]]) -> ValueRule:
        @guard
        @wraps(rule)
        def guarded(call: OpCall) -> list[Array]:
            return [np.asarray(result) for result in rule(call)]

        VALUE_RULES.add(guarded, *op_types, domain=domain)
        return guarded

    return claim


def guard(rule: Callable[[OpCall], Result]) -> Callable[[OpCall], Result]:
    """The rule, with refusals of Python and numpy turned into ``BadCallError`` and warnings silenced."""

    @wraps(rule)
    def guarded(call: OpCall) -> Result:
        try:
            with np.errstate(all="ignore"):
                return rule(call)
        except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise BadCallError(f"{call.op_type} makes no sense as it is called: {reason}") from error
        except MemoryError as error:
            raise UnknownFactError(f"the result of {call.op_type} does not fit in memory") from error

    return guarded


def fitting(call: OpCall, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a result, as Python integers, if it may be allocated."""
    dims = tuple(int(dim) for dim in shape)
    if any(dim < 0 for dim in dims):
        raise BadCallError(f"{call.op_type} would give the negative shape {list(dims)}")
    if len(dims) > RANK_LIMIT:
        raise BadCallError(
            f"{call.op_type} would give {len(dims)} dimensions, over the limit of {RANK_LIMIT}"
        )
    largest = max((known.size for known in call.values if known is not None), default=0)
    if prod(dims) > max(ELEMENT_LIMIT, largest):
        raise UnknownFactError(
            f"the constant result of {call.op_type} has {prod(dims)} elements, limit {ELEMENT_LIMIT}"
        )
    return dims


def broadcast(call: OpCall, *arrays: Array) -> tuple[int, ...]:
    """The common shape of operands, if it may be allocated."""
    return fitting(call, np.broadcast_shapes(*(array.shape for array in arrays)))


def axis_of(axis: Any, rank: int) -> int:
    """An axis counted from the front."""
    if not -rank <= int(axis) < rank:
        raise BadCallError(f"axis {axis} is outside a tensor of {rank} dimensions")
    return int(axis) % rank


def whole(call: OpCall, index: int) -> list[int]:
    """The known integers of an input."""
    return [int(number) for number in call.value(index).reshape(-1)]


def scalar(call: OpCall, index: int) -> Any:
    """The one element of an input, as a Python number."""
    found = call.value(index)
    if found.size != 1:
        raise BadCallError(f"input {index} of {call.op_type} has {found.size} elements, not 1")
    return found.reshape(-1)[0].item()


def text(call: OpCall, name: str, default: str) -> str:
    """A string attribute, which comes as text or as bytes."""
    found = call.attr(name, default)
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def narrowed(values: Array, dtype: DType | None) -> Array:
    """Numbers as an element type keeps them: floats below 32 bits are rounded to it, and given as float32."""
    if values.dtype.kind != "f" or dtype is None or dtype.kind != "float" or dtype.bits >= 32:
        return values
    return values.astype(storage(dtype)).astype(np.float32)
