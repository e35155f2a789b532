"""``nnea-graph annotate``: a copy of a model that says of itself what it costs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnea_graph.api.analyze import analyze
from nnea_graph.api.annotate import annotate
from nnea_graph.commands.options import check_output, named_dims
from nnea_graph.commands.output import data_files
from nnea_graph.errors import OutputError
from nnea_graph.frontends.shared.interface import InputSpec
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.render.output_files import write_output
from nnea_graph.report.schema.analysis import Report
from nnea_graph.runtime.live_model import LiveModel
from nnea_graph.static.shape_syntax import InputShape, parse_input_shape


def annotate_model(source: str, **options: Any) -> int:
    """Analyze and write, a live model exported; exit 1 where a finding is an error."""
    output: Path = options["output"]
    check_output(output, source, force=options["force"])
    shapes = [parse_input_shape(text) for text in options["shapes"]]
    limits = Limits.with_text(options["limits"])
    live = LiveModel(source, limits=limits)
    if live.framework == "onnx" and Path(source).is_file():
        _check_place(Path(source), output, limits)
        report = _report(source, shapes, options)
        proto = live.written()
    else:
        specs = {each.name or "": InputSpec(each.dims, each.dtype or "") for each in shapes}
        proto = live.written(options["data"], input_shapes=specs, preprocess=options["preprocess"])
        report = _report(proto, shapes, options)
    annotate(proto, report)
    write_output(output, [proto.SerializeToString(deterministic=True)], force=options["force"])
    errors = [finding.message for finding in report.findings if finding.severity == "error"]
    if not options["quiet"]:
        sys.stderr.writelines(f"{line}\n" for line in (*errors, f"{output}: written with its facts"))
    return 1 if errors else 0


def _report(model: object, shapes: list[InputShape], options: Mapping[str, Any]) -> Report:
    return analyze(
        model,
        options["data"],
        options["passes"],
        dims=named_dims(options["dims"]),
        input_shapes={each.name or "": each.dims for each in shapes},
        limits=Limits.with_text(options["limits"]),
        samples=options["samples"],
        preprocess=options["preprocess"],
        may_run=not options["no_run"],
    )


def _check_place(source: Path, output: Path, limits: Limits) -> None:
    """Weights in other files stay there: the model must be written beside them, and not over them."""
    found = data_files(source, limits=limits)
    if any(output.exists() and each.samefile(output) for each in found):
        raise OutputError(f"-o {output}: it has weights of the model itself; give another name")
    folder = source.absolute().parent
    if found and not folder.samefile(output.absolute().parent):
        raise OutputError(
            f"-o {output}: weights of the model lie in '{found[0].name}' beside it, and are not copied; "
            f"write into the same folder, {folder}"
        )
