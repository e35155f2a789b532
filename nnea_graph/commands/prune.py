"""``nnea-graph prune``: make one model smaller and say what came of it, or, with ``--plan-only``, what could go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnea_graph.api.prune import prune, prune_plan
from nnea_graph.commands.output import check_outputs, save
from nnea_graph.commands.progress import progress
from nnea_graph.commands.request import pruning_options
from nnea_graph.errors import UsageError
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.render.json import json_pieces
from nnea_graph.render.output_files import standard_output
from nnea_graph.report.schema.pruning import PruningReport


def prune_model(source: str, **options: Any) -> int:
    """Prune and write; the exit code says whether every target was met."""
    output: Path | None = options["output"]
    if options["no_run"]:
        raise UsageError("--no-run: pruning runs the model; --no-run is valid only with --plan-only")
    if not options["targets"]:
        raise UsageError(
            "--target: a target budget is required, e.g. macs=0.5; --plan-only shows the options"
        )
    if output is not None:
        reading = {"limits": Limits.with_text(options["limits"]), "allow_external": options["allow_external"]}
        check_outputs(output, source, force=options["force"], **reading)
    if not options["data"] and list(options["targets"]) != ["exact"]:
        raise UsageError(
            "--data: calibration data are required: .npz, a folder, or file.py:function;"
            " only --target exact works without"
        )
    with progress(shown=not (options["quiet"] or options["no_progress"])) as line:
        found = prune(
            source,
            options["data"],
            options["targets"],
            criterion=options["criterion"],
            refit=not options["no_refit"],
            batch_size=options["batch_size"],
            progress=line.write if line else None,
            **pruning_options(options),
        )
    written = output if found.report.worth_writing else None
    _write(
        found.report,
        options["format"],
        save(found, written, force=options["force"]) if written is not None else "",
    )
    return 0 if found.report.met else 1


def _write(report: PruningReport, form: str, output: str) -> None:
    with standard_output() as stdout:
        if form == "json":
            stdout.writelines(json_pieces(report))
            return
        from nnea_graph.render.pruning_text.report import print_pruning  # noqa: PLC0415 - rich costs 0.1 s

        print_pruning(report, stdout, output)


def plan_model(source: str, **options: Any) -> int:
    """Print the plan; nothing is chosen, fitted or written."""
    if options["output"] is not None:
        raise UsageError("-o: a plan writes no model; leave it out, or --plan-only")
    with progress(shown=not (options["quiet"] or options["no_progress"])) as line:
        plan = prune_plan(
            source,
            options["data"],
            may_run=not options["no_run"],
            progress=line.write if line else None,
            **pruning_options(options),
        )
    with standard_output() as stdout:
        if options["format"] == "json":
            stdout.writelines(json_pieces(plan))
            return 0
        from nnea_graph.render.pruning_text.plan import print_plan  # noqa: PLC0415 - rich costs 0.1 s

        print_plan(plan, stdout)
    return 0
