"""``nnea-graph render``: a report that was written, in another format; and the list of formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnea_graph.commands.gates import audit_report, exit_code, gates_of
from nnea_graph.commands.run import format_outputs, write_formats
from nnea_graph.errors import OutputError, UsageError
from nnea_graph.render.formats.report import FORMATS, Rendering
from nnea_graph.render.output_files import standard_output
from nnea_graph.report.schema.load import load_report


def render_report(path: Path, **options: Any) -> int:
    """Render a ``report.json``; gates are checked again, so the exit code is that of ``run``.

    Raises:
        UsageError: a format needs the model itself.
        OutputError: a file is there and ``force`` is not given.
    """
    outputs = format_outputs(options["formats"])
    for each in outputs:
        if each.format.needs_graph:
            name = each.format.name
            raise UsageError(f"--format {name}: needs the model: nnea-graph run MODEL --format {name}")
        if each.path is not None and each.path.exists() and each.path.samefile(path):
            raise OutputError(f"--format {each.format.name}={each.path}: that is the report itself")
    policy, baseline = gates_of(options)
    report = load_report(path)
    audited = audit_report(report, report.model.path, policy, baseline)
    write_formats(
        Rendering(report, audited, options["top"], options["verbose"]), outputs, force=options["force"]
    )
    return exit_code(audited)


def list_formats() -> None:
    """Print the formats of ``--format``, with their usual file names."""
    width = max(len(name) for name in FORMATS)
    with standard_output() as stdout:
        for name, each in FORMATS.items():
            stdout.write(f"{name:{width}}  {each.file:28}  {each.about}\n")
