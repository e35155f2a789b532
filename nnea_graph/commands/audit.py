"""``nnea-graph audit``: many models against one policy, each analyzed in a process of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from nnea_graph.commands.gates import audit_report, gates_of
from nnea_graph.commands.messages import say
from nnea_graph.commands.progress import progress
from nnea_graph.errors import NneaError, OutputError, UsageError
from nnea_graph.fleet.discovery import find_models, slug
from nnea_graph.fleet.journal import Entry
from nnea_graph.fleet.run import FleetOptions, report_path, run_fleet
from nnea_graph.render.formats.audit import RESULT_FORMATS, render_results
from nnea_graph.render.output_files import standard_output, write_output
from nnea_graph.render.sanitize import inert
from nnea_graph.report.audit.check import UNKNOWN, ModelAudit, exit_code_of
from nnea_graph.report.audit.policy import Policy
from nnea_graph.report.schema.analysis import Report
from nnea_graph.report.schema.load import load_report

_LOCK = ".nnea-graph.lock"
_PAGES = "pages"


def audit_models(paths: Sequence[str], **options: Any) -> int:
    """Audit every model that the paths name; the exit code is the worst of all."""
    outputs = _outputs(options["formats"])
    policy, baseline = gates_of(options)
    models = find_models(paths)
    with _folder(options["output"]) as folder:
        entries = _analyzed(models, folder, options)
        reports = dict(_reports(entries, folder))
        audits = [_audited(entries[model], reports.get(model), policy, baseline, options) for model in models]
        if options["update_baseline"]:
            _update(options["baseline"], reports, folder)
        if options["output"]:
            _write_folder(folder, audits, reports)
        for name, path in outputs:
            _write(render_results(name, audits), path, force=options["force"])
    _tell_unknown(audits)
    return exit_code_of([each.exit_code for each in audits])


def _outputs(texts: Sequence[str]) -> list[tuple[str, Path | None]]:
    found = []
    for text in texts or ("text",):
        name, _, path = text.partition("=")
        if name not in RESULT_FORMATS:
            raise UsageError(
                f"--format '{text}': there is no format '{name}'; there is {', '.join(RESULT_FORMATS)}"
            )
        found.append((name, Path(path) if path else None))
    if sum(path is None for _, path in found) > 1:
        raise UsageError(
            "--format: only one format can go to stdout; give the others a file: sarif=audit.sarif"
        )
    return found


def _write(text: str, path: Path | None, *, force: bool) -> None:
    if path is not None:
        write_output(path, [text], force=force)
        return
    with standard_output() as stdout:
        stdout.write(text)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The folder of the results, held by this run alone; one that goes away where none is given."""
    if given is None:
        with tempfile.TemporaryDirectory(prefix="nnea-graph-audit-") as made:
            yield Path(made)
        return
    import fcntl  # noqa: PLC0415 - only runs with -o need it

    try:
        given.mkdir(parents=True, exist_ok=True)
        lock = os.open(given / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise OutputError(f"-o {given}: cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError(
            f"-o {given}: another audit writes there; wait for it, or give another folder"
        ) from error
    else:
        yield given
    finally:
        os.close(lock)


def _analyzed(models: Sequence[str], folder: Path, options: Mapping[str, Any]) -> Mapping[str, Entry]:
    given = FleetOptions(
        options=run_options(options),
        jobs=options["jobs"] or os.cpu_count() or 1,
        engine=options["engine"],
        address=options["address"],
        seconds=options["seconds"],
        memory_bytes=options["memory_bytes"],
    )
    with progress(shown=not (options["quiet"] or options["no_progress"])) as line:
        return run_fleet(models, folder, given, _teller(line.write) if line else None)


def _teller(write: Callable[[str], None]) -> Callable[[int, int, str], None]:
    began = time.monotonic()

    def tell(done: int, count: int, model: str) -> None:
        left = (time.monotonic() - began) / done * (count - done)
        write(f"{done}/{count} models, about {left:.0f} s left: {inert(model)}")

    return tell


def run_options(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Options of ``nnea-graph run`` for each model, always in the same order."""
    found: list[str] = []
    for name, flag in (("dims", "--dim"), ("shapes", "--input-shape"), ("limits", "--limit")):
        found += [part for value in options[name] for part in (flag, value)]
    for name, flag in (("data", "--data"), ("passes", "-p"), ("samples", "--samples"), ("seed", "--seed")):
        if options[name] is not None:
            found += [flag, str(options[name])]
    return (*found, "--no-run") if options["no_run"] else tuple(found)


def _reports(entries: Mapping[str, Entry], folder: Path) -> Iterator[tuple[str, Report]]:
    for model, entry in entries.items():
        if entry.exit_code == 0:
            yield model, load_report(report_path(folder, model))


def _audited(
    entry: Entry, report: Report | None, policy: Policy, before: Report | None, options: Mapping[str, Any]
) -> ModelAudit:
    if report is None:
        return ModelAudit(entry.path, (), max(2, entry.exit_code), error=entry.error)
    try:
        older = before or _baseline_in(options["baseline"], entry.path)
        found = audit_report(report, entry.path, policy, older, options["today"])
    except NneaError as error:
        return ModelAudit(entry.path, (), 2, error=str(error))
    return found


def _baseline_in(folder: Path | None, model: str) -> Report | None:
    """The report of a model in a folder of baselines; a model that is new has none."""
    if folder is None or not folder.is_dir():
        return None
    file = folder / f"{slug(model)}.json"
    return load_report(file) if file.is_file() else None


def _update(baseline: Path | None, reports: Mapping[str, Report], folder: Path) -> None:
    """Make the present reports the baseline.

    Raises:
        UsageError: there is no folder for them.
    """
    if baseline is None or baseline.is_file():
        raise UsageError("--update-baseline: give the folder of the baselines: --baseline FOLDER")
    baseline.mkdir(parents=True, exist_ok=True)
    for model in reports:
        source = report_path(folder, model)
        write_output(baseline / source.name, [source.read_bytes().decode()], force=True)


def _write_folder(folder: Path, audits: Sequence[ModelAudit], reports: Mapping[str, Report]) -> None:
    """The results, the page of each model, and the index of the fleet."""
    from nnea_graph.render.web.fleet import render_index  # noqa: PLC0415 - only with -o
    from nnea_graph.render.web.page import render_page  # noqa: PLC0415 - as above

    pages = folder / _PAGES
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir()
    links = {}
    for each in audits:
        if each.path in reports:
            links[each.path] = f"{_PAGES}/{slug(each.path)}.html"
            write_output(
                folder / links[each.path], [render_page(reports[each.path], each.verdict)], force=True
            )
    for name in ("json", "sarif", "junit", "md"):
        write_output(folder / RESULT_FORMATS[name].file, [render_results(name, audits)], force=True)
    write_output(folder / "index.html", [render_index(audits, links)], force=True)


def _tell_unknown(audits: Sequence[ModelAudit]) -> None:
    for each in audits:
        for check in each.checks:
            if check.outcome == UNKNOWN and each.exit_code == 2:
                say(f"nnea-graph: error: {inert(f'{each.path}: {check.source}: {check.message}')}\n")


def parse_day(text: str | None) -> date | None:
    """The day of ``--today``.

    Raises:
        UsageError: it is no day.
    """
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise UsageError(f"--today '{text}': write a day as 2027-03-31") from error
