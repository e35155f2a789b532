"""The contract of a pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from nnea_graph.engine.context import RunContext
from nnea_graph.engine.section import FactSection
from nnea_graph.graph import Key, ModelGraph


@dataclass(frozen=True)
class Pass(ABC):
    """Annotates a graph with facts. The fields of a pass are its options and nothing else, typed and with defaults.

    ``requires`` are the facts that it reads, ``provides`` those that it writes, ``uses`` those that it reads
    where there are any. A pass in ``default`` runs when the user names no pipeline: it is cheap. One with
    ``runs_model`` needs a runtime.
    """

    name: ClassVar[str]
    requires: ClassVar[tuple[Key[Any], ...]] = ()
    uses: ClassVar[tuple[Key[Any], ...]] = ()
    provides: ClassVar[tuple[Key[Any], ...]] = ()
    default: ClassVar[bool] = True
    runs_model: ClassVar[bool] = False

    @abstractmethod
    def run(self, graph: ModelGraph, context: RunContext, /) -> None:
        """Write the facts."""

    def describe(self, graph: ModelGraph) -> FactSection | None:
        """The facts as a table for the report, after ``run``; None where the report has a place for them already."""
        del graph
        return None
