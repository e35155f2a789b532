"""A smaller model from what is kept of each family: cut, and refitted where that is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnx import ModelProto

from nnea_graph.engine.data import Data
from nnea_graph.graph import ModelGraph
from nnea_graph.report.schema.verification import RefitLayer
from nnea_graph.rewrite.coupling.groups import Coupling
from nnea_graph.rewrite.coupling.index_space import Axis, Indices
from nnea_graph.rewrite.refit.options import RefitOptions
from nnea_graph.rewrite.refit.refit import Progress, refit
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned

Orders = Mapping[str, Sequence[int]]
"""By family, the places of its groups, the first to go in front."""


@dataclass(frozen=True, slots=True)
class PrunedModel:
    """``bare`` is the model as it was cut, ``model`` the same refitted; ``kept`` are the indices that stay."""

    bare: ModelProto
    model: ModelProto
    kept: Mapping[Axis, Indices]
    layers: tuple[RefitLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelBuilder:
    """Makes models of different sizes from one original; ``parts`` are the data of a refit, None for none."""

    graph: ModelGraph
    coupling: Coupling
    parts: tuple[Data, Data] | None
    options: RefitOptions
    progress: Progress | None = None

    def cut(self, orders: Orders, counts: Mapping[str, int]) -> PrunedModel:
        """Model without a refit."""
        kept = kept_slots(self.coupling, self._gone(orders, counts))
        bare = pruned(self.graph, kept)
        return PrunedModel(bare, bare, kept)

    def made(self, orders: Orders, counts: Mapping[str, int]) -> PrunedModel:
        """Model with one, if it is wanted.

        Raises:
            RunError: a model cannot be run.
            DataError: the data cannot be read.
        """
        cut = self.cut(orders, counts)
        if self.parts is None or not cut.kept:
            return cut
        found = refit(self.graph, cut.bare, cut.kept, self.parts, self.options, self.progress)
        return PrunedModel(cut.bare, found.model, cut.kept, found.layers)

    def _gone(self, orders: Orders, counts: Mapping[str, int]) -> list[int]:
        families = {family.name: family for family in self.coupling.families}
        return [
            families[name].groups[place]
            for name, kept in counts.items()
            for place in orders[name][: len(families[name].groups) - kept]
        ]
