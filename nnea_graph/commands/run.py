"""``nnea-graph run``: analyze one model and write the report where it is asked for."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnea_graph.api.analyze import report_on
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.commands.gates import audit_report, exit_code, gates_of
from nnea_graph.commands.messages import say
from nnea_graph.commands.output import check_reports
from nnea_graph.commands.progress import progress
from nnea_graph.commands.request import analysis_request
from nnea_graph.engine import PassResult
from nnea_graph.engine.context import silent
from nnea_graph.engine.manager import peak_bytes
from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph
from nnea_graph.render.formats.report import FORMATS, Rendering, ReportFormat, format_named
from nnea_graph.render.output_files import standard_output, write_output
from nnea_graph.render.sanitize import inert
from nnea_graph.report.schema.analysis import Report


@dataclass(frozen=True, slots=True)
class FormatOutput:
    """A format and where it goes; ``path`` is None for stdout."""

    format: ReportFormat
    path: Path | None


def run_model(source: str, **options: Any) -> int:
    """Analyze a model and write the report; the exit code says whether a finding is an error."""
    outputs = format_outputs(options["formats"])
    policy, baseline = gates_of(options)
    request = analysis_request(source, options)
    started, clock = datetime.now(UTC), time.perf_counter()
    _check_places(source, outputs, request, options)
    with ExitStack() as stack:
        if options["output"]:
            from nnea_graph.render.output_folder import output_folder  # noqa: PLC0415 - start-up

            folder = stack.enter_context(
                output_folder(options["output"], _known_files(), force=options["force"])
            )
        with progress(shown=not (options["quiet"] or options["no_progress"])) as line:
            opened = request.open(progress=line.write if line else silent)
            report, results = report_on(opened, line.tell if line else None)
        audited = audit_report(report, source, policy, baseline)
        given = Rendering(report, audited, options["top"], options["verbose"], opened.graph)
        run_facts = _run_facts(source, started, time.perf_counter() - clock, results)
        if options["output"]:
            files = _files(given, run_facts)
            pictures, reasons = _pictures(opened.graph, report, options)
            folder.write(files | pictures)
            for reason in reasons if not options["quiet"] else ():
                say(f"nnea-graph: {reason}\n")
        write_formats(given, outputs, force=options["force"])
    if options["verbose"]:
        _tell_passes(results)
        _tell_rules(opened.graph)
        if opened.model.parity is not None:
            say(f"export: {opened.model.parity}\n")
    return exit_code(audited, exit_zero=options["exit_zero"])


def _check_places(
    source: str, outputs: Sequence[FormatOutput], request: AnalysisRequest, options: dict[str, Any]
) -> None:
    folder: Path | None = options["output"]
    places = []
    if folder is not None:
        from nnea_graph.render.output_folder import REPORT  # noqa: PLC0415 - start-up

        places = [folder / name for name in (REPORT, *_known_files())]
    check_reports(
        [each.path for each in outputs if each.path is not None],
        places,
        [source, options["data"] or ""],
        force=options["force"],
        limits=request.limits,
        allow_external=request.allow_external,
    )


def _known_files() -> tuple[str, ...]:
    """Files beside the report that there can be."""
    from nnea_graph.render.output_folder import FACTS, PAGE, PICTURES  # noqa: PLC0415 - start-up
    from nnea_graph.render.plots.visualizer import PLOT_FILES  # noqa: PLC0415 - only runs with -o draw

    return (FACTS, PAGE, *PICTURES, *PLOT_FILES)


def _files(given: Rendering, run_facts: dict[str, Any]) -> dict[str, Iterable[str]]:
    """The report and the files beside it without the pictures, by file name."""
    from nnea_graph.render.output_folder import FACTS, PAGE, REPORT  # noqa: PLC0415 - start-up

    return {
        REPORT: FORMATS["json"].pieces(given),
        PAGE: FORMATS["html"].pieces(given),
        FACTS: [json.dumps(run_facts, indent=1), "\n"],
    }


def _pictures(
    graph: ModelGraph, report: Report, options: dict[str, Any]
) -> tuple[dict[str, Iterable[str]], list[str]]:
    """The pictures and plots by file name, and why some cannot be drawn."""
    from nnea_graph.render.dot.engine import picture_files  # noqa: PLC0415 - only runs with -o draw
    from nnea_graph.render.plots.visualizer import plot_files  # noqa: PLC0415
    from nnea_graph.report.diagrams import diagrams_of  # noqa: PLC0415

    files, missing = picture_files(diagrams_of(graph, report), accents=options["path_colors"])
    plots, without = plot_files(report)
    reasons = [each for each in (missing, without) if each]
    return {name: [text] for name, text in (files | plots).items()}, reasons


def format_outputs(texts: Sequence[str]) -> list[FormatOutput]:
    """The formats of ``--format``, each with its place.

    Raises:
        UsageError: there is no such format, or two of them go to stdout.
    """
    outputs = []
    for text in texts or ("text",):
        name, _, path = text.partition("=")
        outputs.append(FormatOutput(format_named(name), Path(path) if path else None))
    if sum(each.path is None for each in outputs) > 1:
        raise UsageError(
            "--format: only one format can go to stdout; give the others a file: json=report.json"
        )
    return outputs


def write_formats(given: Rendering, outputs: Sequence[FormatOutput], *, force: bool) -> None:
    """Write a report in each format to its place."""
    for each in outputs:
        if each.path is not None:
            write_output(each.path, each.format.pieces(given), force=force)
        elif each.format.name == "text":
            _print_text(given)
        else:
            with standard_output() as stdout:
                stdout.writelines(each.format.pieces(given))


def _print_text(given: Rendering) -> None:
    from nnea_graph.render.text.report import Terminal, print_text  # noqa: PLC0415 - rich costs 0.1 s

    with standard_output() as stdout:
        print_text(
            given.report,
            Terminal(file=stdout),
            top=given.top,
            verbose=given.verbose,
            verdict=given.audit.verdict,
        )


def _run_facts(
    source: str, started: datetime, seconds: float, results: Sequence[PassResult]
) -> dict[str, Any]:
    """Facts that differ from run to run, kept out of the report."""
    return {
        "command": sys.argv[1:],
        "path": str(Path(source).absolute()) if Path(source).exists() else source,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "peak_bytes": peak_bytes(),
        "passes": [
            {"name": each.name, "seconds": round(each.seconds, 4), "peak_bytes": each.peak_bytes}
            for each in results
        ],
    }


def _tell_passes(results: Sequence[PassResult]) -> None:
    for each in results:
        peak = each.peak_bytes / 2**20
        say(f"{each.name:20} {each.status:8} {each.seconds:8.3f} s   peak {peak:7.0f} MiB\n")


def _tell_rules(graph: ModelGraph) -> None:
    """One line: the operators of the model that a rule is missing for."""
    from nnea_graph.api.operators import EVERY, lacking  # noqa: PLC0415 - loads every table of rules

    parts = [f"{kind}: {', '.join(map(inert, names))}" for kind, names in lacking(graph).items()]
    every = f"every operator has one for {', '.join(EVERY[:-1])} and {EVERY[-1]}"
    say(f"rules: {'none for ' + '; '.join(parts) if parts else every}\n")
