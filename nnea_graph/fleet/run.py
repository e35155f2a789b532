"""A fleet: every model analyzed once, in any order, with the same results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnea_graph import __version__
from nnea_graph.fleet.discovery import slug
from nnea_graph.fleet.engines import run_tasks
from nnea_graph.fleet.journal import Entry, Journal, key_of
from nnea_graph.fleet.model_run import Task

MODELS = "models"
"""Folder of the reports in a fleet's folder."""

Listener = Callable[[int, int, str], None]
"""Told how many models of how many are done, and the last one."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How models are analyzed: ``options`` are of ``nnea-graph run``; ``jobs`` run at once on the ``engine``."""

    options: tuple[str, ...] = ()
    jobs: int = 1
    engine: str = "local"
    address: str | None = None
    seconds: float = 600.0
    memory_bytes: int = 0


def run_fleet(
    models: Sequence[str], folder: Path, options: FleetOptions, tell: Listener | None = None
) -> Mapping[str, Entry]:
    """Analyze what the journal of the folder does not have yet; reports go to ``folder/models``.

    An interruption ends the processes that run; what is done stays done.
    """
    (folder / MODELS).mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.jsonl")
    keys = {model: key_of(model, options.options, __version__) for model in models}
    before = journal.entries()
    done = {
        model: entry
        for model in models
        if (entry := before.get(model)) is not None and _current(entry, keys[model], folder)
    }
    tasks = [
        Task(model, str(report_path(folder, model)), options.options, options.seconds, options.memory_bytes)
        for model in models
        if model not in done
    ]
    for outcome in run_tasks(tasks, options.engine, options.jobs, options.address):
        entry = Entry(outcome.model, keys[outcome.model], outcome.exit_code, outcome.error)
        journal.append(entry)
        done[outcome.model] = entry
        if tell:
            tell(len(done), len(models), outcome.model)
    return {model: done[model] for model in models}


def report_path(folder: Path, model: str) -> Path:
    """The report of a model in a fleet's folder."""
    return folder / MODELS / f"{slug(model)}.json"


def _current(entry: Entry, key: str, folder: Path) -> bool:
    """Tells whether what was done holds: the same bytes and options, and a report where there was one."""
    return entry.key == key and (entry.exit_code != 0 or report_path(folder, entry.path).is_file())
