"""What other programs call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from nnea_graph.engine import PassResult, run_passes
from nnea_graph.engine.manager import Listener
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.errors import UsageError, naming
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.report.assembly.build import build_report
from nnea_graph.report.schema.analysis import Report
from nnea_graph.static.dims import dims_of, symbolic_inputs

if TYPE_CHECKING:
    from nnea_graph.runtime.open_data import Spec


def _shown(report: Report) -> str:
    """What a notebook shows of a report."""
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
    preprocess: str | None = None,
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
        limits: how large a model may be.
        samples: the first so many of the data only.
        preprocess: how images become inputs, e.g. ``"imagenet"``.
        may_run: False keeps onnxruntime out; what depends on running is not computed.
        framework: what the source must be: ``pytorch``, ``tensorflow``, ``onnx``; ``auto`` is any.

    Raises:
        NneaError: one line that says what is wrong and what to do.
    """
    from nnea_graph.runtime.live_model import LiveModel  # noqa: PLC0415 - start-up

    shapes = {name: tuple(shape) for name, shape in (input_shapes or {}).items()}
    live = LiveModel(source, framework, limits=limits)
    graph = live.graph(data, input_shapes=shapes, preprocess=preprocess)
    options: dict[str, Any] = {
        "dims": dict(dims or {}),
        "input_shapes": {named_input(graph, name): shape for name, shape in shapes.items()},
        "training": training,
        "frozen": tuple(frozen),
    }
    if data is not None:
        options |= data_options(graph, data, options, samples=samples, preprocess=preprocess)
    report, _ = report_on(graph, passes, options, may_run=may_run)
    return report


def data_options(
    graph: ModelGraph,
    spec: Spec,
    options: Mapping[str, Any],
    *,
    samples: int | None = None,
    preprocess: str | None = None,
) -> dict[str, Any]:
    """The options that data give to passes: the data, and the dims that they have and nobody set.

    Raises:
        DataError: the data do not fit the model.
    """
    from nnea_graph.runtime.open_data import open_data  # noqa: PLC0415 - only runs with data need it

    inputs = symbolic_inputs(graph)
    data = open_data(spec, inputs, samples=samples, preprocess=preprocess)
    shapes = {name: shape for name, shape in data.shapes().items() if name not in options["input_shapes"]}
    return {"data": data, "dims": dims_of(inputs, shapes) | options["dims"]}


def named_input(graph: ModelGraph, name: str) -> str:
    """An input that is meant by its name, or by "" where there is only one.

    Raises:
        UsageError: there are several.
    """
    if name:
        return name
    if len(graph.inputs) != 1:
        names = ", ".join(graph.inputs)
        raise UsageError(
            f"an input shape without a name: the model has {len(graph.inputs)} inputs ({names}); say which"
        )
    return graph.inputs[0]


def load(source: object, limits: Limits | None = None) -> ModelGraph:
    """The graph of a model that needs no example, without any facts yet."""
    from nnea_graph.runtime.live_model import LiveModel  # noqa: PLC0415 - start-up

    return LiveModel(source, limits=limits).graph()


def report_on(
    graph: ModelGraph,
    passes: str | None,
    options: Mapping[str, object],
    listener: Listener | None = None,
    *,
    may_run: bool = True,
) -> tuple[Report, list[PassResult]]:
    """Run the passes named in the text, or every cheap one, with all that they need, and report."""
    known = catalogue()
    chosen = complete(parse(passes) if passes is not None else [], known, options, may_run=may_run)
    with ThreadPoolExecutor(1) as background:  # hashing a large file takes as long as analyzing it
        digest = background.submit(graph.file.sha256)
        try:
            with naming(graph.info.path):
                results = run_passes(graph, chosen, listener)
                return build_report(graph, results, digest.result()), results
        except BaseException:
            graph.file.close()  # or the error would wait until a large file is hashed to its end
            raise
