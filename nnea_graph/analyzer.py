"""The analyzer in three lines of Python: a model, sample data, and what there is to know of them by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nnea_graph.api import data_options, report_on
from nnea_graph.engine.pipeline import build, parse
from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph
from nnea_graph.inference.dims import is_batch, symbolic_inputs, symbols_of
from nnea_graph.layer_analysis import LayerAnalysis, layer_analysis
from nnea_graph.notebook import show_plots
from nnea_graph.passes.pathways import PathwaysPass
from nnea_graph.render.page import Page
from nnea_graph.render.plots import Visualizer
from nnea_graph.report.pathways import pathways_of
from nnea_graph.report.schema import Report
from nnea_graph.report.schema_paths import Path
from nnea_graph.report.units import percent
from nnea_graph.runtime.live import LiveModel

if TYPE_CHECKING:
    from nnea_graph.runtime.data import Spec

_WIDTH = 80


class NNEfficiencyAnalyzer:
    """Analyzes one model, as often as its weights change.

    ``framework`` is ``pytorch``, ``tensorflow`` or ``onnx``. What is read before ``analyze`` has run is a UsageError.
    """

    def __init__(self, model: object, framework: str = "auto") -> None:
        self._model = LiveModel(model, framework)
        self.framework = self._model.framework
        self._found: _Found | None = None

    def analyze(  # noqa: PLR0913 - the original's three, and what they leave open
        self,
        sample_data: Spec | None = None,
        compute_activations: bool = True,  # noqa: FBT001, FBT002 - the original's signature
        verbose: bool = True,  # noqa: FBT001, FBT002
        *,
        batch: int = 1,
        passes: str | None = None,
        samples: int | None = None,
    ) -> Report:
        """Analyze the model as it is now.

        Args:
            sample_data: arrays, tensors, tf.data, a DataLoader, a path; None is seeded random inputs, which tell
                nothing of importance.
            compute_activations: False keeps the model from being run: statistics are of |w| alone.
            verbose: print one line about what was found.
            batch: samples that costs are counted for.
            passes: pipeline text, e.g. ``"+sensitivity"``.
            samples: use the first so many only.

        Raises:
            NneaError: one line that says what is wrong and what to do.
        """
        graph = self._model.graph(sample_data)
        options: dict[str, Any] = {"dims": _batch_dims(graph, batch), "input_shapes": {}}
        if sample_data is not None:
            options |= data_options(graph, sample_data, options, samples=samples)
        report, _ = report_on(graph, passes, options, may_run=compute_activations)
        self._found = _Found(graph, report, passes)
        if verbose:
            _say(self._found.summary)
        return report

    @property
    def report(self) -> Report:
        """Everything that is known."""
        return self._now.report

    @property
    def layer_analyses(self) -> Sequence[LayerAnalysis]:
        """The layers in execution order."""
        return self._now.layers

    @property
    def global_metrics(self) -> Mapping[str, float | int | None]:
        """Numbers of the model by name; None is not known. Costs are of one run with ``batch`` samples."""
        return _global_metrics(self._now.report)

    def get_summary(self) -> dict[str, Any]:
        """Global metrics, layers and findings as plain data, ready for ``json.dumps``."""
        report = self._now.report
        return {
            "model": report.model.path,
            "framework": self.framework,
            "global_metrics": dict(self.global_metrics),
            "layers": [
                {"name": each.name, "layer_type": each.layer_type, **each.metrics}
                for each in self.layer_analyses
            ],
            "findings": [f"{each.rule} {each.node or 'model'}: {each.message}" for each in report.findings],
        }

    def print_report(self) -> None:
        """Print the whole report."""
        from nnea_graph.render.text import Terminal, print_text  # noqa: PLC0415 - start-up

        print_text(self._now.report, Terminal(file=sys.stdout, force_jupyter=False))

    def compute_neural_pathways(self, top_k: int = 10) -> Sequence[Path]:
        """The ``top_k`` paths that carry most of the flow, best first; the report shows the same ones from now on.

        Raises:
            UsageError: the channels were not followed, as ``passes`` left that out.
        """
        found = self._now
        if found.report.pathways is None or found.report.pathways.k != top_k:
            found.look_for_paths(top_k)
        return found.report.pathways.paths if found.report.pathways else ()

    @property
    def _now(self) -> _Found:
        if self._found is None:
            raise UsageError("nothing is analyzed yet; call analyze(sample_data) first")
        return self._found


def quick_analyze(
    model: object,
    sample_data: Spec | None = None,
    framework: str = "auto",
    visualize: bool = True,  # noqa: FBT001, FBT002 - the original's signature
) -> NNEfficiencyAnalyzer:
    """Analyze a model and print the report.

    With ``visualize`` a notebook shows every plot below it; elsewhere no window opens, and the last line says how to
    save them. For the other arguments see ``NNEfficiencyAnalyzer`` and its ``analyze``.

    Raises:
        NneaError: one line that says what is wrong and what to do.
    """
    analyzer = NNEfficiencyAnalyzer(model, framework)
    analyzer.analyze(sample_data, verbose=False)
    analyzer.print_report()
    if visualize:
        _visualize(analyzer)
    return analyzer


def _visualize(analyzer: NNEfficiencyAnalyzer) -> None:
    try:
        plots = Visualizer(analyzer)
    except UsageError as error:
        _say(f"\nnot drawn: {error}")
        return
    show_plots(
        lambda: plots.figures().values(),
        "\nplots: from nnea_graph import Visualizer; Visualizer(analyzer).save_all('plots')",
    )


class _Found:
    """What one analysis has found."""

    def __init__(self, graph: ModelGraph, report: Report, passes: str | None) -> None:
        self.report = report
        self._graph = graph
        self._passes = passes

    @cached_property
    def layers(self) -> list[LayerAnalysis]:
        page, side = Page(self.report, _WIDTH), self._options("importance").get("side", "input")
        return [
            layer_analysis(self._graph, self.report, layer, page.called(layer.id), side)
            for layer in self.report.layers
        ]

    def _options(self, name: str) -> Mapping[str, str]:
        """The options of a pass in the pipeline text."""
        items = parse(self._passes) if self._passes is not None else []
        return next((item.options for item in items if item.name == name), {})

    @property
    def summary(self) -> str:
        """One line."""
        numbers = _global_metrics(self.report)
        return (
            f"{self.report.model.path}: {numbers['num_layers']} layers,"
            f" {numbers['total_parameters']:,} parameters,"
            f" utilization {_percent(numbers['global_utilization'])},"
            f" redundancy {_percent(numbers['redundancy_score'])}"
            f" (of {self.report.totals.statistics_of}); print_report() shows all"
        )

    def look_for_paths(self, count: int) -> None:
        """Find other paths on the same channel graph; nobody has validated them."""
        if self.report.channels is None:
            raise UsageError(
                "paths need the passes channels and pathways; analyze with them, or all: passes=None"
            )
        build(PathwaysPass, {**self._options("pathways"), "k": str(count)}).run(self._graph)
        found = pathways_of(self._graph)
        self.report = replace(self.report, pathways=found and replace(found, validation=None))


def _batch_dims(graph: ModelGraph, batch: int) -> dict[str, int]:
    """The number of samples for every symbol that counts them."""
    symbols = [symbol for symbol in symbols_of(symbolic_inputs(graph)) if is_batch(symbol)]
    if batch != 1 and not symbols:
        raise UsageError(f"batch={batch}: the model's inputs leave no number of samples open; leave it out")
    return dict.fromkeys(symbols, batch)


def _global_metrics(report: Report) -> dict[str, float | int | None]:
    totals = report.totals
    return {
        "total_parameters": totals.parameters,
        "effective_parameters": totals.effective_parameters,
        "global_utilization": totals.global_utilization,
        "num_layers": len(report.layers),
        "avg_layer_redundancy": totals.avg_layer_redundancy,
        "redundancy_score": totals.redundancy_score,
        "global_sparsity_1e-2": (totals.global_sparsity or {}).get("1e-2"),
        "compression_potential": totals.compression_potential,
        "total_inference_flops": totals.flops,
        "total_training_flops": totals.training_flops,
    }


def _percent(share: float | None) -> str:
    return "not known" if share is None else percent(share)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
