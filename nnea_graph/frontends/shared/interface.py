"""Interface of a frontend, and what it hands on: an ONNX model with what the source says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.graph.model import Note
from nnea_graph.graph.source_facts import SourceFacts

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An example input that is still to be made up: ``dtype`` is a numpy name, "" where nobody says."""

    dims: tuple[int, ...]
    dtype: str = ""


Example = Any
"""One array, tensor or ``InputSpec``; a sequence of them in the order of the inputs; or a mapping by their names."""


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """An exported model.

    ``facts`` are what the live model said before; ``example`` is what it was exported with, by input of the graph;
    ``reference`` runs the source itself on such inputs and gives its outputs in the graph's order, None where
    it cannot be run; ``notes`` say what was out of the ordinary. ``again`` gives the same with the weights that the
    source has then; it gives None, or is None, where that takes a new export. ``steps`` are by output what the source
    rounds it to, 0 where it computes in floats; empty where it does so throughout.
    """

    proto: ModelProto
    facts: SourceFacts | None = None
    example: Arrays | None = None
    reference: Callable[[Arrays], Sequence[NDArray[Any]]] | None = None
    notes: tuple[Note, ...] = ()
    again: Callable[[], ConvertedModel | None] | None = None
    steps: tuple[float, ...] = ()


class Frontend(Protocol):
    """Takes models of one framework. Its module imports without the framework."""

    def takes(self, source: object) -> bool:
        """Tells whether a live model, or the path of a file or folder, is of its kind; imports no framework."""
        ...

    def input_names(self, source: Any) -> Mapping[str, bool]:
        """Names that an example may give its parts, in order, and whether there is no model without that part.

        Empty where no example is needed, or names are not known before the export.

        Raises:
            ModelError: the framework is not installed.
        """
        ...

    def convert(self, source: Any, example: Example | None) -> ConvertedModel:
        """Export a source with an example of its inputs.

        Raises:
            ModelError: one line with the exporter's own reason, or what to install.
            UsageError: an example is needed and not given, or does not fit.
        """
        ...


def derives_from(source: object, *classes: str) -> bool:
    """Tells whether the source is an instance of a class of that full name, looked up without importing it.

    >>> derives_from(1, "builtins.int")
    True
    """
    return any(f"{kind.__module__}.{kind.__qualname__}" in classes for kind in type(source).__mro__)
