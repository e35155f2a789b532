"""Agreement of what models give beside the original, on the same data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nnea_graph.engine.data import Batch
from nnea_graph.errors import RunError
from nnea_graph.report.schema.verification import Agreement
from nnea_graph.runtime.session.session import Session
from nnea_graph.stats.output_change import OutputChange, OutputComparison, float_outputs

ORIGINAL = "original"


def likeness_of(
    original: Session, models: Mapping[str, Session | str], batches: Iterable[Batch]
) -> tuple[list[Agreement], int]:
    """Agreement of the original and of each model by name (or why it cannot be loaded), and the samples that were run.

    Raises:
        RunError: the original cannot be run.
        DataError: the data cannot be read.
    """
    comparisons = {name: OutputComparison() for name in (ORIGINAL, *models)}
    sessions = {name: session for name, session in models.items() if isinstance(session, Session)}
    reasons = {name: session for name, session in models.items() if isinstance(session, str)}
    samples = 0
    for batch in batches:
        before = float_outputs(original.run(batch.feeds))
        comparisons[ORIGINAL].add(before, before, batch.labels)
        samples += batch.samples
        for name in sessions.keys() - reasons.keys():
            try:
                after = float_outputs(sessions[name].run(batch.feeds))
            except RunError as error:
                reasons[name] = str(error)
                continue
            comparisons[name].add(before, after, batch.labels)
    return [_said(name, each.change(), reasons.get(name)) for name, each in comparisons.items()], samples


def _said(name: str, change: OutputChange, reason: str | None) -> Agreement:
    if reason is not None:
        return Agreement(name, None, None, None, reason)
    missing = "the outputs of the original are 0, or not finite" if change.relative_l2 is None else ""
    return Agreement(name, change.agreement, change.sqnr_db, change.accuracy, change.reason or missing)
