"""View that a rule has of an operator: types, shapes, attributes and the small values that are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from numpy.typing import NDArray

from nnea_graph.graph import DType, TensorInfo


class UnknownFactError(Exception):
    """A rule needs a fact that is not known; the message is the reason that the report gives.

    Not one of the program's errors: the passes turn it into "unknown, because …".
    """


class BadCallError(Exception):
    """Attributes or shapes contradict the operator's definition; the passes add which node it is."""


_KINDS: Mapping[type, tuple[type | tuple[type, ...], str]] = {
    int: (int, "an integer"),
    bool: (int, "an integer"),
    float: ((int, float), "a number"),
    str: (str, "a text"),
    list: ((list, tuple), "a list"),
    tuple: ((list, tuple), "a list"),
}
"""What an attribute may be, by the type of its default, and in words."""


@dataclass(frozen=True, slots=True)
class OpCall:
    """One operator as it is called. An optional input or output that is left out is None."""

    op_type: str
    inputs: tuple[TensorInfo | None, ...]
    outputs: tuple[TensorInfo | None, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[NDArray[Any] | None, ...] = ()
    domain: str = ""
    opset: int = 0

    def has(self, index: int) -> bool:
        """Tells whether the optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape of an input, all dims numbers."""
        return _static(self.inputs, index, "input")

    def out(self, index: int = 0) -> tuple[int, ...]:
        """Shape of an output, all dims numbers."""
        return _static(self.outputs, index, "output")

    def size(self, index: int) -> int:
        """Elements of an input."""
        return prod(self.shape(index))

    def out_size(self, index: int = 0) -> int:
        """Elements of an output."""
        return prod(self.out(index))

    def dtype(self, index: int) -> DType | None:
        """Element type of an input, where known."""
        info = self.inputs[index] if index < len(self.inputs) else None
        return info.dtype if info else None

    def value(self, index: int) -> NDArray[Any]:
        """The known value of a small input."""
        found = self.values[index] if index < len(self.values) else None
        if found is None:
            raise UnknownFactError(f"the value of input {index} is not known before the model runs")
        return found

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default.

        Raises:
            BadCallError: it is not of the kind of its default: operators that onnx does not define are not checked.
        """
        found = self.attributes.get(name, default)
        if isinstance(default, str) and isinstance(found, bytes):
            found = found.decode("utf-8", "replace")
        kind, words = _KINDS.get(type(default), (object, ""))
        if not isinstance(found, kind):
            raise BadCallError(f"attribute {name} is {found!r:.60}, not {words}")
        return found


def _static(infos: tuple[TensorInfo | None, ...], index: int, side: str) -> tuple[int, ...]:
    info = infos[index] if index < len(infos) else None
    if info is None:
        raise UnknownFactError(f"{side} {index} is not there")
    if info.static is None:
        raise UnknownFactError(f"the shape of {side} {index} is not known before the model runs")
    if any(dim < 0 for dim in info.static):
        raise UnknownFactError(f"{side} {index} is declared with a negative dim: {list(info.static)}")
    return info.static
