"""tf2onnx without the chance in it: it goes through sets of names, whose order is another one in every process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from nnea_graph.frontends.tf2onnx.imports import imported


class OrderedSet(set[Any]):
    """A set whose elements come in the order in which they were added; what ``|``, ``&`` and ``-`` give are plain sets.

    >>> list(OrderedSet(["b", "c", "a"]))
    ['b', 'c', 'a']
    """

    def __init__(self, elements: Iterable[Any] = ()) -> None:
        super().__init__()
        self._order: dict[Any, None] = {}
        self.update(elements)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._order)

    def add(self, element: Any) -> None:
        """See ``set``."""
        super().add(element)
        self._order[element] = None

    def update(self, *others: Iterable[Any]) -> None:
        """See ``set``."""
        for element in (each for other in others for each in other):
            self.add(element)

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]
        self.update(other)
        return self

    def discard(self, element: Any) -> None:
        """See ``set``."""
        super().discard(element)
        self._order.pop(element, None)

    def remove(self, element: Any) -> None:
        """See ``set``."""
        super().remove(element)
        del self._order[element]

    def pop(self) -> Any:
        """The first one."""
        first = next(iter(self._order))
        self.remove(first)
        return first


@contextmanager
def in_order() -> Iterator[None]:
    """The sets that tf2onnx makes in its graphs meanwhile keep their order."""
    graph: Any = imported("tf2onnx.graph", "a TensorFlow model")
    graph.set = OrderedSet
    try:
        yield
    finally:
        del graph.set
