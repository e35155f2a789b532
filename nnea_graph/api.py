"""What other programs call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from nnea_graph.engine import PassResult, run_passes
from nnea_graph.engine.manager import Listener
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.errors import naming
from nnea_graph.frontends.limits import Limits
from nnea_graph.frontends.onnx_model import graph_of, load_onnx
from nnea_graph.frontends.read_onnx import OnnxFile
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.report.build import build_report
from nnea_graph.report.schema import Report

if TYPE_CHECKING:
    from onnx import ModelProto  # noqa: TID251 - a name in a signature, never imported here


def analyze(  # noqa: PLR0913 - the options of the command line
    source: str | Path | ModelProto,
    *,
    passes: str | None = None,
    dims: Mapping[str, int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    training: str = "4x",
    frozen: Sequence[str] = (),
    limits: Limits | None = None,
) -> Report:
    """Analyze a model.

    Args:
        source: path of an ``.onnx`` file, or an ``onnx.ModelProto``.
        passes: pipeline text such as ``"cost"`` or ``"+pathways{k=5}"``; None runs every cheap pass.
        dims: numbers for symbolic dims.
        input_shapes: shapes of whole inputs.
        training: ``"4x"`` or ``"exact"``.
        frozen: patterns of weights, operators or modules that do not train.
        limits: how large a model may be.

    Raises:
        NneaError: one line that says what is wrong and what to do.
    """
    graph = load(source, limits)
    options = {
        "dims": dict(dims or {}),
        "input_shapes": {name: tuple(shape) for name, shape in (input_shapes or {}).items()},
        "training": training,
        "frozen": tuple(frozen),
    }
    report, _ = report_on(graph, passes, options)
    return report


def load(
    source: str | Path | ModelProto, limits: Limits | None = None, allow_external: Path | None = None
) -> ModelGraph:
    """The graph of a model, without any facts yet."""
    if isinstance(source, str | Path):
        return load_onnx(Path(source), limits, allow_external)
    return graph_of(OnnxFile.from_proto(source, limits, allow_external=allow_external), limits or Limits())


def report_on(
    graph: ModelGraph,
    passes: str | None,
    options: Mapping[str, object],
    listener: Listener | None = None,
) -> tuple[Report, list[PassResult]]:
    """Run the passes named in the text, or every cheap one, with all that they need, and report."""
    known = catalogue()
    chosen = complete(parse(passes) if passes is not None else [], known, options)
    with ThreadPoolExecutor(1) as background:  # hashing a large file takes as long as analyzing it
        digest = background.submit(graph.file.sha256)
        try:
            with naming(graph.info.path):
                results = run_passes(graph, chosen, listener)
                return build_report(graph, results, digest.result()), results
        except BaseException:
            graph.file.close()  # or the error would wait until a large file is hashed to its end
            raise
