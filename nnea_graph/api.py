"""What other programs call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnea_graph.engine import PassResult, run_passes
from nnea_graph.engine.manager import Listener
from nnea_graph.engine.pipeline import Item, complete, parse
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
    return build_report(graph, run_pipeline(graph, passes, options))


def load(
    source: str | Path | ModelProto, limits: Limits | None = None, allow_external: Path | None = None
) -> ModelGraph:
    """The graph of a model, without any facts yet."""
    if isinstance(source, str | Path):
        return load_onnx(Path(source), limits, allow_external)
    return graph_of(OnnxFile.from_proto(source, limits, allow_external=allow_external), limits or Limits())


def run_pipeline(
    graph: ModelGraph,
    passes: str | None,
    options: Mapping[str, object],
    listener: Listener | None = None,
) -> list[PassResult]:
    """Run the passes named in the text, or every cheap one, with all that they need."""
    known = catalogue()
    items = parse(passes) if passes is not None else [Item(name, {}, added=True) for name in _cheap(known)]
    return run_passes(graph, complete(items, known, options), listener)


def _cheap(known: Mapping[str, object]) -> list[str]:
    return [name for name, load_pass in known.items() if load_pass().default]  # type: ignore[operator]
