"""Guards of the cost rules: what contradicts an operator's definition ends in one BadCallError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from nnea_graph.ops.call import BadCallError, OpCall

LONGEST = 1 << 40
"""No stride, dilation, padding or head count of a real model is larger."""


def need(holds: object, message: str) -> None:
    """Refuse the call with the message unless the condition holds."""
    if not holds:
        raise BadCallError(message)


def whole(call: OpCall, name: str, default: int | None = None, *, least: int = 0) -> int:
    """An integer attribute of at least ``least``."""
    found = call.attr(name, default)
    need(found is not None, f"attribute {name} is missing")
    return _bounded(found, name, least)


def wholes(call: OpCall, name: str, default: Sequence[int], *, least: int = 0) -> tuple[int, ...]:
    """An attribute of as many integers as the default has, each at least ``least``."""
    found = call.attr(name)
    if found is None or (isinstance(found, (list, tuple)) and not found):
        return tuple(default)
    need(isinstance(found, (list, tuple)), f"attribute {name} is {found!r:.60}, not a list of integers")
    need(len(found) == len(default), f"attribute {name} has {len(found)} entries, {len(default)} are needed")
    return tuple(_bounded(item, name, least) for item in found)


def word(call: OpCall, name: str, default: str) -> str:
    """A text attribute."""
    found = call.attr(name, default)
    if not isinstance(found, str):
        raise BadCallError(f"attribute {name} is {found!r:.60}, not a text")
    return found


def number(call: OpCall, name: str, default: float) -> float:
    """A float attribute."""
    found = call.attr(name, default)
    need(isinstance(found, (int, float)), f"attribute {name} is {found!r:.60}, not a number")
    return float(found)


def numbers(call: OpCall, name: str) -> Sequence[Any]:
    """A list attribute of any length; empty where it is left out."""
    found = call.attr(name, ())
    if not isinstance(found, (list, tuple)):
        raise BadCallError(f"attribute {name} is {found!r:.60}, not a list")
    return found


def shaped(call: OpCall, index: int, least: int, most: int | None = None) -> tuple[int, ...]:
    """Shape of an input whose rank lies within bounds; ``most`` is ``least`` where not given."""
    shape = call.shape(index)
    upper = least if most is None else most
    need(least <= len(shape) <= upper, f"input {index} has rank {len(shape)}, not {_span(least, upper)}")
    return shape


def made(call: OpCall, index: int, least: int, most: int | None = None) -> tuple[int, ...]:
    """Shape of an output whose rank lies within bounds."""
    shape = call.out(index)
    upper = least if most is None else most
    need(least <= len(shape) <= upper, f"output {index} has rank {len(shape)}, not {_span(least, upper)}")
    return shape


def counts(value: NDArray[Any], what: str) -> list[int]:
    """The elements of a known value, which must be integers of 0 or more."""
    need(value.dtype.kind in "iub", f"{what} is of type {value.dtype}, not an integer")
    listed = [int(item) for item in value.reshape(-1)]
    need(all(item >= 0 for item in listed), f"{what} is negative")
    return listed


def single(value: NDArray[Any], what: str) -> int:
    """The one element of a known value, which must be an integer of 0 or more."""
    need(value.size == 1, f"{what} has {value.size} elements, not 1")
    return counts(value, what)[0]


def parts(total: int, count: int, what: str) -> int:
    """Size of each of so many equal parts."""
    need(count > 0 and total % count == 0, f"{total} {what} do not divide into {count}")
    return total // count


def same(one: object, other: object, what: str) -> None:
    """Refuse two sizes that must agree and do not."""
    need(one == other, f"{what}: {one} is not {other}")


def known(call: OpCall, index: int) -> NDArray[Any] | None:
    """The value of an input where it is known."""
    return call.values[index] if call.has(index) and index < len(call.values) else None


def _bounded(found: Any, name: str, least: int) -> int:
    need(isinstance(found, int), f"attribute {name} is {found!r:.60}, not an integer")
    need(least <= found <= LONGEST, f"attribute {name} is {found}, outside {least} … 2^40")
    return int(found)


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
