"""The analyzer in three lines of Python: a model, sample data, and what there is to know of them by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nnea_graph.api.analysis import Analysis, Numbers
from nnea_graph.api.analyze import report_on
from nnea_graph.api.layer_analysis import LayerAnalysis
from nnea_graph.api.notebook import show_plots
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.errors import UsageError
from nnea_graph.render.html import report_table
from nnea_graph.render.output_files import standard_output
from nnea_graph.render.plots.visualizer import Visualizer
from nnea_graph.report.schema.analysis import Report
from nnea_graph.report.schema.pathways import Pathway
from nnea_graph.runtime.live_model import LiveModel

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs

    from nnea_graph.runtime.open_data import Spec


class NNEfficiencyAnalyzer:
    """Analyzes one model, as often as its weights change: a live model is exported the first time only.

    ``framework`` is ``pytorch``, ``tensorflow`` or ``onnx``. What is read before ``analyze`` has run is a UsageError.

    Args:
        model: a torch module, a Keras model, an ``onnx.ModelProto``, a path, whatever ``nnea_graph.analyze`` takes.
        framework: what it must be; ``auto`` is any.

    Raises:
        NneaError: one line that says what is wrong and what to do.
    """

    def __init__(self, model: object, framework: str = "auto") -> None:
        self._source, self._model = model, LiveModel(model, framework)
        self.framework = self._model.framework
        self._found: Analysis | None = None
        self._request = AnalysisRequest(source=model)

    def analyze(  # noqa: PLR0913 - the original's three, and what they leave open
        self,
        sample_data: Spec | None = None,
        compute_activations: bool = True,  # noqa: FBT001, FBT002 - the original's signature
        verbose: bool = True,  # noqa: FBT001, FBT002
        *,
        batch: int = 1,
        passes: str | None = None,
        samples: int | None = None,
        batch_size: int = 32,
        preprocess: str | None = None,
        input_shapes: Mapping[str, Sequence[int]] | None = None,
    ) -> Report:
        """Analyze the model with the weights that it has now.

        Args:
            sample_data: arrays, tensors, (inputs, labels), tf.data, a DataLoader, a path; None is seeded random
                inputs, which tell nothing of importance.
            compute_activations: False keeps the model from being run: statistics are of |w| alone.
            verbose: print one line about what was found.
            batch: samples that costs are counted for.
            passes: pipeline text, e.g. ``"+sensitivity"``; None runs every cheap pass.
            samples: use the first so many only.
            batch_size: samples of one run, fewer where they would take too much memory.
            preprocess: how images become inputs, e.g. ``"imagenet"``.
            input_shapes: by input ("" is the only one), where a live model comes without sample data.

        Raises:
            NneaError: one line that says what is wrong and what to do.
        """
        request = AnalysisRequest(
            source=self._source,
            data=sample_data,
            passes=passes,
            input_shapes=input_shapes or {},
            batch=batch,
            framework=self.framework,
            may_run=compute_activations,
            samples=samples,
            batch_size=batch_size,
            preprocess=preprocess,
        )
        self._request = request
        opened = request.open(self._model)
        report, _ = report_on(opened)
        self._found = Analysis(opened.graph, report, passes)
        if verbose:
            _say(f"{self._found.summary}; print_report() shows all")
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
    def global_metrics(self) -> Numbers:
        """Numbers of the model by name; None is not known. Costs are of one run with ``batch`` samples."""
        return self._now.numbers

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
        """Print the whole report, and the compression potential beside what random weights would have."""
        from nnea_graph.render.text.report import Terminal, print_lines, print_text  # noqa: PLC0415 - start-up
        from nnea_graph.render.text.totals import compression_potential  # noqa: PLC0415 - start-up

        report = self._now.report
        with standard_output() as stdout:
            terminal = Terminal(file=stdout, force_jupyter=False)
            print_text(report, terminal)
            print_lines(compression_potential(report.totals), terminal)

    def compute_neural_pathways(self, top_k: int = 10) -> Sequence[Pathway]:
        """The ``top_k`` paths that carry most of the flow, best first; the report shows the same ones from now on.

        Raises:
            UsageError: the channels were not followed, as ``passes`` left that out.
        """
        return self._now.paths(top_k)

    def to_graphsurgeon(self) -> gs.Graph:
        """The model that was analyzed as a ``gs.Graph`` with the facts at its nodes; a live one is exported again.

        Raises:
            NneaError: onnx-graphsurgeon cannot read it.
        """
        from nnea_graph.rewrite.annotate import surgeon_graph  # noqa: PLC0415 - start-up

        report, request = self._now.report, self._request
        proto = self._model.written(
            request.data, input_shapes=request.input_shapes, preprocess=request.preprocess
        )
        return surgeon_graph(proto, report)

    @property
    def _now(self) -> Analysis:
        if self._found is None:
            raise UsageError("nothing is analyzed yet; call analyze(sample_data) first")
        return self._found

    def __repr__(self) -> str:
        what = "nothing analyzed yet" if self._found is None else self._found.summary
        return f"<{type(self).__name__} ({self.framework}): {what}>"

    def _repr_html_(self) -> str | None:
        """A notebook shows the report; until there is one, the line that others see."""
        return None if self._found is None else report_table(self._found.report)


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


def _say(line: str) -> None:
    with standard_output() as stdout:
        stdout.write(f"{line}\n")
