"""Results of one analysis of a model: the report, the layers with their arrays, and numbers by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from nnea_graph.api.layer_analysis import LayerAnalysis, layer_analysis
from nnea_graph.engine import RunContext
from nnea_graph.engine.pipeline import build, parse
from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.pathways import PathwaysPass
from nnea_graph.render.page import Page
from nnea_graph.report.schema.analysis import Report
from nnea_graph.report.schema.pathways import Pathway
from nnea_graph.report.sections.pathways import pathways_of
from nnea_graph.report.units import percent

Numbers = Mapping[str, float | int | None]

_WIDTH = 80


class Analysis:
    """A graph with its facts, and what was reported of them; ``passes`` is the pipeline text."""

    def __init__(self, graph: ModelGraph, report: Report, passes: str | None) -> None:
        self.report = report
        self._graph = graph
        self._passes = passes

    @cached_property
    def layers(self) -> Sequence[LayerAnalysis]:
        """Layers in execution order."""
        page, side = Page(self.report, _WIDTH), self._options("importance").get("side", "input")
        return [
            layer_analysis(self._graph, self.report, layer, page.called(layer.id), side)
            for layer in self.report.layers
        ]

    @property
    def numbers(self) -> Numbers:
        """Numbers of the model; None is not known."""
        totals = self.report.totals
        return {
            "total_parameters": totals.parameters,
            "effective_parameters": totals.effective_parameters,
            "global_utilization": totals.global_utilization,
            "num_layers": len(self.report.layers),
            "avg_layer_redundancy": totals.avg_layer_redundancy,
            "redundancy_score": totals.redundancy_score,
            "global_sparsity_1e-2": (totals.global_sparsity or {}).get("1e-2"),
            "compression_potential": totals.compression_potential,
            "total_inference_flops": totals.flops,
            "total_training_flops": totals.training_flops,
        }

    @property
    def summary(self) -> str:
        """One line."""
        totals = self.report.totals
        return (
            f"{self.report.model.path}: {len(self.report.layers):,} layers, {_count(totals.parameters)} parameters,"
            f" utilization {_percent(totals.global_utilization)},"
            f" redundancy {_percent(totals.redundancy_score)} of {totals.statistics_of}"
        )

    def paths(self, count: int) -> Sequence[Pathway]:
        """The best paths; the report shows as many from now on. Nobody has validated those that are new.

        Raises:
            UsageError: the channels were not followed, as the pipeline left that out.
        """
        found = self.report.pathways
        if found is None or found.k != count:
            self._look_for_paths(count)
        return self.report.pathways.paths if self.report.pathways else ()

    def _look_for_paths(self, count: int) -> None:
        if self.report.channels is None:
            raise UsageError(
                "paths need the passes channels and pathways; analyze with them, or all: passes=None"
            )
        build(PathwaysPass, {**self._options("pathways"), "k": str(count)}).run(self._graph, RunContext())
        found = pathways_of(self._graph)
        self.report = replace(self.report, pathways=found and replace(found, validation=None))

    def _options(self, name: str) -> Mapping[str, str]:
        """The options of a pass in the pipeline text."""
        items = parse(self._passes) if self._passes is not None else []
        nothing: Mapping[str, str] = {}
        return next((item.options for item in items if item.name == name), nothing)


def _count(number: int | None) -> str:
    return "an unknown number of" if number is None else f"{number:,}"


def _percent(share: float | None) -> str:
    return "not known" if share is None else percent(share)
