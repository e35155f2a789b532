"""Functions that other programs call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from nnea_graph.api.request import AnalysisRequest, OpenedModel
from nnea_graph.engine import PassResult
from nnea_graph.engine.manager import Listener
from nnea_graph.errors import PassError, naming
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import ModelGraph
from nnea_graph.report.assembly.build import build_report
from nnea_graph.report.schema.analysis import Report

if TYPE_CHECKING:
    from nnea_graph.runtime.open_data import Spec


def _shown(report: Report) -> str:
    """View of a report in a notebook."""
    from nnea_graph.render.html import report_table  # noqa: PLC0415 - start-up

    return report_table(report)


setattr(Report, "_repr_html_", _shown)  # noqa: B010 - render comes after report, which cannot ask it


def analyze(  # noqa: PLR0913 - the options of the command line
    source: object,
    data: Spec | None = None,
    passes: str | None = None,
    *,
    dims: Mapping[str, int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    training: str = "4x",
    frozen: Sequence[str] = (),
    limits: Limits | None = None,
    samples: int | None = None,
    batch_size: int = 8,
    preprocess: str | None = None,
    seed: int = 0,
    may_run: bool = True,
    framework: str = "auto",
) -> Report:
    """Analyze a model.

    A live model is exported with an example of its inputs, made up of ``input_shapes`` or taken from ``data``.

    Args:
        source: a torch module, an ExportedProgram, a Keras model, a ``tf.function`` or ``tf.Module``, an
            ``onnx.ModelProto``, the path of a model file or a SavedModel folder (``folder:signature`` chooses),
            or ``package.module:callable`` or ``file.py:callable`` that makes a model.
        data: what to run on: a path, arrays by input name, or what yields batches; None is seeded random inputs.
        passes: pipeline text such as ``"cost"`` or ``"+pathways{k=5}"``; None runs every cheap pass.
        dims: numbers for symbolic dims.
        input_shapes: shapes of whole inputs; "" names the only one.
        training: ``"4x"`` or ``"exact"``.
        frozen: patterns of weights, operators or modules that do not train.
        limits: how large a model may be, and what running it may take.
        samples: the first so many of the data only.
        batch_size: samples of one run, fewer where they would take too much memory.
        preprocess: how images become inputs, e.g. ``"imagenet"``.
        seed: of everything drawn.
        may_run: False keeps onnxruntime out; what depends on running is not computed.
        framework: what the source must be: ``pytorch``, ``tensorflow``, ``onnx``; ``auto`` is any.

    Raises:
        NneaError: one line that says what is wrong and what to do.
    """
    request = AnalysisRequest(
        source=source,
        data=data,
        passes=passes,
        dims=dims or {},
        input_shapes=input_shapes or {},
        limits=limits or Limits(),
        framework=framework,
        may_run=may_run,
        samples=samples,
        batch_size=batch_size,
        preprocess=preprocess,
        seed=seed,
        training=training,
        frozen=tuple(frozen),
    )
    report, _ = report_on(request.open())
    return report


def load(
    source: object,
    limits: Limits | None = None,
    *,
    passes: str = "",
    dims: Mapping[str, int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> ModelGraph:
    """The graph of a model, for programs of your own; ``graph.nx`` is a networkx ``DiGraph``.

    Args:
        source: as for ``analyze``.
        limits: how large a model may be, and what running it may take.
        passes: pipeline text such as ``"cost"``: the graph has their facts; without it none yet.
        dims: numbers for symbolic dims.
        input_shapes: shapes of whole inputs; "" names the only one.

    Raises:
        NneaError: one line that says what is wrong and what to do.
        PassError: a pass failed.
    """
    request = AnalysisRequest(
        source=source,
        passes=passes,
        dims=dims or {},
        input_shapes=input_shapes or {},
        limits=limits or Limits(),
    )
    opened = request.open()
    failed = [each for each in (opened.run() if passes else []) if each.status != "ok"]
    if failed:
        raise PassError(f"pass '{failed[0].name}' {failed[0].status}: {failed[0].reason}")
    return opened.graph


def report_on(opened: OpenedModel, listener: Listener | None = None) -> tuple[Report, list[PassResult]]:
    """Run the passes of a request, and report what they found."""
    graph = opened.graph
    with ThreadPoolExecutor(1) as background:  # hashing a large file takes as long as analyzing it
        digest = background.submit(graph.file.sha256)
        try:
            results = opened.run(listener)
            with naming(graph.info.path):
                return build_report(graph, results, digest.result()), results
        except BaseException:
            graph.file.close()  # or the error would wait until a large file is hashed to its end
            raise
