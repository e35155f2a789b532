"""``nnea-graph annotate``: a copy of a model that says of itself what it costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nnea_graph.api.analyze import report_on
from nnea_graph.api.annotate import annotate
from nnea_graph.commands.messages import say
from nnea_graph.commands.output import check_output, data_files
from nnea_graph.commands.request import analysis_request
from nnea_graph.errors import OutputError
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.render.output_files import write_output


def annotate_model(source: str, **options: Any) -> int:
    """Analyze and write, a live model exported; exit 1 where a finding is an error."""
    output: Path = options["output"]
    check_output(output, source, force=options["force"])
    request = analysis_request(source, options)
    model = request.model()
    if model.framework == "onnx" and Path(source).is_file():
        _check_place(Path(source), output, request.limits)
        report, _ = report_on(request.open(model))
        proto = model.written()
    else:
        proto = model.written(request.data, input_shapes=request.input_shapes, preprocess=request.preprocess)
        report, _ = report_on(replace(request, source=proto).open())
    annotate(proto, report)
    write_output(output, [proto.SerializeToString(deterministic=True)], force=options["force"])
    errors = [finding.message for finding in report.findings if finding.severity == "error"]
    if not options["quiet"]:
        say("".join(f"{line}\n" for line in (*errors, f"{output}: written with analysis metadata")))
    return 1 if errors else 0


def _check_place(source: Path, output: Path, limits: Limits) -> None:
    """Weights in other files stay there: the model must be written beside them, and not over them."""
    found = data_files(source, limits=limits)
    if any(output.exists() and each.samefile(output) for each in found):
        raise OutputError(f"-o {output}: it holds weights of the input model; give another name")
    folder = source.absolute().parent
    if found and not folder.samefile(output.absolute().parent):
        raise OutputError(
            f"-o {output}: weights of the model lie in '{found[0].name}' beside it, and are not copied; "
            f"write into the same folder, {folder}"
        )
